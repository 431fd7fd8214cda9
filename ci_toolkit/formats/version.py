"""Package versions, `[epoch:]pkgver[-pkgrel]`, in the order pacman has for them.

The rules are those of `vercmp` as observed on pacman 6.0.2; `tests/formats/test_version.py` asks the real program.

>>> compare_versions("1.0.1", "1.0"), compare_versions("1.0rc1", "1.0"), compare_versions("1.0-2", "1.0")
(1, -1, 0)
"""

from __future__ import annotations

import re
from itertools import zip_longest
from typing import NamedTuple

VERSION_MAX = 128  # four times the longest of the public repository
_EPOCH = re.compile(r"([0-9]*):")
# makepkg forbids `:`, `/`, `-`, blanks and non-ASCII. Here nothing may mean anything to a shell, path or URL either.
_VERSION_TEXT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+~^]*")
_PIECE = re.compile(rb"([^0-9A-Za-z]*)(?:([0-9]+)|([A-Za-z]+))?")


class _Piece(NamedTuple):
    """A run of digits or of letters, with the number of separator bytes before it; no run at the end of a text."""

    gap: int
    digits: bytes | None
    letters: bytes | None


_END = _Piece(0, None, None)


def compare_versions(a: str, b: str) -> int:
    """-1, 0 or 1 as `vercmp a b` says: `a` is older, equal, newer. Any text is accepted.

    Corners: a pkgrel that one side lacks is not looked at (so `1-1` = `1` = `1-2`); which separator it is does not
    matter, only how many there are (`1.0` = `1_0` = `1~0`, and `1..0` is newer); `~` and `^` are ordinary separators;
    letters are older than the end of the text (`1.0rc1` < `1.0`), except behind a separator (`1.0` < `1.0.a`).
    """
    epoch_a, pkgver_a, pkgrel_a = split_version(a)
    epoch_b, pkgver_b, pkgrel_b = split_version(b)
    order = _compare_parts(epoch_a, epoch_b) or _compare_parts(pkgver_a, pkgver_b)
    if order or pkgrel_a is None or pkgrel_b is None:
        return order
    return _compare_parts(pkgrel_a, pkgrel_b)


def split_version(text: str) -> tuple[str, str, str | None]:
    """Epoch, pkgver, pkgrel, cut where pacman cuts: the epoch is `0` if missing, the pkgrel None.

    Only leading digits followed by `:` are an epoch; the pkgrel begins behind the last `-`.
    """
    match = _EPOCH.match(text)
    epoch = (match[1] or "0") if match else "0"
    pkgver, dash, pkgrel = text[match.end() if match else 0 :].rpartition("-")
    return (epoch, pkgver, pkgrel) if dash else (epoch, pkgrel, None)


def is_version_text(text: str) -> bool:
    """Whether `text` is a literal pkgver that is harmless wherever a PKGBUILD puts it.

    Letters, digits and `. _ + ~ ^`, a letter or digit first, no `..`, at most `VERSION_MAX` characters.
    """
    return len(text) <= VERSION_MAX and _VERSION_TEXT.fullmatch(text) is not None and ".." not in text


def _compare_parts(a: str, b: str) -> int:
    if a == b:
        return 0
    for piece_a, piece_b in zip_longest(_pieces(a), _pieces(b), fillvalue=_END):
        order = _compare_pieces(piece_a, piece_b)
        if order:
            return order
    return 0


def _pieces(text: str) -> list[_Piece]:
    # Bytes, because the length of a separator is counted in bytes.
    found = _PIECE.finditer(text.encode(errors="surrogatepass"))
    return [_Piece(len(match[1]), match[2], match[3]) for match in found if match[0]]


def _compare_pieces(a: _Piece, b: _Piece) -> int:
    run_a, run_b = a.digits or a.letters, b.digits or b.letters
    if run_a is None or run_b is None:
        return _compare_with_end(a, b)
    if a.gap != b.gap:
        return _sign(a.gap - b.gap)
    if a.digits and b.digits:
        number_a, number_b = a.digits.lstrip(b"0"), b.digits.lstrip(b"0")
        return _sign(len(number_a) - len(number_b)) or (number_a > number_b) - (number_a < number_b)
    if a.letters and b.letters:
        return (a.letters > b.letters) - (a.letters < b.letters)
    return 1 if a.digits else -1  # a number is newer than letters


def _compare_with_end(a: _Piece, b: _Piece) -> int:
    """The order when a run is missing on one side at least: what is left over decides."""
    if a.digits or a.letters:
        return -_compare_with_end(b, a)
    if b.digits or b.letters:
        letters_follow = b.letters is not None and (a.gap > 0 or b.gap == 0)
        return 1 if letters_follow else -1
    # Separators alone: they are passed over on both sides if both have some, otherwise they are more than nothing.
    return 0 if a.gap and b.gap else _sign(a.gap - b.gap)


def _sign(number: int) -> int:
    return (number > 0) - (number < 0)
