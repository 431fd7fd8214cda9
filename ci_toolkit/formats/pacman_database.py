r"""pacman's sync databases (`core.db`, `extra.db`): what a package repository offers, as `repo-add` writes it.

A tar, packed with gzip, xz or zstd or not at all (the first bytes tell), with a folder for every package:

    zlib-1:1.3.1-2/desc         a regular file; the folder is `name-version`
        %NAME%                  a key
        zlib                    its values, one a line

        %PROVIDES%              an empty line ends the values; keys without a value are not written
        libz.so=1-64

A database is read whole or not at all: one that was cut off must not look like one with fewer packages. So the packed
stream must end properly (end mark, check sums), behind it nothing may follow, and the tar must have its end mark.

Python's tarfile needs two and a half times as long, and takes a damaged header in the middle for the archive's end.

Sources: repo-add and makepkg's `lint_pkgbuild` of pacman 6.0.2, libalpm's `be_sync.c`, POSIX `pax` (ustar and pax).
"""

from __future__ import annotations

import lzma
import re
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import zstandard

from ci_toolkit.errors import FormatError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LARGEST_UNPACKED_BYTES = 512 << 20
LARGEST_DESC_BYTES = 1 << 20
LARGEST_PROVIDES_BYTES = 8 << 20
"""Of all packages together: it is what stays in memory. Room for some 300,000 names of ordinary length."""
MOST_PACKAGES = 200_000
LONGEST_NAME = 255
LONGEST_END_BYTES = 11_264
"""Zero bytes at the end: two blocks and the rest of a record of 20. More is what a crash leaves of a file."""

_CHUNK = 1 << 16
_PIECE = 1 << 18
_ZSTD_CHUNK = 256  # zstandard cannot limit its output: 4 bytes can be 128 KiB, so this is at most 8 MiB
_LARGEST_WINDOW = 1 << 27  # what zstd --ultra -22 writes, and more than xz -9 needs; as much memory may be touched

_BLOCK = 512
_ZEROS = bytes(_BLOCK)
_OCTAL = re.compile(rb" *([0-7]{1,12})[ \0]*")
_NUMBER = re.compile(rb"[0-9]{1,9}")
_REGULAR = frozenset(b"0\07")
_WITHOUT_CONTENT = frozenset(b"123456")  # links, devices, folders, pipes
_NAME = re.compile(rb"[A-Za-z0-9@_+][A-Za-z0-9@._+-]*")
# makepkg refuses `:`, `/`, `-`, blanks and non-ASCII in a pkgver. It wants digits in a pkgrel; readers do not.
_VERSION = re.compile(rb"(?:[0-9]+:)?[!-,.0-9;-~]+-[!-,.0-9;-~]+")
_CONTROL = re.compile(rb"[\0-\x09\x0b-\x1f\x7f]")
_WANTED = frozenset({b"%NAME%", b"%BASE%", b"%VERSION%", b"%PROVIDES%"})


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabasePackage:
    """One package of a database.

    `base` is the name itself where the database has none; `version` is `[epoch:]pkgver-pkgrel`; `provides` are as
    written, such as `libz.so=1-64` or `sh`.
    """

    name: str
    base: str
    version: str
    provides: tuple[str, ...]


def read_pacman_database(data: bytes, *, file: str) -> tuple[DatabasePackage, ...]:
    """The packages in the order of the file, none for the empty database that repo-add makes.

    FormatError, naming `file`, for what is no such database, is damaged, cut off, larger than the limits above, or
    has a package that makepkg would not make or libalpm calls inconsistent. Members that are no regular
    `<folder>/desc` are passed over.
    """
    try:
        return _packages(_members(_Stream(_limited(_unpacked(data)))))
    except FormatError as error:
        raise error.located(file=file) from error.__cause__


def _packages(members: Iterator[tuple[str, bytes | None]]) -> tuple[DatabasePackage, ...]:
    packages: dict[str, DatabasePackage] = {}
    provides_bytes = 0
    path = None
    for path, desc in members:
        if desc is None:
            continue
        package, size_bytes = _package(path.removesuffix("/desc"), desc)
        provides_bytes += size_bytes
        if package.name in packages:
            raise FormatError("is there twice", key=package.name)
        if len(packages) == MOST_PACKAGES:
            raise FormatError(f"it has more than {MOST_PACKAGES:,} packages")
        if provides_bytes > LARGEST_PROVIDES_BYTES:
            raise FormatError("its packages provide more than 8 MiB of names")
        packages[package.name] = package
    if path is not None and not packages:
        raise FormatError("it is an archive, but not a pacman database: no member is a package's desc")
    return tuple(packages.values())


