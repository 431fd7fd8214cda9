"""Texts that do not fit are cut so that what follows them stays what it is."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from ci_toolkit.forges.cutting import cut_before_last_line, cut_text, one_line
from ci_toolkit.forges.marker import LONGEST_BODY, Marker, parse_marker, with_marker
from ci_toolkit.model.names import Oid, Pkgbase

SAID = "… the rest is too long to be shown here"
LINES = st.sampled_from(
    ["```text", "```", "````", "~~~", "~~~~ x", "<details>", "</details>", "plain words", "", "    x"]
)


def test_what_fits_is_left_as_it_is() -> None:
    assert cut_text("```\nx", 5) == cut_before_last_line("```\nx", 5) == "```\nx"


def test_it_is_cut_at_the_end_of_a_line_and_says_so() -> None:
    assert cut_text("one\ntwo\n" + "x" * 100, 60) == f"one\ntwo\n\n{SAID}"


def test_an_open_code_block_and_a_folded_part_are_closed() -> None:
    text = "<details>\n<summary>s</summary>\n\n````diff\n```\n" + "+ x\n" * 100
    shown = cut_text(text, 150)
    assert len(shown) <= 150
    assert shown.endswith(f"+ x\n````\n</details>\n\n{SAID}")


def test_the_marker_of_a_cut_description_stands_outside_of_its_code() -> None:
    marker = Marker(package=Pkgbase("foo"), content=Oid("a" * 40), head=Oid("b" * 40))
    body = with_marker("```text\n" + "evil\n" * 40_000 + "```", marker)
    assert len(body) <= LONGEST_BODY
    assert parse_marker(body) == marker
    assert MarkdownIt().parse(body)[-1].type == "html_block"


@given(st.lists(LINES, min_size=10), st.integers(60, 200))
def test_what_follows_a_cut_text_is_never_inside_of_it(lines: list[str], limit: int) -> None:
    text = "\n".join(lines)
    shown = cut_text(text, limit)
    assert len(shown) <= limit
    if len(text) > limit:
        code = [token.content for token in MarkdownIt().parse(shown) if token.type == "fence"]
        assert shown.endswith(SAID)
        assert not any(SAID in one for one in code)
        assert len(cut_before_last_line(f"{text}\n<!-- last -->", limit)) <= limit


def test_a_fence_longer_than_all_the_room_is_left_out() -> None:
    assert cut_text("words\n" + "`" * 500 + "\n" + "x\n" * 500, 600).startswith("words")
    assert cut_text("`" * 5000, 50).endswith(SAID)


def test_titles_are_one_line() -> None:
    assert one_line("a\r\n b\x00c", 10) == "a b c"
    assert one_line("x" * 20, 10) == "x" * 9 + "…"
