"""`.version-state`: what the bash template wrote, and what is written again."""

from __future__ import annotations

import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci_toolkit.formats.version_state import VersionState

NAMES = st.from_regex(r"[A-Za-z0-9@_+][A-Za-z0-9@._+-]{0,6}", fullmatch=True)
VERSIONS = st.from_regex(r"([0-9]:)?[!-~]{1,6}", fullmatch=True)
STATES = st.dictionaries(NAMES, st.sets(VERSIONS, min_size=1, max_size=3).map(lambda found: tuple(sorted(found)))).map(
    lambda versions: VersionState(versions=versions)
)

KNOWN = VersionState(versions={"0ad": ("0.28.0-3",), "gcc": ("14.2-1", "15.1-1"), "zlib": ("1:1.3.1-2",)})


def test_a_file_is_read_and_written_as_it_was() -> None:
    content = b"0ad-data:0.28.0-1\n0ad:0.28.0-3\ngcc:14.2-1\ngcc:15.1-1\nzlib:1:1.3.1-2\n"
    state = VersionState.parse(content)
    assert state.versions == {**KNOWN.versions, "0ad-data": ("0.28.0-1",)}
    assert state.to_bytes() == content


def test_nothing_known_is_an_empty_file() -> None:
    assert VersionState.parse(b"") == VersionState()
    assert VersionState().to_bytes() == b""


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"a:1-1", {"a": ("1-1",)}),
        (b"\n\na:1-1\n\n", {"a": ("1-1",)}),
        (b"a:1-1\na:1-1\n", {"a": ("1-1",)}),
        (b"a:2-1\nb:1-1\na:1-1\n", {"a": ("1-1", "2-1"), "b": ("1-1",)}),
        (b"a:1:2:3\n", {"a": ("1:2:3",)}),
        (b"a::1\n", {"a": (":1",)}),
        (b"a:1\n", {"a": ("1",)}),
    ],
)
def test_lines_that_are_understood(content: bytes, expected: dict[str, tuple[str, ...]]) -> None:
    assert VersionState.parse(content).versions == expected


@pytest.mark.parametrize(
    "line",
    [b"a", b"a:", b":1-1", b":", b" a:1-1", b"a :1-1", b"a: 1-1", b"a:1-1 ", b"a:1-1\r", b"a:1\t1", b"a:1\0", b"-a:1", b".a:1",
     b"../a:1", b"a=1", b"\xff:1", b"a:\xff", "ä:1".encode(), "a:ä".encode(), b"<html>:1", b"a\0:1", b"\xef\xbb\xbfa:1"],
)  # fmt: skip
def test_lines_that_are_not_understood_are_left_out(line: bytes) -> None:
    assert VersionState.parse(b"x:1-1\n" + line + b"\ny:2-1\n").versions == {"x": ("1-1",), "y": ("2-1",)}
    assert VersionState.parse(line) == VersionState()


@pytest.mark.parametrize(
    ("name", "version", "known", "differs"),
    [
        ("0ad", "0.28.0-3", True, False),
        ("0ad", "0.28.0-4", True, True),
        ("zlib", "1:1.3.1-2", True, False),
        ("zlib", "1.3.1-2", True, True),
        ("gcc", "14.2-1", True, False),
        ("gcc", "15.1-1", True, False),
        ("gcc", "16.1-1", True, True),
        ("gcc", "14.2", True, True),
        ("gcc", "", True, True),
        ("0AD", "0.28.0-4", False, False),
        ("zli", "1:1.3.1-2", False, False),
        ("", "", False, False),
    ],
)
def test_what_differs(name: str, version: str, known: bool, differs: bool) -> None:
    assert KNOWN.knows(name) is known
    assert KNOWN.differs(name, version) is differs


def test_what_no_database_has_any_more_is_forgotten() -> None:
    state = KNOWN.updated({"gcc": "16.1-1", "new": "1-1"}, complete=True)
    assert state.versions == {"gcc": ("16.1-1",), "new": ("1-1",)}
    assert KNOWN.updated({}, complete=True) == VersionState()


def test_what_an_unread_database_may_have_stays_known() -> None:
    state = KNOWN.updated({"gcc": "16.1-1", "new": "1-1"}, complete=False)
    assert state.versions == {"0ad": ("0.28.0-3",), "gcc": ("16.1-1",), "new": ("1-1",), "zlib": ("1:1.3.1-2",)}
    assert KNOWN.updated({}, complete=False) == KNOWN


def test_an_update_leaves_the_earlier_state_alone() -> None:
    before = KNOWN.to_bytes()
    KNOWN.updated({"gcc": "16.1-1", "new": "1-1"}, complete=False)
    assert KNOWN.to_bytes() == before


@given(STATES)
def test_writing_and_reading_gives_the_same_state(state: VersionState) -> None:
    assert VersionState.parse(state.to_bytes()) == state


@given(
    st.binary()
    | st.lists(st.tuples(NAMES, VERSIONS)).map(lambda found: "\n".join(":".join(line) for line in found).encode())
)
def test_any_bytes_are_read_and_settle(content: bytes) -> None:
    written = VersionState.parse(content).to_bytes()
    assert VersionState.parse(written).to_bytes() == written
    assert set(written.splitlines()) <= set(content.split(b"\n"))


@given(STATES, st.dictionaries(NAMES, VERSIONS), st.booleans())
def test_the_second_update_changes_nothing(state: VersionState, found: dict[str, str], complete: bool) -> None:
    once = state.updated(found, complete=complete)
    assert once.updated(found, complete=complete) == once == VersionState.parse(once.to_bytes())
    assert not any(once.differs(name, version) for name, version in found.items())


def test_the_order_is_that_of_sort() -> None:
    content = KNOWN.updated(
        dict.fromkeys(("a", "a-b", "a.b", "a+b", "a_b", "A", "a0", "ab", "_a", "@a", "+a", "0"), "1:1-1"),
        complete=False,
    ).to_bytes()
    command = ("sort",)
    ordered = subprocess.run(
        command, input=content, env={"PATH": "/usr/bin:/bin", "LC_ALL": "C"}, check=True, capture_output=True
    )
    assert ordered.stdout == content
