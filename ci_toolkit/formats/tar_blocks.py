r"""The blocks of a tar archive (ustar, pax, GNU's long names) as a stream, for archives that strangers made.

Python's tarfile takes a damaged header in the middle for the archive's end, and reads extended headers of any size.

Source: POSIX `pax` (ustar and pax interchange formats).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ci_toolkit.errors import FormatError

if TYPE_CHECKING:
    from collections.abc import Iterator

BLOCK = 512
ZEROS = bytes(BLOCK)
PIECE = 1 << 18
LONGEST_END_BYTES = 11_264
"""Zero bytes at the end: two blocks and the rest of a record of 20. More is what a crash leaves of a file."""

_OCTAL = re.compile(rb" *([0-7]{1,12})[ \0]*")
_NUMBER = re.compile(rb"[0-9]{1,9}")


class TarStream:
    """Bytes that come in pieces, to be taken in other portions."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._buffer = b""
        self._position = 0

    def take(self, size: int) -> bytes:
        """The next `size` bytes; FormatError if there are fewer."""
        end = self._position + size
        if end > len(self._buffer):
            self._fill(size)
            end = size
        taken = self._buffer[self._position : end]
        self._position = end
        return taken

    def skip(self, size: int) -> None:
        """Pass over `size` bytes; FormatError if there are fewer."""
        while size > PIECE:
            self.take(PIECE)
            size -= PIECE
        self.take(size)

    def rest(self) -> Iterator[bytes]:
        """All that was not taken; it must be read to its end to know that the packed stream has one."""
        yield self._buffer[self._position :]
        self._buffer = b""
        self._position = 0
        yield from self._pieces

    def _fill(self, size: int) -> None:
        parts = [self._buffer[self._position :]]
        known = len(parts[0])
        while known < size:
            part = next(self._pieces, None)
            if part is None:
                raise FormatError("it is cut off: the archive has no end mark")
            parts.append(part)
            known += len(part)
        self._buffer = b"".join(parts)
        self._position = 0


def padded(size: int) -> int:
    """The room that `size` bytes of content take."""
    return -(-size // BLOCK) * BLOCK


def header_size(header: bytes) -> int:
    """The size field of a header that is checked here."""
    if header[257:262] != b"ustar":
        raise FormatError("a header of the archive is none", got=beginning(header))
    if _octal(header[148:156]) != sum(header) - sum(header[148:156]) + 8 * ord(" "):
        raise FormatError("it is damaged: a header of the archive has a wrong check sum")
    return _octal(header[124:136])


def header_path(header: bytes) -> bytes:
    """The path in a header, its prefix included."""
    path = text_of(header[:100])
    # GNU tar keeps something else in place of the prefix; its magic differs in the sixth byte.
    prefix = text_of(header[345:500]) if header[262] == 0 else b""
    return prefix + b"/" + path if prefix else path


def text_of(field: bytes) -> bytes:
    """A field up to its first NUL."""
    return field.partition(b"\0")[0]


def _octal(number: bytes) -> int:
    match = _OCTAL.fullmatch(number)
    if match is None:
        raise FormatError("it is damaged: a header of the archive has a wrong number", got=beginning(number))
    return int(match[1], 8)


def pax_path(records: bytes) -> bytes | None:
    """The path among `<length> <key>=<value>` records; a size there would move all that follows, so it is refused."""
    path = None
    position = 0
    while position < len(records):
        digits, _, _ = records[position : position + 10].partition(b" ")
        end = position + int(digits) if _NUMBER.fullmatch(digits) else position
        record = records[position + len(digits) + 1 : end]
        if end > len(records) or not record.endswith(b"\n"):
            raise FormatError("it is damaged: an extended header has a wrong length")
        key, _, value = record[:-1].partition(b"=")
        if key == b"path":
            path = value
        elif key == b"size" or key.startswith(b"GNU.sparse"):
            raise FormatError("it has a sparse or huge member, which repo-add does not write")
        position = end
    return path


def check_end(stream: TarStream) -> None:
    """The end mark is two blocks of zeros, and zeros may fill up the last record."""
    if stream.take(BLOCK) != ZEROS:
        raise FormatError("it is damaged: the archive has half an end mark")
    size = 2 * BLOCK
    for piece in stream.rest():
        size += len(piece)
        if piece.strip(b"\0"):
            raise FormatError("it goes on behind the end mark of the archive")
    if size > LONGEST_END_BYTES or size % BLOCK:
        raise FormatError("it is damaged: the archive ends in a wrong number of zero bytes", got=str(size))


def beginning(data: bytes) -> str:
    """The first bytes, for an error message."""
    return data[:60].decode("ascii", errors="replace")
