"""The hidden last line of a description: read as it was written, and never from text that came from elsewhere."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci_toolkit.forges.marker import LONGEST_BODY, Marker, format_marker, parse_marker, with_marker, with_retired
from ci_toolkit.model.names import Oid, Pkgbase

OURS = Marker(package=Pkgbase("foo"), content=Oid("a" * 40), head=Oid("b" * 40))
THEIRS = Marker(package=Pkgbase("foo"), content=Oid("c" * 40), head=Oid("d" * 40))


def test_it_is_read_as_it_was_written() -> None:
    assert parse_marker(with_marker("A description.", OURS)) == OURS
    assert with_marker("A description.", OURS).startswith("A description.\n\n<!-- ci-toolkit {")


@pytest.mark.parametrize("ending", ["\n", "\r\n", "  \n\n", "\r\n\r\n"])
def test_line_ends_that_services_change_do_not_matter(ending: str) -> None:
    body = with_marker("one\ntwo", OURS)
    assert parse_marker(body.replace("\n", "\r\n") + ending) == OURS


@given(st.text())
def test_no_text_above_it_changes_what_it_says(text: str) -> None:
    assert parse_marker(with_marker(text, OURS)) == OURS


def test_a_marker_copied_from_upstream_is_not_believed_even_without_ours() -> None:
    body = with_marker(f"Upstream says:\n{format_marker(THEIRS)}", OURS)
    assert parse_marker(body) == OURS
    without_ours = body.rpartition("\n")[0]
    assert parse_marker(without_ours) is None


def test_only_the_last_line_counts() -> None:
    assert parse_marker(f"{format_marker(OURS)}\na person's addition") is None


@pytest.mark.parametrize(
    "line",
    [
        "",
        "<!-- ci-toolkit -->",
        "<!-- ci-toolkit {} -->",
        "<!-- ci-toolkit [] -->",
        "<!-- ci-toolkit null -->",
        f"<!-- ci-toolkit {'[' * 900} -->",
        format_marker(OURS).replace('"v":1', '"v":2'),
        format_marker(OURS).replace('"v":1', '"v":true'),
        format_marker(OURS).replace("a" * 40, "HEAD"),
        format_marker(OURS).replace('"foo"', '"../foo"'),
        format_marker(OURS).replace('"foo"', '["foo"]'),
        format_marker(OURS).replace('"retired":false', '"retired":0'),
        format_marker(OURS).replace('"retired":false', '"retired":false,"more":1'),
        format_marker(OURS).replace('{"v":1', '{"v":1,"v":1'),
        format_marker(OURS).replace(":", ": "),
        f"> {format_marker(OURS)}",
        f"{format_marker(OURS)} and more",
        f"{format_marker(THEIRS)} {format_marker(OURS)}",
    ],
)
def test_what_is_not_exactly_a_marker_is_none(line: str) -> None:
    assert parse_marker(f"text\n{line}") is None


def test_a_long_description_is_cut_and_keeps_its_marker() -> None:
    body = with_marker("x" * 200_000, OURS)
    assert len(body) <= LONGEST_BODY
    assert parse_marker(body) == OURS
    assert "too long" in body


def test_retiring_changes_the_marker_alone() -> None:
    body = with_marker("A description.", OURS)
    retired = Marker(package=OURS.package, content=OURS.content, head=OURS.head, retired=True)
    assert parse_marker(with_retired(body, retired)) == retired
    assert with_retired(body, retired).replace("true", "false") == body