# desc


def _package(folder: str, desc: bytes) -> tuple[DatabasePackage, int]:
    """What a desc says, and the size of its provides in bytes."""
    fields = _fields(folder, desc)
    name = _required(folder, fields, b"%NAME%", _NAME)
    version = _required(folder, fields, b"%VERSION%", _VERSION)
    base = _required(folder, fields, b"%BASE%", _NAME) if b"%BASE%" in fields else name
    if f"{name}-{version}" != folder:
        raise FormatError(f"is the folder of {name} {version}", key=folder)
    provides = fields.get(b"%PROVIDES%", b"")
    if _CONTROL.search(provides):
        raise FormatError("has a control character in %PROVIDES%", key=folder)
    try:
        text = provides.decode()
    except UnicodeDecodeError as error:
        raise FormatError("has a %PROVIDES% that is not UTF-8", key=folder) from error
    values = tuple(text.split("\n")) if text else ()
    return DatabasePackage(name=name, base=base, version=version, provides=values), len(provides)


def _fields(folder: str, desc: bytes) -> dict[bytes, bytes]:
    """The wanted keys, `%` included, with their lines; like pacman, lines that belong to no key mean nothing."""
    fields: dict[bytes, bytes] = {}
    for block in desc.split(b"\n\n"):
        key, _, values = block.lstrip(b"\n").partition(b"\n")
        if key in _WANTED:
            if key in fields:
                raise FormatError(f"has {key.decode()} twice", key=folder)
            fields[key] = values.rstrip(b"\n")
    return fields


def _required(folder: str, fields: dict[bytes, bytes], key: bytes, allowed: re.Pattern[bytes]) -> str:
    value = fields.get(key)
    if not value:
        raise FormatError(f"has no {key.decode()}", key=folder)
    if len(value) > LONGEST_NAME or allowed.fullmatch(value) is None:
        raise FormatError(f"has an impossible {key.decode()}", key=folder, got=value.decode(errors="replace"))
    return value.decode()


# tar


class _Stream:
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
        while size > _PIECE:
            self.take(_PIECE)
            size -= _PIECE
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


def _members(stream: _Stream) -> Iterator[tuple[str, bytes | None]]:
    """Path and content of every member; the content is None where it is no package's desc."""
    long_path = None
    while (header := stream.take(_BLOCK)) != _ZEROS:
        kind, size = header[156], _header_size(header)
        if kind in b"xL":
            content = _content(stream, size, "an extended header")
            path = _pax_path(content) if kind == ord("x") else _text(content)
            long_path = path or long_path
            continue
        if kind in b"gK":  # defaults for members to come, the target of a link: neither is used
            stream.skip(_padded(size))
            yield "", None
            continue
        path = (long_path or _header_path(header)).removeprefix(b"./")
        long_path = None
        yield _member(stream, path.decode(errors="replace"), kind, size)
    if long_path is not None:
        raise FormatError("its last header has no member")
    _check_end(stream)


def _member(stream: _Stream, path: str, kind: int, size: int) -> tuple[str, bytes | None]:
    if kind in _REGULAR:
        if path.endswith("/desc") and path.count("/") == 1:
            return path, _content(stream, size, path)
        stream.skip(_padded(size))
    elif kind not in _WITHOUT_CONTENT:
        raise FormatError("is a member of a kind that repo-add does not write", key=path, got=chr(kind))
    elif size:
        raise FormatError("is a member without content, but has a size", key=path, got=str(size))
    return path, None


def _content(stream: _Stream, size: int, what: str) -> bytes:
    if size > LARGEST_DESC_BYTES:
        raise FormatError("has more than 1 MiB", key=what, got=str(size))
    return stream.take(_padded(size))[:size]


