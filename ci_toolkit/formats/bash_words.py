r"""One word of bash taken apart into text, quoted text and parameters; what cannot be known without running is refused.

    "$pkgname-v"{1,2}.tar.gz        parameter pkgname, quoted -v, then braces: two words, each read on its own
    'it''s' "a \"b\" c" d\ e        quoted text
    $(date) `date` $((1+1)) $1 $?   refused: only a shell could tell

Sources: the bash manual (Quoting, Brace Expansion), and bash 5.2 itself, which the tests ask.
"""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_DEEPEST = 8
_LONGEST_BRACED = 10_000
_MOST_WORDS = 1_000
_MOST_TEXT = 1 << 18
_STOPS = frozenset(" \t\n;&|<>()")
_PLAIN = re.compile(r"[A-Za-z0-9._+/@%,:=^!\]\u00a1-\U0010ffff-]+")
_IN_DOUBLE = re.compile(r'[^\\"$`]+')
_ESCAPED_IN_DOUBLE = frozenset('$`"\\')

Kind = Literal["plain", "quoted", "parameter", "brace", "glob"]


class UnknownValueError(Exception):
    """This value cannot be told without running the script; the text says why."""


class LostTrackError(UnknownValueError):
    """From here on no value at all can be told."""


class Atom(NamedTuple):
    """A piece of a word: its text, or for a parameter what stands between the braces (`x` for `$x`)."""

    kind: Kind
    text: str
    in_quotes: bool = False


def read_word(text: str, start: int) -> tuple[list[Atom], int]:
    """The atoms of the word at `start`, and where it ends: at a blank, an operator, or the end of the text."""
    atoms: list[Atom] = []
    position = start
    while position < len(text) and text[position] not in _STOPS:
        position = _read_piece(text, position, start, atoms)
    return atoms, position


def _read_piece(text: str, position: int, start: int, atoms: list[Atom]) -> int:
    character = text[position]
    if plain := _PLAIN.match(text, position):
        atoms.append(Atom("plain", plain[0]))
        return plain.end()
    match character:
        case "'":
            end = _found(text, "'", position + 1)
            atoms.append(Atom("quoted", text[position + 1 : end]))
            return end + 1
        case '"':
            return _read_double(text, position + 1, atoms)
        case "\\":
            return _read_escape(text, position, atoms)
        case "$":
            return _read_dollar(text, position, atoms, in_quotes=False)
        case "{" | "}":
            atoms.append(Atom("brace", character))
        case "*" | "?" | "[":
            atoms.append(Atom("glob", character))
        case "#" if position > start:
            atoms.append(Atom("plain", character))
        case "~" if position > start and text[position - 1] not in ":=":
            atoms.append(Atom("plain", character))
        case _:
            raise UnknownValueError(f"{character!r} has a meaning here that only a shell can tell")
    return position + 1


def _read_escape(text: str, position: int, atoms: list[Atom]) -> int:
    escaped = text[position + 1 : position + 2]
    if not escaped:
        raise UnknownValueError("it ends in a backslash")
    if escaped != "\n":
        atoms.append(Atom("quoted", escaped))
    return position + 2


def _read_double(text: str, position: int, atoms: list[Atom]) -> int:
    """Read up to behind the closing quote; `""` is quoted text of no length."""
    before = len(atoms)
    while True:
        if literal := _IN_DOUBLE.match(text, position):
            atoms.append(Atom("quoted", literal[0]))
            position = literal.end()
        character = text[position : position + 1]
        if character == '"':
            break
        if character == "$":
            position = _read_dollar(text, position, atoms, in_quotes=True)
        elif character == "\\" and position + 1 < len(text):
            escaped = text[position + 1]
            if escaped != "\n":
                atoms.append(Atom("quoted", escaped if escaped in _ESCAPED_IN_DOUBLE else f"\\{escaped}"))
            position += 2
        else:
            raise UnknownValueError("a command is run in it" if character else "a quote is not closed")
    if len(atoms) == before:
        atoms.append(Atom("quoted", ""))
    return position + 1


def _read_dollar(text: str, position: int, atoms: list[Atom], *, in_quotes: bool) -> int:
    if name := NAME.match(text, position + 1):
        atoms.append(Atom("parameter", name[0], in_quotes))
        return name.end()
    following = text[position + 1 : position + 2]
    if following == "{":
        end = end_of_braces(text, position + 2, in_quotes=in_quotes)
        atoms.append(Atom("parameter", text[position + 2 : end], in_quotes))
        return end + 1
    if following == "'" and not in_quotes:
        end = _found(text, "'", position + 2)
        if "\\" not in text[position + 2 : end]:
            atoms.append(Atom("quoted", text[position + 2 : end]))
            return end + 1
    raise UnknownValueError("a command is run in it" if following == "(" else f"${following} is known to a shell only")


