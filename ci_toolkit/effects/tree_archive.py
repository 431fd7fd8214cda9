"""Trees on disk as Nix archives and back; nothing that an archive says leads out of the folder it is unpacked in."""

from __future__ import annotations

import os
import stat
import tempfile
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ci_toolkit.effects.private_folder import remove_folder
from ci_toolkit.errors import FormatError, MachineError, RefusedError
from ci_toolkit.formats.nar import NarFile, NarFolder, NarLink

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ci_toolkit.formats.nar import NarEntry

_PIECE = 1 << 18
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_FOLDER = os.O_RDONLY | os.O_NOFOLLOW | os.O_DIRECTORY | os.O_CLOEXEC
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass(slots=True)
class _Open:
    """A folder that is read: what is left in it, the first one last."""

    descriptor: int
    prefix: bytes
    left: list[tuple[bytes, int]]


def tree_entries(top: Path) -> Iterator[NarEntry]:
    """What is at `top`, for `format_nar`; links are not followed, not even the first.

    FormatError for devices, pipes and sockets, which no archive has; MachineError for what cannot be read.
    """
    open_: list[_Open] = []
    try:
        mode = top.lstat().st_mode
        parent = os.open(top.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        open_.append(_Open(parent, b"", []))
        yield _entry(open_, os.fsencode(top.name), stat.S_IFMT(mode), b"")
        while open_:
            folder = open_[-1]
            if folder.left:
                name, kind = folder.left.pop()
                yield _entry(open_, name, kind, folder.prefix + name)
            else:
                os.close(open_.pop().descriptor)
    except OSError as error:
        raise MachineError(f"{error.filename or top} cannot be read: {error.strerror}") from error
    finally:
        for folder in open_:
            os.close(folder.descriptor)


def _entry(open_: list[_Open], name: bytes, kind: int, path: bytes) -> NarEntry:
    folder = open_[-1].descriptor
    if kind == stat.S_IFREG:
        return _file(os.open(name, _READ, dir_fd=folder), path)
    if kind == stat.S_IFDIR:
        descriptor = os.open(name, _FOLDER, dir_fd=folder)
        open_.append(_Open(descriptor, path + b"/" if path else b"", []))
        open_[-1].left = _names(descriptor)
        return NarFolder(path=path)
    if kind == stat.S_IFLNK:
        return NarLink(path=path, target=os.readlink(name, dir_fd=folder))
    raise _odd(path)


def _names(descriptor: int) -> list[tuple[bytes, int]]:
    """Names with the kind of what they stand for, the first one last."""
    with os.scandir(descriptor) as entries:
        found = [(os.fsencode(entry.name), _kind(entry)) for entry in entries]
    found.sort(reverse=True)
    return found


def _kind(entry: os.DirEntry[str]) -> int:
    if entry.is_file(follow_symlinks=False):
        return stat.S_IFREG
    if entry.is_dir(follow_symlinks=False):
        return stat.S_IFDIR
    return stat.S_IFLNK if entry.is_symlink() else 0


def _file(descriptor: int, path: bytes) -> NarFile:
    """A small file is read at once, as most are; a large one when it is asked for."""
    is_left_open = False
    try:
        information = os.fstat(descriptor)
        if not stat.S_ISREG(information.st_mode):
            raise _odd(path)
        size = information.st_size
        content: Iterable[bytes]
        if size < _PIECE:
            # One more, to see that it has grown; room for a whole piece would cost more than the reading.
            content = (os.read(descriptor, size + 1),)
        else:
            content, is_left_open = _pieces(descriptor), True
    finally:
        if not is_left_open:
            os.close(descriptor)
    return NarFile(path=path, size_bytes=size, is_executable=bool(information.st_mode & stat.S_IXUSR), content=content)


def _pieces(descriptor: int) -> Iterator[bytes]:
    with os.fdopen(descriptor, "rb", buffering=0) as file:
        while piece := file.read(_PIECE):
            yield piece


def unpack_tree(entries: Iterable[NarEntry], target: Path) -> None:
    """Write what an archive has to `target`, where nothing may be yet; when anything goes wrong, nothing is there.

    Everybody may read it then, and its owner may change it. RefusedError where something is, MachineError where the
    disk refuses.
    """
    if os.path.lexists(target):
        raise RefusedError("is there already", key=str(target), hint="remove it, or unpack to another place")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with _beside(target) as beside:
            with ExitStack() as opened:
                _write(entries, beside, opened)
            (beside / "tree").rename(target)
    except OSError as error:
        raise MachineError(f"{error.filename or target} cannot be written: {error.strerror}") from error


@contextmanager
def _beside(target: Path) -> Iterator[Path]:
    """A folder on the same disk, in which nobody else can do anything."""
    folder = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}."))
    try:
        yield folder
    finally:
        remove_folder(folder)


def _write(entries: Iterable[NarEntry], beside: Path, opened: ExitStack) -> None:
    parent = os.open(beside, _FOLDER)
    opened.callback(os.close, parent)
    folders: list[tuple[bytes, int]] = []
    opened.callback(lambda: _close(folders))
    for entry in entries:
        prefix = entry.path[: entry.path.rfind(b"/") + 1]
        while folders and folders[-1][0] != prefix:
            os.close(folders.pop()[1])
        if entry.path and not folders:
            raise FormatError("is in no folder that is open", key=entry.path.decode(errors="backslashreplace"))
        name, folder = (entry.path[len(prefix) :], folders[-1][1]) if entry.path else (b"tree", parent)
        if isinstance(entry, NarFile):
            with os.fdopen(os.open(name, _NEW, 0o755 if entry.is_executable else 0o644, dir_fd=folder), "wb") as file:
                file.writelines(entry.content)
        elif isinstance(entry, NarLink):
            os.symlink(entry.target, name, dir_fd=folder)
        else:
            os.mkdir(name, 0o755, dir_fd=folder)
            folders.append((entry.path + b"/" if entry.path else b"", os.open(name, _FOLDER, dir_fd=folder)))


def _close(folders: list[tuple[bytes, int]]) -> None:
    for _, descriptor in folders:
        os.close(descriptor)


def _odd(path: bytes) -> FormatError:
    what = path.decode(errors="backslashreplace") or "it"
    return FormatError("is no file, folder or link, and only those can be kept", key=what)
