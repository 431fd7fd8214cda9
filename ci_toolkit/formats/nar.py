"""Nix archives (NAR): a tree of files, folders and links as one sequence of bytes, the same for the same tree.

An archive is `nix-archive-1` and one node. Each node is one of

    ( type regular [executable ""] contents BYTES )
    ( type symlink target TEXT )
    ( type directory { entry ( name TEXT node NODE ) } )

where every word is a padded text (`ByteStream`), and entries are sorted by the bytes of their names. There is one
way to write a tree, so what is not written in that way is refused, and with it everything that could leave the folder
that it is unpacked in. Neither a file nor a tree is ever held in memory as a whole.

Source: the thesis of E. Dolstra (2006), figure 5.2; `nix-store --dump` and `--restore` 2.8.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ci_toolkit.errors import FormatError
from ci_toolkit.formats.byte_stream import PIECE, ByteStream, padded_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

LONGEST_NAME_BYTES = 255
"""What Linux allows for a name."""
LONGEST_TARGET_BYTES = 4095
"""Likewise for what a link says."""
DEEPEST = 256
"""Folders within folders."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NarLimits:
    """What an archive may have at most."""

    most_bytes: int = 64 << 30
    most_entries: int = 5_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class NarFile:
    """A regular file; its content can be read once, and until the next entry is asked for."""

    path: bytes
    size_bytes: int
    is_executable: bool
    content: Iterable[bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class NarLink:
    """A symbolic link; where it leads was not looked at."""

    path: bytes
    target: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class NarFolder:
    """A folder; what is in it follows at once."""

    path: bytes


NarEntry = NarFile | NarLink | NarFolder
"""One node. `path` is empty for the first one, else names joined by slashes, `a/b/c`."""


def _words(*words: str) -> bytes:
    return b"".join(padded_text(word.encode()) for word in words)


_MAGIC = _words("nix-archive-1")
_REGULAR = _words("(", "type", "regular", "contents")
_EXECUTABLE = _words("(", "type", "regular", "executable", "", "contents")
_LINK = _words("(", "type", "symlink", "target")
_FOLDER = _words("(", "type", "directory")
_CLOSE = _words(")")
_ENTRY = _words("entry", "(", "name")
_NODE = _words("node")


def format_nar(entries: Iterable[NarEntry]) -> Iterator[bytes]:
    """The bytes of an archive, in pieces; every folder is followed by what is in it, sorted by the bytes of names.

    FormatError for entries that no archive has in this order, and for a file that has another size than was said.
    """
    # Small files are most of a tree: to hand on each of its parts would take longer than to make it.
    parts: list[bytes] = []
    size = 0
    for part in _parts(entries):
        parts.append(part)
        size += len(part)
        if size >= PIECE:
            yield b"".join(parts)
            parts.clear()
            size = 0
    yield b"".join(parts)


def _parts(entries: Iterable[NarEntry]) -> Iterator[bytes]:
    folders: list[bytes] = []  # those that are open, as the beginning of paths in them
    last: list[bytes] = []  # the name that came last in each
    head = _MAGIC
    for entry in entries:
        if head is _MAGIC:
            _check_first(entry.path)
        else:
            name, left = _enter(entry.path, folders, last)
            head = _CLOSE * (2 * left) + _ENTRY + padded_text(name) + _NODE
        tail = _CLOSE * 2 if entry.path else _CLOSE
        if isinstance(entry, NarFile):
            yield from _file(head, entry, tail)
        elif isinstance(entry, NarLink):
            _check_target(entry.target, entry.path)
            yield head + _LINK + padded_text(entry.target) + tail
        else:
            folders.append(entry.path + b"/" if entry.path else b"")
            last.append(b"")
            yield head + _FOLDER
        head = b""
    if head is _MAGIC:
        raise FormatError("an archive has at least one entry")
    if folders:
        yield _CLOSE * (2 * len(folders) - 1)


def parse_nar(pieces: Iterable[bytes], *, limits: NarLimits | None = None) -> Iterator[NarEntry]:
    """The entries of an archive that is alone; FormatError for anything that `format_nar` does not write.

    What is in a file is read when it is asked for, or else passed over before the next entry.
    """
    stream = ByteStream(pieces)
    yield from nar_entries(stream, limits=limits)
    stream.end()


def nar_entries(stream: ByteStream, *, limits: NarLimits | None = None) -> Iterator[NarEntry]:
    """The entries of the archive that comes next in a stream, which is left behind it when all of them were taken."""
    if not stream.begins_with(_MAGIC):
        raise FormatError("is no Nix archive")
    budget = _Budget(limits or NarLimits())
    folders: list[bytes] = []
    last: list[bytes] = []
    path: bytes | None = b""
    while path is not None:
        entry = _node(stream, path, budget)
        if isinstance(entry, NarFolder):
            if len(folders) == DEEPEST:
                raise FormatError(f"has folders in more than {DEEPEST} others", got=_shown(path))
            yield entry
            folders.append(path + b"/" if path else b"")
            last.append(b"")
        else:
            yield entry
            if isinstance(entry, NarFile):
                for _ in entry.content:
                    pass
            _close(stream, path)
        path = _next(stream, folders, last)


class _Budget:
    """What may still come."""

    def __init__(self, limits: NarLimits) -> None:
        self._limits = limits
        self._bytes = limits.most_bytes
        self._entries = limits.most_entries

    def take(self, size: int) -> None:
        """One more entry."""
        self._entries -= 1
        if self._entries < 0:
            raise FormatError(f"has more than {self._limits.most_entries:,} entries")
        self._bytes -= size
        if self._bytes < 0:
            raise FormatError(f"has more than {self._limits.most_bytes:,} bytes in its files")


def _node(stream: ByteStream, path: bytes, budget: _Budget) -> NarEntry:
    """What comes next, without its end."""
    if (is_plain := stream.begins_with(_REGULAR)) or stream.begins_with(_EXECUTABLE):
        size = stream.number()
        budget.take(size)
        return NarFile(path=path, size_bytes=size, is_executable=not is_plain, content=stream.content(size))
    budget.take(0)
    if stream.begins_with(_FOLDER):
        return NarFolder(path=path)
    if stream.begins_with(_LINK):
        target = stream.text(longest=LONGEST_TARGET_BYTES, what="a link")
        _check_target(target, path)
        return NarLink(path=path, target=target)
    raise _broken(path)


def _next(stream: ByteStream, folders: list[bytes], last: list[bytes]) -> bytes | None:
    """Where the next entry is, after folders that end here; None when that was all."""
    while folders:
        folder = folders[-1]
        if stream.begins_with(_ENTRY):
            name = stream.text(longest=LONGEST_NAME_BYTES, what="a name")
            _check_name(name, last[-1], folder)
            last[-1] = name
            if not stream.begins_with(_NODE):
                raise _broken(folder + name)
            return folder + name
        folders.pop()
        last.pop()
        _close(stream, folder.removesuffix(b"/"))
    return None


def _close(stream: ByteStream, path: bytes) -> None:
    """The end of a node, and of the entry that it is in."""
    if not stream.begins_with(_CLOSE) or (path and not stream.begins_with(_CLOSE)):
        raise _broken(path)


def _enter(path: bytes, folders: list[bytes], last: list[bytes]) -> tuple[bytes, int]:
    """The name in the folder where an entry is, and how many folders are left for it."""
    folder = path[: path.rfind(b"/") + 1]
    left = 0
    while folders and folders[-1] != folder:
        folders.pop()
        last.pop()
        left += 1
    if not folders:
        raise FormatError("is in no folder that is open", key=_shown(path))
    name = path[len(folder) :]
    _check_name(name, last[-1], folder)
    last[-1] = name
    return name, left


def _file(head: bytes, file: NarFile, tail: bytes) -> Iterator[bytes]:
    yield head + (_EXECUTABLE if file.is_executable else _REGULAR) + file.size_bytes.to_bytes(8, "little")
    size = 0
    for piece in file.content:
        size += len(piece)
        yield piece
    if size != file.size_bytes:
        raise FormatError(f"has {size:,} bytes, and was said to have {file.size_bytes:,}", key=_shown(file.path))
    yield bytes(-size % 8) + tail


def _check_first(path: bytes) -> None:
    if path:
        raise FormatError("is in no folder that is open", key=_shown(path))


def _check_name(name: bytes, last: bytes, folder: bytes) -> None:
    if name in (b"", b".", b"..") or b"/" in name or b"\0" in name or len(name) > LONGEST_NAME_BYTES:
        raise FormatError("has an entry with a name that no file has", got=_shown(folder + name))
    if name <= last:
        raise FormatError("has an entry twice, or not in its place", got=_shown(folder + name))


def _check_target(target: bytes, path: bytes) -> None:
    if not target or b"\0" in target or len(target) > LONGEST_TARGET_BYTES:
        raise FormatError("has a link that says nothing or too much", got=_shown(path))


def _broken(path: bytes) -> FormatError:
    return FormatError("is damaged, or cut off", got=_shown(path) if path else None)


def _shown(path: bytes) -> str:
    return path.decode(errors="backslashreplace") or "."
