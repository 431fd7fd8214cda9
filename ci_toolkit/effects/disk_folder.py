"""Reading a folder that may be a stranger's: no link is followed, nothing but regular files is opened, nothing is run.

Every name is opened relative to the descriptor of its folder, so that a folder that becomes a link in the
meantime leads nowhere either.
"""

from __future__ import annotations

import os
import stat
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ci_toolkit.formats.git_objects import EXECUTABLE_MODE, FILE_MODE, LINK_MODE
from ci_toolkit.model.observation import UpstreamFile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_KINDS = {
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFBLK: "a device",
    stat.S_IFCHR: "a device",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderLimits:
    """How much is read: files in all, bytes a file and in all, levels of folders."""

    most_files: int
    largest_file_bytes: int
    largest_folder_bytes: int
    deepest: int = 12


@dataclass(slots=True, kw_only=True)
class DiskFolder:
    """What lies in a folder: regular files and links by relative path, and why others were not read."""

    files: dict[str, UpstreamFile] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)


def read_disk_folder(path: Path, limits: FolderLimits, *, is_left_out: Callable[[str], bool]) -> DiskFolder:
    """Everything below `path` but what is left out by its relative path; OSError when `path` cannot be opened.

    Names that are no UTF-8 have surrogate escapes. Where there is more than the limits allow, reading stops.
    """
    reader = _Reader(limits, is_left_out)
    with _opened(str(path), _FOLDER) as top:
        reader.read(top, "", 0)
    return reader.found


class _Reader:
    def __init__(self, limits: FolderLimits, is_left_out: Callable[[str], bool]) -> None:
        self.found = DiskFolder()
        self._limits = limits
        self._is_left_out = is_left_out
        self._total = 0
        self._full = False

    def read(self, folder: int, prefix: str, depth: int) -> None:
        for name in sorted(os.listdir(folder)):
            path = f"{prefix}{name}"
            if self._full:
                return
            if self._is_left_out(path):
                continue
            if len(self.found.files) + len(self.found.refused) >= self._limits.most_files:
                self.found.refused["."] = f"has more than {self._limits.most_files} files"
                self._full = True
                return
            try:
                self._read_entry(folder, name, path, depth)
            except OSError as error:
                self.found.refused[path] = f"cannot be read: {error.strerror}"

    def _read_entry(self, folder: int, name: str, path: str, depth: int) -> None:
        kind = os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode
        if stat.S_ISLNK(kind):
            target = os.readlink(name, dir_fd=folder)
            self.found.files[path] = UpstreamFile(mode=LINK_MODE, content=os.fsencode(target))
        elif stat.S_ISDIR(kind):
            if depth >= self._limits.deepest:
                self.found.refused[path] = "is nested too deeply"
                return
            with _opened(name, _FOLDER | os.O_NOFOLLOW, folder) as below:
                self.read(below, f"{path}/", depth + 1)
        elif stat.S_ISREG(kind):
            self._read_file(folder, name, path)
        else:
            self.found.refused[path] = f"is {_KINDS.get(stat.S_IFMT(kind), 'no file')}"

    def _read_file(self, folder: int, name: str, path: str) -> None:
        with _opened(name, _FILE, folder) as descriptor:
            information = os.fstat(descriptor)
            if not stat.S_ISREG(information.st_mode):
                self.found.refused[path] = "changed while it was read"
                return
            limit = min(self._limits.largest_file_bytes, self._limits.largest_folder_bytes - self._total)
            with os.fdopen(os.dup(descriptor), "rb") as file:
                content = b"" if information.st_size > limit else file.read(limit + 1)
        if information.st_size > limit or len(content) > limit:
            self.found.refused[path] = f"is too large ({information.st_size >> 20} MiB)"
            return
        self._total += len(content)
        mode = EXECUTABLE_MODE if information.st_mode & stat.S_IXUSR else FILE_MODE
        self.found.files[path] = UpstreamFile(mode=mode, content=content)


@contextmanager
def _opened(path: str, flags: int, folder: int | None = None) -> Iterator[int]:
    descriptor = os.open(path, flags, dir_fd=folder)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
