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

import base64
import lzma
import re
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import zstandard

from ci_toolkit.errors import FormatError
from ci_toolkit.formats.tar_blocks import (
    BLOCK,
    PIECE,
    ZEROS,
    TarStream,
    beginning,
    check_end,
    header_path,
    header_size,
    padded,
    pax_path,
    text_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LARGEST_UNPACKED_BYTES = 512 << 20
LARGEST_DESC_BYTES = 1 << 20
LARGEST_PROVIDES_BYTES = 8 << 20
"""Of all packages together: it is what stays in memory. Room for some 300,000 names of ordinary length."""
MOST_PACKAGES = 200_000
LONGEST_NAME = 255

_CHUNK = 1 << 16
_ZSTD_CHUNK = 256  # zstandard cannot limit its output: 4 bytes can be 128 KiB, so this is at most 8 MiB
_LARGEST_WINDOW = 1 << 27  # what zstd --ultra -22 writes, and more than xz -9 needs; as much memory may be touched

_REGULAR = frozenset(b"0\07")
_WITHOUT_CONTENT = frozenset(b"123456")  # links, devices, folders, pipes
_NAME = re.compile(rb"[A-Za-z0-9@_+][A-Za-z0-9@._+-]*")
# makepkg refuses `:`, `/`, `-`, blanks and non-ASCII in a pkgver. It wants digits in a pkgrel; readers do not.
_VERSION = re.compile(rb"(?:[0-9]+:)?[!-,.0-9;-~]+-[!-,.0-9;-~]+")
_CONTROL = re.compile(rb"[\0-\x09\x0b-\x1f\x7f]")
_FILENAME = re.compile(rb"[A-Za-z0-9@_+][A-Za-z0-9@._+:~^-]*")
_NUMBER = re.compile(rb"[0-9]{1,15}")
_SHA256 = re.compile(rb"[0-9a-f]{64}")
_FILE_KEYS = frozenset({b"%FILENAME%", b"%CSIZE%", b"%SHA256SUM%", b"%PGPSIG%", b"%DEPENDS%"})
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


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseFile:
    """The file that a database names for a package; `signature` is a detached OpenPGP signature, empty without one.

    `depends` are what it needs when it is installed, as written.
    """

    file: str
    size_bytes: int
    sha256: str
    signature: bytes
    depends: tuple[str, ...] = ()


def read_database_files(data: bytes, *, file: str) -> dict[str, DatabaseFile]:
    """The files by package name; FormatError as `read_pacman_database`, and for a package without file or checksum."""
    packages = read_pacman_database(data, file=file)
    named = {f"{package.name}-{package.version}/desc": package.name for package in packages}
    found = {}
    for path, desc in _members(TarStream(_limited(_unpacked(data)))):
        if desc is not None:
            try:
                found[named[path]] = _database_file(path.removesuffix("/desc"), desc)
            except FormatError as error:
                raise error.located(file=file) from error.__cause__
    return found


def _database_file(folder: str, desc: bytes) -> DatabaseFile:
    fields = _fields(folder, desc, _FILE_KEYS)
    try:
        signature = base64.b64decode(fields.get(b"%PGPSIG%", b""), validate=True)
    except ValueError as error:
        raise FormatError("has a %PGPSIG% that is not base64", key=folder) from error
    return DatabaseFile(
        file=_required(folder, fields, b"%FILENAME%", _FILENAME),
        size_bytes=int(_required(folder, fields, b"%CSIZE%", _NUMBER)),
        sha256=_required(folder, fields, b"%SHA256SUM%", _SHA256),
        signature=signature,
        depends=_texts(folder, fields, b"%DEPENDS%"),
    )


def read_pacman_database(data: bytes, *, file: str) -> tuple[DatabasePackage, ...]:
    """The packages in the order of the file, none for the empty database that repo-add makes.

    FormatError, naming `file`, for what is no such database, is damaged, cut off, larger than the limits above, or
    has a package that makepkg would not make or libalpm calls inconsistent. Members that are no regular
    `<folder>/desc` are passed over.
    """
    try:
        return _packages(_members(TarStream(_limited(_unpacked(data)))))
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
    provides = _texts(folder, fields, b"%PROVIDES%")
    size_bytes = len(fields.get(b"%PROVIDES%", b""))
    return DatabasePackage(name=name, base=base, version=version, provides=provides), size_bytes


def _texts(folder: str, fields: dict[bytes, bytes], key: bytes) -> tuple[str, ...]:
    lines = fields.get(key, b"")
    if _CONTROL.search(lines):
        raise FormatError(f"has a control character in {key.decode()}", key=folder)
    try:
        text = lines.decode()
    except UnicodeDecodeError as error:
        raise FormatError(f"has a {key.decode()} that is not UTF-8", key=folder) from error
    return tuple(text.split("\n")) if text else ()


def _fields(folder: str, desc: bytes, wanted: frozenset[bytes] = _WANTED) -> dict[bytes, bytes]:
    """The wanted keys, `%` included, with their lines; like pacman, lines that belong to no key mean nothing."""
    fields: dict[bytes, bytes] = {}
    for block in desc.split(b"\n\n"):
        key, _, values = block.lstrip(b"\n").partition(b"\n")
        if key in wanted:
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


# members


def _members(stream: TarStream) -> Iterator[tuple[str, bytes | None]]:
    """Path and content of every member; the content is None where it is no package's desc."""
    long_path = None
    while (header := stream.take(BLOCK)) != ZEROS:
        kind, size = header[156], header_size(header)
        if kind in b"xL":
            content = _content(stream, size, "an extended header")
            path = pax_path(content) if kind == ord("x") else text_of(content)
            long_path = path or long_path
            continue
        if kind in b"gK":  # defaults for members to come, the target of a link: neither is used
            stream.skip(padded(size))
            yield "", None
            continue
        path = (long_path or header_path(header)).removeprefix(b"./")
        long_path = None
        yield _member(stream, path.decode(errors="replace"), kind, size)
    if long_path is not None:
        raise FormatError("its last header has no member")
    check_end(stream)


def _member(stream: TarStream, path: str, kind: int, size: int) -> tuple[str, bytes | None]:
    if kind in _REGULAR:
        if path.endswith("/desc") and path.count("/") == 1:
            return path, _content(stream, size, path)
        stream.skip(padded(size))
    elif kind not in _WITHOUT_CONTENT:
        raise FormatError("is a member of a kind that repo-add does not write", key=path, got=chr(kind))
    elif size:
        raise FormatError("is a member without content, but has a size", key=path, got=str(size))
    return path, None


def _content(stream: TarStream, size: int, what: str) -> bytes:
    if size > LARGEST_DESC_BYTES:
        raise FormatError("has more than 1 MiB", key=what, got=str(size))
    return stream.take(padded(size))[:size]


# Compression


def _unpacked(data: bytes) -> Iterator[bytes]:
    """The tar in pieces of at most 8 MiB; an error as soon as the packed stream is wrong, cut off or continued."""
    if not data:
        raise FormatError("it is empty")
    for magic, unpack in _COMPRESSIONS:
        if data.startswith(magic):
            return unpack(data)
    if data[257:262] != b"ustar" and any(data[:BLOCK]):
        web_page = data[:BLOCK].lstrip().startswith(b"<")
        hint = "a web page; is the address right?" if web_page else "neither a tar nor gzip, xz or zstd"
        raise FormatError("it is no pacman database", got=beginning(data), hint=hint)
    return _slices(data, PIECE)


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
                yield unpacker.decompress(pending, PIECE)
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
            yield unpacker.decompress(chunk, PIECE)
            while not unpacker.eof and not unpacker.needs_input:
                yield unpacker.decompress(b"", PIECE)
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
