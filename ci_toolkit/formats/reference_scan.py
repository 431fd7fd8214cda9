"""Which of some store paths content speaks of, found by the 32 digits in their names, wherever they stand in it.

Nix does the same: what a program needs while it runs, its files name by whole paths.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ci_toolkit.formats.nix_base32 import ALPHABET
from ci_toolkit.formats.store_path import HASH_LENGTH

if TYPE_CHECKING:
    from collections.abc import Iterable

_DIGIT, _OTHER = b"x", b"-"
_MARKS = bytes(_DIGIT[0] if byte in ALPHABET.encode() else _OTHER[0] for byte in range(256))
_RUN = _DIGIT * HASH_LENGTH
_LONG_RUN = 4096
_FEW = 64


class ReferenceScanner:
    """Looks for hash parts in content that comes in pieces, also across their borders.

    Only runs of 32 digits are looked at, which binary files and texts hardly have by accident: some 400 MB/s, whatever
    the number of hash parts.
    """

    def __init__(self, hash_parts: Iterable[str]) -> None:
        self._wanted = {part.encode() for part in hash_parts}
        self._found: set[bytes] = set()
        self._tail = b""

    @property
    def found(self) -> frozenset[str]:
        """Those that were in what was taken by now."""
        return frozenset(part.decode() for part in self._found)

    def take(self, piece: bytes) -> None:
        """More content."""
        if not self._wanted:
            return
        data = self._tail + piece
        self._tail = data[-(HASH_LENGTH - 1) :]
        marks = data.translate(_MARKS)
        start = marks.find(_RUN)
        while start >= 0:
            end = marks.find(_OTHER, start + HASH_LENGTH)
            self._look(data, start, len(data) if end < 0 else end)
            start = -1 if end < 0 else marks.find(_RUN, end)

    def _look(self, data: bytes, start: int, end: int) -> None:
        if end - start > _LONG_RUN and len(self._wanted) <= _FEW:
            hits = {part for part in self._wanted if data.find(part, start, end) >= 0}
        else:
            hits = {
                window
                for at in range(start, end - HASH_LENGTH + 1)
                if (window := data[at : at + HASH_LENGTH]) in self._wanted
            }
        self._found |= hits
        self._wanted -= hits
