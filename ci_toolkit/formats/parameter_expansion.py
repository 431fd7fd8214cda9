r"""`${…}` of bash taken apart: what it is about, and what is done to it.

    pkgver//-/.         name pkgver, operator //, argument -/.
    _sums[@]            name _sums, all elements
    _parts[1]           name _parts, element 1
    #_list[@]           how many elements

Refused with LostTrackError are those that may compute or set anything: `${x:n}`, `${x[i]}`, `${!x}`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from ci_toolkit.formats.bash_patterns import OneOf, Star
from ci_toolkit.formats.bash_words import LostTrackError, UnknownValueError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ci_toolkit.formats.bash_patterns import Token
    from ci_toolkit.formats.bash_words import Atom

_WHOLE = re.compile(
    r"(?P<length>#?)(?P<name>[A-Za-z_][A-Za-z0-9_]*)"
    r"(?:\[(?P<index>@|\*|[0-9]{1,4})\])?"
    r"(?:(?P<operator>:?[-+]|%%?|\#\#?|//?|\^\^?|,,?|:)(?P<argument>.*))?",
    re.DOTALL,
)
_DEFAULT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*:?[=?]")
_SLICE = re.compile(r"[ ]*(?P<start>[0-9]{0,6})[ ]*(?::[ ]*(?P<length>-?[0-9]{1,6})[ ]*)?|[ ]+(?P<end>-[0-9]{1,6})[ ]*")
_CLASS = re.compile(r"\[(?P<not>[!^]?)(?P<items>(?:[A-Za-z0-9]-[A-Za-z0-9]|[A-Za-z0-9._:+~@ -])+)\]")
_NAMED_CLASS = re.compile(r"\[(?P<not>[!^]?)\[:(?P<name>digit|alpha|alnum|upper|lower):\]\]")
_DIGITS, _UPPER, _LOWER = "0123456789", "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz"
_NAMED = {
    "digit": _DIGITS,
    "alpha": _UPPER + _LOWER,
    "alnum": _DIGITS + _UPPER + _LOWER,
    "upper": _UPPER,
    "lower": _LOWER,
}


class Parameter(NamedTuple):
    """What stands between the braces; `element` is `@`, `*`, a number, or empty."""

    name: str
    element: str
    is_length: bool
    operator: str
    argument: str


def read_parameter(body: str) -> Parameter:
    """The parts of `${body}`; LostTrackError when it may have an effect, or is not known here."""
    if _DEFAULT.match(body):
        raise UnknownValueError("it depends on whether the surroundings set it")
    match = _WHOLE.fullmatch(body)
    if match is None or (match["length"] and match["operator"]):
        raise LostTrackError(f"${{{body[:40]}}} is for a shell to compute")
    if match["operator"] == ":" and not _SLICE.fullmatch(match["argument"]):
        raise LostTrackError("arithmetic is for a shell to compute")
    return Parameter(
        match["name"], match["index"] or "", bool(match["length"]), match["operator"] or "", match["argument"] or ""
    )


def sliced(text: str, argument: str) -> str:
    """`${text:argument}`: `start`, `start:length`, ` -from_the_end`, where the numbers are written out."""
    match = _SLICE.fullmatch(argument)
    if match is None:
        raise UnknownValueError("a part is cut out that only a shell can tell")
    if not text.isascii():
        raise UnknownValueError("text that is not ASCII is cut")
    if match["end"]:
        return text[int(match["end"]) :] if -int(match["end"]) <= len(text) else ""
    start = int(match["start"] or 0)
    length = match["length"]
    if length is None:
        return text[start:]
    end = int(length) + (len(text) if int(length) < 0 else start)
    if end < start or start > len(text):
        raise UnknownValueError("a part is cut out that is not there")
    return text[start:end]


def in_case(text: str, operator: str) -> str:
    """`${text^}`, `^^`, `,` and `,,`."""
    if not text.isascii():
        raise UnknownValueError("text that is not ASCII changes its case")
    change = str.upper if operator[0] == "^" else str.lower
    return change(text) if len(operator) == 2 else change(text[:1]) + text[1:]


def pattern_and_new(argument: str) -> tuple[str, str]:
    """The two sides of the `/` in `${x/pattern/new}`, as they are written; a quoted or escaped `/` is no border."""
    position, quote, depth = 0, "", 0
    while position < len(argument):
        character = argument[position]
        if character == "\\" and quote != "'":
            position += 1
        elif quote:
            quote = "" if character == quote else quote
        elif character in "'\"":
            quote = character
        elif argument.startswith("${", position):
            depth += 1
        elif character == "}" and depth:
            depth -= 1
        elif character == "/" and not depth:
            return argument[:position], argument[position + 1 :]
        position += 1
    return argument, ""


def tokens(written: str, atoms: list[Atom], value_of: Callable[[Atom], str]) -> tuple[Token, ...]:
    """The pattern that is written like this and was read as `atoms`; `value_of` gives what a parameter stands for."""
    if any(atom.kind == "glob" and atom.text == "[" for atom in atoms):
        return tuple(_with_classes(written))
    found: list[Token] = []
    for atom in atoms:
        if atom.kind == "glob":
            found.append(Star() if atom.text == "*" else OneOf(frozenset(), negated=True))
            continue
        text = value_of(atom) if atom.kind == "parameter" else atom.text
        if atom.kind == "parameter" and not atom.in_quotes and any(character in "*?[\\" for character in text):
            raise UnknownValueError("a variable is used as a pattern")
        found.extend(text)
    return tuple(found)


def _with_classes(written: str) -> Iterator[Token]:
    """A pattern with `[…]`: only if all else in it is plain."""
    position = 0
    while position < len(written):
        character = written[position]
        match = _NAMED_CLASS.match(written, position) or _CLASS.match(written, position)
        if match:
            yield OneOf(_characters(match), negated=bool(match["not"]))
            position = match.end()
            continue
        if character == "*":
            yield Star()
        elif character == "?":
            yield OneOf(frozenset(), negated=True)
        elif character.isalnum() or character in "._+~@:-":
            yield character
        else:
            raise UnknownValueError("a pattern is for a shell to read")
        position += 1


def _characters(match: re.Match[str]) -> frozenset[str]:
    groups = match.groupdict()
    if "name" in groups:
        return frozenset(_NAMED[groups["name"]])
    items, found, position = groups["items"], set(), 0
    while position < len(items):
        if items[position + 1 : position + 2] == "-" and position + 2 < len(items):
            found |= _range(items[position], items[position + 2])
            position += 3
        else:
            found.add(items[position])
            position += 1
    return frozenset(found)


def _range(first: str, last: str) -> set[str]:
    for alphabet in (_DIGITS, _UPPER, _LOWER):
        if first in alphabet and last in alphabet and first <= last:
            return set(alphabet[alphabet.index(first) : alphabet.index(last) + 1])
    raise UnknownValueError("a range in a pattern depends on the locale")
