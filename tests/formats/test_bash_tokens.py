"""The second reader of bash: what is the same to it, and what it refuses to read."""

from __future__ import annotations

import pytest

from ci_toolkit.errors import FormatError
from ci_toolkit.formats.bash_tokens import read_words


def words(text: str) -> list[str]:
    return [token.text.decode() for token in read_words(text.encode())]


SAME = {
    "comments": ("a # b\nc", "a\nc # d"),
    "blanks": ("a  b\t c", "a b c"),
    "lines": ("a\n\n\nb", "a;b"),
    "continuation": ("a \\\n  b", "a b"),
    "continued word": ("a\\\nb", "ab"),
    "array": ("a=(b # c\n  d)", "a=( b d )"),
    "then": ("if a\nthen\n b\nfi", "if a; then b; fi"),
    "pipe": ("a |\n b", "a | b"),
    "function": ("f ()\n{\n a\n}", "f() { a; }"),
}
OTHER = {
    "hash in a word": ("a #b", "a#b"),
    "quotes": ("a 'b'", "a b"),
    "joined": ("a b", "ab"),
    "descriptor": ("a 2>b", "a 2 >b"),
    "reserved words as arguments": ("a then\nb", "a then b"),
    "heredoc blanks": ("a <<E\n b\nE", "a <<E\nb\nE"),
    "heredoc comment": ("a <<E\n#b\nE", "a <<E\n#c\nE"),
    "string": ("a 'b\n#c'", "a 'b\n#d'"),
    "empty array": ("a=()\nb", "a=() b"),
    "continued comment": ("a # b \\\nc", "a # b c"),
    "expansion": ('a "${b#c}"', 'a "${b#d}"'),
    "background": ("a & b", "a; b"),
    "continuation in single quotes": ("a 'b\\\nc'", "a 'bc'"),
}
REFUSED = [
    "'", '"', "`", "$(", "${a", "a <<E\nb", "a=(b", "a=(b;c)", "$[1]", '$"a"', "a\fb", "a\rb", "a\0b", "!(a)", "$(a # b\n)",
    "$(case a in a) ;; esac)", "[[ a == #b ]]", "\"${a//'/b}\"", "a <<$b\n$b\n", "a <<E\nb\\\nE\n", "$(cat <<E\nE\n)", "${a{b}",
]  # fmt: skip


@pytest.mark.parametrize("case", SAME)
def test_layout_and_comments_do_not_count(case: str) -> None:
    one, other = SAME[case]
    assert words(one) == words(other)


@pytest.mark.parametrize("case", OTHER)
def test_everything_else_counts(case: str) -> None:
    one, other = OTHER[case]
    assert words(one) != words(other)


@pytest.mark.parametrize("text", REFUSED)
def test_what_is_unsure_is_refused_with_its_line(text: str) -> None:
    with pytest.raises(FormatError) as caught:
        read_words(f"x\n{text}".encode())
    assert caught.value.line is not None
    assert caught.value.line >= 2


def test_tokens_know_where_they_stand() -> None:
    assert [(token.start, token.end) for token in read_words(b"a=(b 'c')\n")] == [
        (0, 2),
        (2, 3),
        (3, 4),
        (5, 8),
        (8, 9),
        (9, 9),
    ]
