r"""Patterns of bash (`*`, `?`, `[a-z]`) against text, in time that grows with length times pattern, whoever wrote them.

>>> without_end("v1.2-rc", (Star(), ), longest=False)
'v1.2-rc'
>>> without_start("v1.2", ("v",), longest=False)
'1.2'

Only ASCII is matched by anything but itself: what a character is depends on the locale. Source: the bash manual
(Pattern Matching, Shell Parameter Expansion); `extglob` is off while makepkg reads a PKGBUILD.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ci_toolkit.formats.bash_words import UnknownValueError

if TYPE_CHECKING:
    from collections.abc import Sequence

_MOST_STEPS = 200_000


@dataclass(frozen=True, slots=True)
class Star:
    """Any text, even none."""


@dataclass(frozen=True, slots=True)
class OneOf:
    """One ASCII character of (or, when negated, not of) some; no characters and negated: any one."""

    characters: frozenset[str]
    negated: bool

    def accepts(self, character: str) -> bool:
        """Whether it matches this character."""
        return (character in self.characters) != self.negated


Token = str | Star | OneOf
"""A pattern's piece; a string is one character that stands for itself."""


def without_start(text: str, pattern: Sequence[Token], *, longest: bool) -> str:
    """`${text#pattern}`, or with `##` when `longest`."""
    ends = _ends(text, 0, pattern)
    return text[(max(ends) if longest else min(ends)) :] if ends else text


def without_end(text: str, pattern: Sequence[Token], *, longest: bool) -> str:
    """`${text%pattern}`, or with `%%` when `longest`."""
    return without_start(text[::-1], pattern[::-1], longest=longest)[::-1]


def steps(text: str, pattern: Sequence[Token]) -> int:
    """How much work it may be to replace a pattern, in single comparisons."""
    return 0 if all(isinstance(token, str) for token in pattern) else len(text) * len(text) * len(pattern)


def replaced(text: str, pattern: Sequence[Token], new: str, *, everywhere: bool) -> str:
    """`${text/pattern/new}`, or with `//` when `everywhere`; a pattern that matches nothing at all is refused."""
    if all(isinstance(token, Star) for token in pattern):
        raise UnknownValueError("a pattern matches the empty text")
    if all(isinstance(token, str) for token in pattern):
        return text.replace("".join(map(str, pattern)), new, -1 if everywhere else 1)
    if steps(text, pattern) > _MOST_STEPS * 10:
        raise UnknownValueError("a pattern is too much work")
    done: list[str] = []
    position = 0
    while position < len(text):
        ends = _ends(text, position, pattern)
        if not ends:
            done.append(text[position])
            position += 1
            continue
        done.append(new)
        position = max(ends)
        if not everywhere:
            break
    return "".join(done) + text[position:]


def _ends(text: str, start: int, pattern: Sequence[Token]) -> list[int]:
    """Where matches that begin at `start` may end: all states are followed at once, so nothing is tried twice."""
    if any(not isinstance(token, str) for token in pattern) and not text.isascii():
        raise UnknownValueError("a pattern meets text that is not ASCII")
    if len(text) * (len(pattern) + 1) > _MOST_STEPS:
        raise UnknownValueError("a pattern is too much work")
    states = _with_skipped_stars({0}, pattern)
    ends = [start] if len(pattern) in states else []
    for position in range(start, len(text)):
        states = _with_skipped_stars(_after(text[position], states, pattern), pattern)
        if not states:
            break
        if len(pattern) in states:
            ends.append(position + 1)
    return ends


def _after(character: str, states: set[int], pattern: Sequence[Token]) -> set[int]:
    following = set()
    for state in states:
        token = pattern[state] if state < len(pattern) else None
        if isinstance(token, Star):
            following.add(state)
        elif token == character or (isinstance(token, OneOf) and token.accepts(character)):
            following.add(state + 1)
    return following


def _with_skipped_stars(states: set[int], pattern: Sequence[Token]) -> set[int]:
    found = set(states)
    for state in states:
        following = state
        while following < len(pattern) and isinstance(pattern[following], Star):
            following += 1
            found.add(following)
    return found
