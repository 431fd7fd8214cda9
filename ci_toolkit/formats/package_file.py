"""Package files, `NAME-VERSION-ARCH.pkg.tar.{zst,xz,gz}`, which are strangers' work: read whole, with limits.

The archive is read to its end although `.PKGINFO` stands at its beginning: repo-add lists all its names, and a file
that is cut off must not be published.
"""

from __future__ import annotations

import gzip
import lzma
import re
import zlib
from typing import IO, TYPE_CHECKING, Protocol

import zstandard

from ci_toolkit.errors import FormatError
from ci_toolkit.formats.package_info import FILE, LARGEST_BYTES, PackageInfo, parse_package_info
from ci_toolkit.formats.tar_blocks import (
    BLOCK,
    PIECE,
    ZEROS,
    TarStream,
    check_end,
    header_path,
    header_size,
    padded,
    pax_path,
    text_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LARGEST_UNPACKED_BYTES = 64 << 30
LARGEST_RATIO = 200
"""Unpacked to packed, from 1 GiB on; the text-only packages of a distribution stay below 30."""
MOST_MEMBERS = 1_000_000
_ALWAYS_ALLOWED_BYTES = 1 << 30
_LARGEST_WINDOW = 1 << 27
_LONGEST_PATH = 4096
_REGULAR, _HARD_LINK, _SYMBOLIC_LINK, _FOLDER = b"0\0", b"1", b"2", b"5"
_CONTROL = re.compile(rb"[\0-\x1f\x7f]")
_SUFFIX = re.compile(r"\.pkg\.tar\.(zst|xz|gz)")
_SEPARATORS = re.compile(r"[^A-Za-z0-9@._+:~^-]")


def read_package_file(packed: IO[bytes], *, name: str, size_bytes: int) -> PackageInfo:
    """What a package file of this name holds; FormatError, naming the file, for anything that makepkg does not make.

    Among that: a name that differs from what `.PKGINFO` says, absolute names, `..`, devices, hard links out of the
    package, two `.PKGINFO`, an archive that is cut off, damaged, continued, or unpacks to far more than it is.
    """
    try:
        info = _package_info(_members(TarStream(_limited(_unpacked(packed), size_bytes))))
        return _named(info, name)
    except FormatError as error:
        raise error.located(file=name) from error.__cause__


def _named(info: PackageInfo, name: str) -> PackageInfo:
    stem = _SUFFIX.split(name)[0]
    if _SEPARATORS.search(name) or _SUFFIX.fullmatch(name, len(stem)) is None:
        raise FormatError("is not called as a package is", hint="NAME-VERSION-ARCH.pkg.tar.zst, .xz or .gz")
    if stem != info.stem:
        raise FormatError(f"holds another package than its name says: {info.stem}")
    return info


def _package_info(members: Iterator[tuple[bytes, bytes | None]]) -> PackageInfo:
    found = None
    for count, (path, content) in enumerate(members, 1):
        if count > MOST_MEMBERS:
            raise FormatError(f"has more than {MOST_MEMBERS:,} files")
        _check_path(path)
        if path.split(b"/")[0] == FILE.encode():
            if content is None or found is not None:
                raise FormatError(f"has a second {FILE}, or one that is no file")
            found = content
    if found is None:
        raise FormatError(f"has no {FILE}, so it is no package")
    return parse_package_info(found)


def _members(stream: TarStream) -> Iterator[tuple[bytes, bytes | None]]:
    """Path of every member, and the content of `.PKGINFO` where that is a regular file."""
    long_path = None
    while (header := stream.take(BLOCK)) != ZEROS:
        kind, size = header[156], header_size(header)
        if kind in b"xLgK":
            if size > LARGEST_BYTES:
                raise FormatError("has an extended header of more than 1 MiB")
            content = stream.take(padded(size))[:size]
            if kind in b"xL":
                long_path = (pax_path(content) if kind == ord("x") else text_of(content)) or long_path
            continue
        path, long_path = long_path or header_path(header), None
        yield path, _content(stream, header, path, size)
    check_end(stream)


def _content(stream: TarStream, header: bytes, path: bytes, size: int) -> bytes | None:
    kind = header[156]
    if kind in _HARD_LINK:
        _check_path(text_of(header[157:257]))
    elif kind not in _REGULAR + _SYMBOLIC_LINK + _FOLDER:
        raise FormatError("is a device or pipe, which no package has", key=path.decode(errors="replace"))
    if kind not in _REGULAR and size:
        raise FormatError("is a member without content, but has a size", key=path.decode(errors="replace"))
    if path == FILE.encode() and kind in _REGULAR:
        if size > LARGEST_BYTES:
            raise FormatError("has more than 1 MiB", key=FILE)
        return stream.take(padded(size))[:size]
    stream.skip(padded(size))
    return None


def _check_path(path: bytes) -> None:
    parts = path.rstrip(b"/").split(b"/")
    if len(path) > _LONGEST_PATH or _CONTROL.search(path) or {b"", b".", b".."} & set(parts):
        raise FormatError("is no name that a package has", key=repr(path[:80])[1:])


# Compression


def _limited(pieces: Iterator[bytes], size_bytes: int) -> Iterator[bytes]:
    limit = min(LARGEST_UNPACKED_BYTES, max(_ALWAYS_ALLOWED_BYTES, LARGEST_RATIO * size_bytes))
    size = 0
    for piece in pieces:
        size += len(piece)
        if size > limit:
            raise FormatError(f"unpacks to more than {limit >> 20:,} MiB, from {size_bytes >> 10:,} KiB")
        yield piece


def _unpacked(packed: IO[bytes]) -> Iterator[bytes]:
    magic = packed.read(6)
    packed.seek(0)
    opened = next((opener for start, opener in _OPENERS if magic.startswith(start)), None)
    if opened is None:
        raise FormatError("is neither zstd, xz nor gzip, so it is no package")
    try:
        reader = opened(packed)
        while piece := reader.read(PIECE):
            yield piece
    except (EOFError, OSError, zlib.error, lzma.LZMAError, zstandard.ZstdError) as error:
        raise FormatError(f"is damaged or cut off: {error}") from error


class _Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


def _zstd(packed: IO[bytes]) -> _Readable:
    # read_across_frames: what follows behind the first frame is seen, and refused as behind the end mark.
    unpacker = zstandard.ZstdDecompressor(max_window_size=_LARGEST_WINDOW)
    return unpacker.stream_reader(packed, read_across_frames=True)


def _xz(packed: IO[bytes]) -> _Readable:
    return lzma.LZMAFile(packed)


def _gzip(packed: IO[bytes]) -> _Readable:
    return gzip.GzipFile(fileobj=packed)


_OPENERS: tuple[tuple[bytes, Callable[[IO[bytes]], _Readable]], ...] = (
    (b"\x28\xb5\x2f\xfd", _zstd),
    (b"\xfd7zXZ\0", _xz),
    (b"\x1f\x8b", _gzip),
)
