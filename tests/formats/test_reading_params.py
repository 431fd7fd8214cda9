"""`.ci/schedule-params.txt` read back: what this program and the bash template write, and nothing else."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ci_toolkit.errors import FormatError
from ci_toolkit.formats.manager_call import read_manager_call
from ci_toolkit.formats.schedule_params import format_schedule_params, parse_schedule_params
from ci_toolkit.formats.state import PendingBuild
from ci_toolkit.model.names import Pkgbase

if TYPE_CHECKING:
    from pathlib import Path

    from ci_toolkit.formats.manager_call import ManagerCall

FILE = ".ci/schedule-params.txt"
SHA = "a" * 40
WORDS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=20)


def words(content: bytes, name: str = "PARAMS_SCHEDULE") -> list[str]:
    return list(parse_schedule_params(content, file=FILE).arrays[name])


@given(st.lists(WORDS, max_size=6), WORDS)
def test_what_was_written_is_read(listed: list[str], host: str) -> None:
    content = format_schedule_params({"REDIS_SSH_HOST": host}, {"PARAMS_SCHEDULE": listed})
    assert words(content) == listed
    assert parse_schedule_params(content, file=FILE).values == {"REDIS_SSH_HOST": host}


def declared(listed: list[str], folder: Path) -> bytes:
    """What bash itself prints, as the template has it do."""
    (folder / "words").write_bytes("".join(f"{word}\0" for word in listed).encode())
    script = (
        "export REDIS_PORT=6379; REDIS_SSH_HOST='a $b'; mapfile -d '' -t PARAMS_SCHEDULE < words;"
        "declare -p REDIS_SSH_HOST REDIS_PORT PARAMS_SCHEDULE"
    )
    return subprocess.run(["bash", "-c", script], cwd=folder, capture_output=True, check=True).stdout


@settings(max_examples=40, deadline=None)
@given(st.lists(st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=20), max_size=8))
def test_what_bash_declares_is_read(tmp_path_factory: pytest.TempPathFactory, listed: list[str]) -> None:
    content = declared(listed, tmp_path_factory.mktemp("bash"))
    assert words(content) == listed
    assert parse_schedule_params(content, file=FILE).values == {"REDIS_SSH_HOST": "a $b", "REDIS_PORT": "6379"}


@pytest.mark.parametrize(
    "line",
    [
        "PARAMS_SCHEDULE=(schedule)",
        "PARAMS_SCHEDULE=('schedule'$(touch pwned))",
        "PARAMS_SCHEDULE=('schedule' `x`)",
        "PARAMS_SCHEDULE=('schedule')  # x",
        "PARAMS_SCHEDULE=('a''b')",
        "PARAMS_SCHEDULE=('a'  'b')",
        "PARAMS_SCHEDULE=('a' )",
        "PARAMS_SCHEDULE=('a",
        "PARAMS_SCHEDULE+=('a')",
        "PARAMS_SCHEDULE='a'",
        'declare -a PARAMS_SCHEDULE=([0]="$(touch pwned)")',
        'declare -a PARAMS_SCHEDULE=([0]="`x`")',
        'declare -a PARAMS_SCHEDULE=([0]="${HOME}")',
        'declare -a PARAMS_SCHEDULE=([1]="a")',
        'declare -a PARAMS_SCHEDULE=([0]="a" [2]="b")',
        "declare -a PARAMS_SCHEDULE=([0]=$'a\\nb')",
        'declare -A PARAMS_SCHEDULE=([0]="a")',
        'declare -f PARAMS_SCHEDULE="a"',
        'declare -- PARAMS_SCHEDULE="a"',
        "REDIS_PORT=6379",
        'REDIS_PORT="6379"',
        "REDIS_PORT=('6379')",
        'declare -- REDIS_PORT="$x"',
        "export REDIS_PORT='6379'",
        "LD_PRELOAD='x'",
        "PATH='x'",
        "touch pwned",
        "REDIS_PORT='1'; touch pwned",
        "",
        " REDIS_PORT='1'",
        "# REDIS_PORT='1'",
        "REDIS_PORT='1'\r",
        "REDIS_PORT='\x1b'",
        "REDIS_SSH_HOST='again'",
    ],
)
def test_everything_else_is_refused_with_its_line(line: str) -> None:
    with pytest.raises(FormatError) as caught:
        parse_schedule_params(f"REDIS_SSH_HOST='h'\n{line}\nREDIS_SSH_USER='u'\n".encode(), file=FILE)
    assert (caught.value.file, caught.value.line) == (FILE, 2)


def test_what_is_no_text_is_refused_with_its_line() -> None:
    with pytest.raises(FormatError) as caught:
        parse_schedule_params(b"REDIS_PORT='1'\nREDIS_SSH_USER='\xff'\n", file=FILE)
    assert (caught.value.file, caught.value.line) == (FILE, 2)


def call(**arrays: str) -> ManagerCall | None:
    listed = {name: text.split() for name, text in arrays.items()}
    content = format_schedule_params({"REDIS_PORT": "1"}, listed)
    return read_manager_call(parse_schedule_params(content, file=FILE), file=FILE)


def test_both_calls_are_read() -> None:
    options = f"--commit {SHA}:77"
    found = call(
        PARAMS_SCHEDULE=f"schedule --target-repo=t --source-repo=s {options} --arch-mirror=https://m/$repo a b/2 c/ d/box",
        PARAMS_AUTOREPOREMOVE=f"auto-repo-remove --target-repo=t {options} a b",
    )
    assert found is not None
    assert (found.target, found.source, found.commit) == ("t", "s", SHA)
    classes = {"a": None, "b": "2", "c": None, "d": "box"}
    assert found.builds == tuple(
        PendingBuild(pkgbase=Pkgbase(name), builder_class=builder) for name, builder in classes.items()
    )
    assert found.remaining == ("a", "b")


def test_either_call_may_be_missing() -> None:
    assert call() is None
    removal = call(PARAMS_AUTOREPOREMOVE="auto-repo-remove --target-repo=t a")
    assert removal is not None
    assert (removal.builds, removal.remaining, removal.source, removal.commit) == ((), ("a",), None, None)
    empty = call(PARAMS_AUTOREPOREMOVE="auto-repo-remove --target-repo=t")
    assert empty is not None
    assert empty.remaining == ()


HEAD = "schedule --target-repo=t --source-repo=s"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("", "is no call of schedule"),
        ("auto-repo-remove --target-repo=t a", "is no call of schedule: 'auto-repo-remove'"),
        ("schedule --target-repo=t a", "lacks --source-repo"),
        ("schedule --target-repo= --source-repo=s a", "lacks --target-repo"),
        (f"{HEAD} --deptree=x a", "an option that nobody writes there: '--deptree'"),
        (f"{HEAD} --source-repo=z a", "an option twice: '--source-repo'"),
        (f"{HEAD} --commit", "an option without a value: '--commit'"),
        (f"{HEAD} --commit main a", "--commit is no commit and pipeline: 'main'"),
        (f"{HEAD} a --arch-mirror=x", "is no possible package name"),
        (f"{HEAD} ../a", "'..' is no possible package name"),
        (f"{HEAD} a/0", "is a class below 1: '0'"),
        (f"{HEAD} a/b/c", "is neither a class of at least 1 nor a builder's name: 'b/c'"),
        (f"{HEAD} a/1 a/2", "a is there twice, with different builder classes"),
    ],
)
def test_a_call_that_nobody_writes_is_refused_with_its_line(words: str, said: str) -> None:
    with pytest.raises(FormatError) as caught:
        call(PARAMS_SCHEDULE=words)
    assert said in caught.value.problem
    assert (caught.value.file, caught.value.line) == (FILE, 2)


def test_calls_for_two_repositories_are_refused() -> None:
    with pytest.raises(FormatError, match="--target-repo is not the same in both calls") as caught:
        call(PARAMS_SCHEDULE=f"{HEAD} a", PARAMS_AUTOREPOREMOVE="auto-repo-remove --target-repo=other a")
    assert caught.value.line == 3
