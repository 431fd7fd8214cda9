"""Bytes that come in pieces, read in other portions, and handed on to somebody else as they are read.

For archives of which the length stands nowhere: who wants to keep one has to read it to know where it ends.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from ci_toolkit.errors import FormatError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import BinaryIO

PIECE = 1 << 18
"""How much is read and handed on at once."""

_NUMBER = struct.Struct("<Q")
_ZEROS = bytes(8)


def pieces_of(file: BinaryIO) -> Iterator[bytes]:
    """What is left in a file."""
    while piece := file.read(PIECE):
        yield piece


def padded_text(data: bytes) -> bytes:
    """A text as it stands in such a stream."""
    return len(data).to_bytes(8, "little") + data + bytes(-len(data) % 8)


class ByteStream:
    """A stream of numbers and padded texts as Nix writes them; FormatError wherever it is too short.

    Numbers have 8 bytes, the lowest first. A text is its length, its bytes, and zeros up to a multiple of 8.
    """

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = iter(pieces)
        self._buffer = b""
        self._position = 0
        self._mark = 0
        self._tap: Callable[[bytes], object] | None = None

    def hand_on(self, tap: Callable[[bytes], object] | None) -> None:
        """Have everything that is read from here on also given to `tap`, until this is called again."""
        self._tell()
        self._tap = tap

    def begins_with(self, expected: bytes) -> bool:
        """Whether the next bytes are these, which are passed over then."""
        if self._buffer.startswith(expected, self._position):
            self._position += len(expected)
            return True
        if len(self._buffer) - self._position >= len(expected) or not self._can_have(len(expected)):
            return False
        return self.begins_with(expected)

    def number(self) -> int:
        """The next number."""
        self._have(8)
        (value,) = _NUMBER.unpack_from(self._buffer, self._position)
        self._position += 8
        return int(value)

    def text(self, *, longest: int, what: str) -> bytes:
        """The next padded text; a longer one is refused before it is read."""
        size = self.number()
        if size > longest:
            raise FormatError(f"has {what} of {size:,} bytes, and {longest:,} are allowed")
        padded = size + (-size % 8)
        self._have(padded)
        end = self._position + size
        found = self._buffer[self._position : end]
        self._position += padded
        if padded != size and self._buffer[end : self._position] != _ZEROS[: padded - size]:
            raise FormatError(f"has something else than zeros behind {what}")
        return found

    def content(self, size: int) -> Iterator[bytes]:
        """The next `size` bytes in pieces, and the zeros behind them; read it to its end."""
        left = size
        while left:
            if self._position == len(self._buffer):
                self._have(1)
            end = min(self._position + left, len(self._buffer))
            is_all = not self._position and end == len(self._buffer)
            piece = self._buffer if is_all else self._buffer[self._position : end]
            left -= len(piece)
            self._position = end
            yield piece
        padding = -size % 8
        if padding:
            self._have(padding)
            if not self.begins_with(_ZEROS[:padding]):
                raise FormatError("has something else than zeros behind a file")

    def end(self) -> None:
        """FormatError if anything is left."""
        if self._can_have(1):
            raise FormatError("goes on behind its end")
        self._tell()

    def _have(self, size: int) -> None:
        if len(self._buffer) - self._position < size and not self._can_have(size):
            raise FormatError("is cut off")

    def _can_have(self, size: int) -> bool:
        """Read until the buffer has so much from the position on; False when there is not so much."""
        if len(self._buffer) - self._position >= size:
            return True
        self._tell()
        parts = [self._buffer[self._position :]] if self._position < len(self._buffer) else []
        known = sum(map(len, parts))
        while known < size:
            piece = next(self._pieces, None)
            if piece is None:
                break
            parts.append(piece)
            known += len(piece)
        self._buffer = parts[0] if len(parts) == 1 else b"".join(parts)
        self._position = self._mark = 0
        return known >= size

    def _tell(self) -> None:
        """Hand on what was read since the last time."""
        if self._tap is not None and self._position > self._mark:
            is_all = not self._mark and self._position == len(self._buffer)
            self._tap(self._buffer if is_all else self._buffer[self._mark : self._position])
        self._mark = self._position
