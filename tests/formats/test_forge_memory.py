"""`.forge` on the state branch: read as it was written, whatever else stands there."""

from __future__ import annotations

import pytest

from ci_toolkit.formats.forge_memory import ForgeRecord, format_forge_memory, parse_forge_memory
from ci_toolkit.formats.state import RepositoryState, format_state, parse_state
from ci_toolkit.model.finding import Severity
from ci_toolkit.model.names import Pkgbase

FOO = ForgeRecord(pkgbase=Pkgbase("foo"), number=3, url="https://h.example/-/merge_requests/3", content="a" * 40)
BAR = ForgeRecord(
    pkgbase=Pkgbase("bar"),
    number=4,
    url="https://h.example/4",
    content="b" * 64,
    status="declined",
    severity=Severity.CRITICAL,
)
LINE = f"foo 3 open high {'a' * 40} https://h.example/-/merge_requests/3"


def test_it_is_sorted_and_read_as_it_was_written() -> None:
    content = format_forge_memory([FOO, BAR])
    assert content.decode().split("\n") == [f"bar 4 declined critical {'b' * 64} https://h.example/4", LINE, ""]
    assert parse_forge_memory(content) == {"foo": FOO, "bar": BAR}


def test_the_state_branch_has_it_only_where_there_is_something() -> None:
    state = RepositoryState(forge={FOO.pkgbase: FOO})
    assert parse_state(format_state(state)).forge == {"foo": FOO}
    assert ".forge" not in format_state(RepositoryState())


@pytest.mark.parametrize(
    "line",
    [
        "",
        "foo",
        LINE.replace("foo", "../foo"),
        LINE.replace(" 3 ", " 0 "),
        LINE.replace(" 3 ", f" {'9' * 30} "),
        LINE.replace("open", "shut"),
        LINE.replace("high", "tall"),
        LINE.replace("a" * 40, "HEAD"),
        LINE.replace("https", "javascript"),
        f"{LINE} more",
    ],
)
def test_lines_that_are_not_understood_are_left_out(line: str) -> None:
    good = format_forge_memory([BAR]).decode()
    assert parse_forge_memory(f"{line}\n{good}".encode() + b"\xff\n") == {"bar": BAR}


def test_an_address_that_would_break_the_line_is_not_written() -> None:
    broken = ForgeRecord(pkgbase=Pkgbase("foo"), number=1, url="https://h.example/a b\nbar", content="a" * 40)
    assert format_forge_memory([broken, BAR]) == format_forge_memory([BAR])