def _padded(size: int) -> int:
    return -(-size // _BLOCK) * _BLOCK


def _header_size(header: bytes) -> int:
    """The size field of a header that is checked here."""
    if header[257:262] != b"ustar":
        raise FormatError("it is no pacman database: a header of the archive is none", got=_beginning(header))
    if _octal(header[148:156]) != sum(header) - sum(header[148:156]) + 8 * ord(" "):
        raise FormatError("it is damaged: a header of the archive has a wrong check sum")
    return _octal(header[124:136])


def _header_path(header: bytes) -> bytes:
    path = _text(header[:100])
    # GNU tar keeps something else in place of the prefix; its magic differs in the sixth byte.
    prefix = _text(header[345:500]) if header[262] == 0 else b""
    return prefix + b"/" + path if prefix else path


def _text(field: bytes) -> bytes:
    return field.partition(b"\0")[0]


def _octal(number: bytes) -> int:
    match = _OCTAL.fullmatch(number)
    if match is None:
        raise FormatError("it is damaged: a header of the archive has a wrong number", got=_beginning(number))
    return int(match[1], 8)


def _pax_path(records: bytes) -> bytes | None:
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


def _check_end(stream: _Stream) -> None:
    """The end mark is two blocks of zeros, and zeros may fill up the last record."""
    if stream.take(_BLOCK) != _ZEROS:
        raise FormatError("it is damaged: the archive has half an end mark")
    size = 2 * _BLOCK
    for piece in stream.rest():
        size += len(piece)
        if piece.strip(b"\0"):
            raise FormatError("it goes on behind the end mark of the archive")
    if size > LONGEST_END_BYTES or size % _BLOCK:
        raise FormatError("it is damaged: the archive ends in a wrong number of zero bytes", got=str(size))


# Compression


def _unpacked(data: bytes) -> Iterator[bytes]:
    """The tar in pieces of at most 8 MiB; an error as soon as the packed stream is wrong, cut off or continued."""
    if not data:
        raise FormatError("it is empty")
    for magic, unpack in _COMPRESSIONS:
        if data.startswith(magic):
            return unpack(data)
    if data[257:262] != b"ustar" and any(data[:_BLOCK]):
        web_page = data[:_BLOCK].lstrip().startswith(b"<")
        hint = "a web page; is the address right?" if web_page else "neither a tar nor gzip, xz or zstd"
        raise FormatError("it is no pacman database", got=_beginning(data), hint=hint)
    return _slices(data, _PIECE)


def _limited(pieces: Iterator[bytes]) -> Iterator[bytes]:
    size = 0
    for piece in pieces:
        size += len(piece)
        if size > LARGEST_UNPACKED_BYTES:
            raise FormatError("it unpacks to more than 512 MiB")
        yield piece


def _gunzipped(data: bytes) -> Iterator[bytes]:
    unpacker = zlib.decompressobj(wbits=31)
    behind = len(data)
    try:
        for chunk in _slices(data, _CHUNK):
            behind -= len(chunk)
            pending = chunk
            while pending and not unpacker.eof:
                yield unpacker.decompress(pending, _PIECE)
                pending = unpacker.unconsumed_tail
            if unpacker.eof:
                break
    except zlib.error as error:
        raise FormatError(f"it is damaged: {error}") from error
    _check_stream_end(ended=unpacker.eof, behind=behind + len(unpacker.unused_data))


def _unxzed(data: bytes) -> Iterator[bytes]:
    unpacker = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_LARGEST_WINDOW)
    behind = len(data)
    try:
        for chunk in _slices(data, _CHUNK):
            behind -= len(chunk)
            yield unpacker.decompress(chunk, _PIECE)
            while not unpacker.eof and not unpacker.needs_input:
                yield unpacker.decompress(b"", _PIECE)
            if unpacker.eof:
                break
    except lzma.LZMAError as error:
        raise FormatError(f"it is damaged: {error}") from error
    _check_stream_end(ended=unpacker.eof, behind=behind + len(unpacker.unused_data))


def _unzstded(data: bytes) -> Iterator[bytes]:
    unpacker = zstandard.ZstdDecompressor(max_window_size=_LARGEST_WINDOW).decompressobj()
    behind = len(data)
    try:
        for chunk in _slices(data, _ZSTD_CHUNK):
            behind -= len(chunk)
            yield unpacker.decompress(chunk)
            if unpacker.eof:
                break
    except zstandard.ZstdError as error:
        raise FormatError(f"it is damaged: {error}") from error
    _check_stream_end(ended=unpacker.eof, behind=behind + len(unpacker.unused_data))


_COMPRESSIONS: tuple[tuple[bytes, Callable[[bytes], Iterator[bytes]]], ...] = (
    (b"\x1f\x8b", _gunzipped),
    (b"\xfd7zXZ\0", _unxzed),
    (b"\x28\xb5\x2f\xfd", _unzstded),
)


def _slices(data: bytes, size: int) -> Iterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]


def _check_stream_end(*, ended: bool, behind: int) -> None:
    # repo-add writes one stream; a second one would be read by some programs and not by others.
    if not ended:
        raise FormatError("it is cut off: the packed stream has no end")
    if behind:
        raise FormatError(f"it is damaged: {behind} bytes follow behind the packed stream")


def _beginning(data: bytes) -> str:
    return data[:60].decode("ascii", errors="replace")
