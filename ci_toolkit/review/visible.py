r"""Strangers' text with everything made visible that a reader would not see, or would take for something else.

>>> visible("pkgv\u0435r=1\u202e\x1b[8m")
'pkgv<U+0435>r=1<U+202E><U+001B>[8m'
"""

from __future__ import annotations

import re
import unicodedata

# C*: control, format (directions, zero widths, tags), surrogates, private, unassigned; Z*: blanks but the usual one.
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp", "Zs"})
# Nothing is seen of these either, although Unicode calls them letters, marks and symbols.
_BLANK = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]")
_WORD = re.compile(r"\w+")
_PILED_MARKS = 2
_LONGEST_GAP = 48
_GAP = re.compile(rf" {{{_LONGEST_GAP},}}")
_USUAL = re.compile(r"[ -~\t]*")


def visible(text: str) -> str:
    """`text`, which is one line, with code points such as `<U+202E>` for what cannot be seen and for look-alikes.

    Tabs stay. A byte that was no UTF-8 (a surrogate escape) is `<0x80>`; very long gaps are counted.
    """
    if not _USUAL.fullmatch(text):
        text = "".join(_shown(character) for character in _WORD.sub(_without_look_alikes, text))
        text = _BLANK.sub(lambda match: code_point(match[0]), text)
    return _GAP.sub(lambda match: f"  <{len(match[0])} blanks>  ", text)


def one_visible_line(text: str) -> str:
    """The same for a text that may have several lines: their ends are made visible, too, and tabs."""
    return visible(text).replace("\t", "<U+0009>")


def code_point(character: str) -> str:
    """`<U+202E>`, or `<0x80>` for a byte that was no UTF-8."""
    number = ord(character)
    return f"<0x{number - 0xDC00:02X}>" if 0xDC80 <= number <= 0xDCFF else f"<U+{number:04X}>"


def _shown(character: str) -> str:
    usual = character in " \t" or unicodedata.category(character) not in _HIDDEN
    return character if usual else code_point(character)


def _without_look_alikes(match: re.Match[str]) -> str:
    """A word with letters of the usual and of another alphabet, or digits of another one: the others are named."""
    word = match[0]
    if word.isascii():
        return word
    mixed = any(character.isascii() for character in word)
    shown = []
    marks = 0
    for character in word:
        marks = marks + 1 if unicodedata.combining(character) else 0
        foreign = not unicodedata.name(character, "").startswith("LATIN") and not unicodedata.combining(character)
        suspicious = not character.isascii() and (character.isnumeric() or (mixed and foreign))
        shown.append(code_point(character) if suspicious or marks > _PILED_MARKS else character)
    return "".join(shown)
