"""What the chaotic-manager's jobs read: `.ci/deptree.txt` and `.ci/schedule-params.txt`."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ci_toolkit.errors import FormatError
from ci_toolkit.formats.deptree import DeptreeRecord, format_deptree, parse_deptree
from ci_toolkit.formats.schedule_params import format_schedule_params
from ci_toolkit.model.names import Pkgbase

if TYPE_CHECKING:
    from pathlib import Path

HOSTILE = [
    "$(touch pwned)",
    "`touch pwned`",
    "a b",
    "'",
    '"',
    "\\",
    "!",
    "*",
    "~",
    "${x}",
    "a;b",
    "a\tb",
    "ü",
    "",
    "-n",
    "#",
]


def read_by_shell(content: bytes, name: str, folder: Path) -> list[str]:
    (folder / "params").write_bytes(content)
    script = f'source ./params; printf "%s\\0" "${{{name}[@]}}"'
    done = subprocess.run(["bash", "-c", script], cwd=folder, capture_output=True, check=True)
    return done.stdout.decode(errors="surrogateescape").split("\0")[:-1]


def test_a_shell_reads_back_exactly_what_was_written(tmp_path: Path) -> None:
    content = format_schedule_params({"REDIS_SSH_HOST": "a b"}, {"PARAMS_SCHEDULE": HOSTILE})
    assert read_by_shell(content, "PARAMS_SCHEDULE", tmp_path) == HOSTILE
    assert read_by_shell(content, "REDIS_SSH_HOST", tmp_path) == ["a b"]
    assert {path.name for path in tmp_path.iterdir()} >= {"params"}
    assert not (tmp_path / "pwned").exists()


@settings(max_examples=40, deadline=None)
@given(st.lists(st.text(st.characters(exclude_characters="\0\n\r", exclude_categories=["Cs"])), min_size=1, max_size=8))
def test_whatever_a_value_holds_a_shell_reads_the_same(
    tmp_path_factory: pytest.TempPathFactory, words: list[str]
) -> None:
    content = format_schedule_params({}, {"PARAMS_SCHEDULE": words})
    assert read_by_shell(content, "PARAMS_SCHEDULE", tmp_path_factory.mktemp("shell")) == words


@pytest.mark.parametrize("value", ["a\nb", "a\0b", "a\rb"])
def test_a_value_that_no_line_can_hold_is_refused_with_its_key(value: str) -> None:
    with pytest.raises(FormatError) as caught:
        format_schedule_params({"REDIS_SSH_HOST": value}, {})
    assert caught.value.key == "REDIS_SSH_HOST"


def test_a_deptree_has_no_newline_and_keeps_odd_names() -> None:
    records = [
        DeptreeRecord(pkgbase=Pkgbase("libfoo++"), names=("libfoo++", "libfoo.so"), dependencies=()),
        DeptreeRecord(pkgbase=Pkgbase("a@b.c"), names=("a@b.c",), dependencies=("libfoo++", "x")),
    ]
    content = format_deptree(records)
    assert content == b"a@b.c:a@b.c:libfoo++,x;libfoo++:libfoo++,libfoo.so:"
    assert parse_deptree(content) == tuple(sorted(records, key=lambda record: record.pkgbase))
    assert parse_deptree(b"") == ()


names = st.from_regex(r"[a-z0-9@_+][a-z0-9@._+-]{0,6}[a-z0-9]", fullmatch=True).filter(lambda name: ".." not in name)


@given(st.dictionaries(names, st.tuples(st.lists(names, min_size=1), st.lists(names)), max_size=6))
def test_a_deptree_is_written_back_as_it_was_read(rows: dict[str, tuple[list[str], list[str]]]) -> None:
    records = [
        DeptreeRecord(pkgbase=Pkgbase(name), names=tuple(provides), dependencies=tuple(needs))
        for name, (provides, needs) in rows.items()
    ]
    content = format_deptree(records)
    assert format_deptree(parse_deptree(content)) == content
    assert {record.pkgbase: record for record in parse_deptree(content)} == {
        record.pkgbase: record for record in records
    }


@pytest.mark.parametrize("record", ["a:b", "a:b:c:d", "-a:b:c", ":b:c"])
def test_a_record_that_the_manager_would_refuse_is_named(record: str) -> None:
    with pytest.raises(FormatError, match="record 2") as caught:
        parse_deptree(f"ok:ok:;{record}".encode())
    assert caught.value.got == record