def end_of_braces(text: str, position: int, *, in_quotes: bool, depth: int = 0) -> int:
    """Where the `}` is that ends what began before `position` with `${`."""
    if depth > _DEEPEST:
        raise UnknownValueError("expansions are nested too deeply")
    double = False
    while position < len(text):
        character = text[position]
        if character == "}" and not double:
            return position
        if character == "\\":
            position += 1
        elif character == '"':
            double = not double
        elif character == "'" and not double:
            if in_quotes:
                raise UnknownValueError("a single quote stands in an expansion in double quotes")
            position = _found(text, "'", position + 1)
        elif text.startswith("${", position):
            position = end_of_braces(text, position + 2, in_quotes=in_quotes or double, depth=depth + 1)
        elif character == "`" or text.startswith("$(", position):
            raise UnknownValueError("a command is run in it")
        position += 1
    raise UnknownValueError("a brace is not closed")


def _found(text: str, what: str, position: int) -> int:
    end = text.find(what, position)
    if end < 0:
        raise UnknownValueError("a quote is not closed")
    return end


def read_elements(text: str, start: int) -> tuple[list[str], int]:
    """The words of the array whose `(` is at `start`, as they are written, and where it ends behind its `)`."""
    words: list[str] = []
    position = start + 1
    while True:
        position = _behind_blanks(text, position)
        if text[position : position + 1] == ")":
            return words, position + 1
        _, end = read_word(text, position)
        if end == position:
            raise UnknownValueError("an array is not closed")
        words.append(text[position:end])
        position = end


_BLANKS_OR_COMMENTS = re.compile(r"(?:[ \t\n]|\\\n|(?<=[ \t\n(])#[^\n]*)*")


def _behind_blanks(text: str, position: int) -> int:
    match = _BLANKS_OR_COMMENTS.match(text, position)
    return match.end() if match else position


def expand_braces(word: str) -> list[str]:
    """The words that a word with `{a,b}` in it stands for, as they are written; one word without braces is itself.

    `{1..3}`, `{}` and single braces are refused.
    """
    if "{" not in word:
        return [word]
    if len(word) > _LONGEST_BRACED:
        raise UnknownValueError("it is too long")
    pieces = _brace_pieces(word)
    if not any(is_brace for _, is_brace in pieces):
        return [word]
    words, end = _alternatives(pieces, 0, depth=0)
    if end != len(pieces):
        raise UnknownValueError("a brace stands alone")
    return words


def _brace_pieces(word: str) -> list[tuple[str, bool]]:
    """The text of a word between its unquoted `{`, `,` and `}`, and those, marked."""
    pieces: list[tuple[str, bool]] = []
    position = 0
    while position < len(word):
        if word[position] in "{},":
            pieces.append((word[position], True))
            position += 1
            continue
        comma = word.find(",", position)
        atoms: list[Atom] = []
        end = _read_piece(word, position, 0, atoms)
        if atoms and atoms[0].kind == "plain" and position < comma < end:
            end = comma
        pieces.append((word[position:end], False))
        position = end
    return pieces


def _alternatives(pieces: list[tuple[str, bool]], position: int, *, depth: int) -> tuple[list[str], int]:
    """All words from `position` on, up to the `}` or `,` of the group it is in."""
    if depth > _DEEPEST:
        raise UnknownValueError("braces are nested too deeply")
    words = [""]
    while position < len(pieces):
        text, is_special = pieces[position]
        if is_special and text == "{":
            group, position = _group(pieces, position + 1, depth=depth)
            words = _limited([f"{word}{choice}" for word in words for choice in group[: _MOST_WORDS + 1]])
            continue
        if is_special and (text == "}" or depth):
            break
        words = _limited([word + text for word in words])
        position += 1
    return words, position


def _group(pieces: list[tuple[str, bool]], position: int, *, depth: int) -> tuple[list[str], int]:
    choices: list[str] = []
    alternatives = 0
    while position < len(pieces):
        words, position = _alternatives(pieces, position, depth=depth + 1)
        choices = _limited([*choices, *words])
        alternatives += 1
        if position >= len(pieces):
            break
        if pieces[position][0] == "}":
            if alternatives == 1:
                raise UnknownValueError("braces without a comma")
            return choices, position + 1
        position += 1
        if position < len(pieces) and pieces[position] == ("}", True):
            return [*choices, ""], position + 1
    raise UnknownValueError("a brace is not closed")


def _limited(words: list[str]) -> list[str]:
    if len(words) > _MOST_WORDS or sum(map(len, words)) > _MOST_TEXT:
        raise UnknownValueError("it becomes too long")
    return words
