"""The files of a package repository as they lie on disk. No link is followed: what is read was written here."""

from __future__ import annotations

import errno
import os
import stat
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from ci_toolkit.effects.files import write_file
from ci_toolkit.errors import FormatError, MachineError

if TYPE_CHECKING:
    from pathlib import Path

LARGEST_FILE_BYTES = 4 << 20

_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_SIGNS = ("PKGBUILD", ".SRCINFO", ".CI")
"""What makes a package of a folder: others, such as a build's leftovers, are none."""


@dataclass(kw_only=True)
class Checkout:
    """The checkout at `top`; every file is read once."""

    top: Path
    _read: dict[str, bytes | None] = field(init=False, default_factory=dict, repr=False)

    def folders(self) -> dict[str, None]:
        """The package folders, sorted."""
        return self._folders

    @cached_property
    def _folders(self) -> dict[str, None]:
        with os.scandir(self.top) as entries:
            names = [entry.name for entry in entries if entry.name[0] != "." and entry.is_dir(follow_symlinks=False)]
        start = f"{self.top}/"
        return dict.fromkeys(
            name for name in sorted(names) if any(os.path.lexists(f"{start}{name}/{sign}") for sign in _SIGNS)
        )

    def read(self, path: str) -> bytes | None:
        """A file's bytes, None when it is not there; FormatError when it is a link, no regular file or too large."""
        if path not in self._read:
            self._read[path] = self._contents(path)
        return self._read[path]

    def write(self, path: str, content: bytes) -> None:
        """Put other bytes into a file; it keeps its mode. MachineError when it is read through a link."""
        target = self.top / path
        if target.resolve(strict=False) != self.top.resolve() / path:
            raise MachineError("is reached through a link and stays as it is", file=path)
        try:
            mode = stat.S_IMODE(target.lstat().st_mode)
        except FileNotFoundError:
            mode = 0o644
        write_file(target, content, mode=mode)
        self._read.pop(path, None)

    def _contents(self, path: str) -> bytes | None:
        try:
            folder = path.rpartition("/")[0]
            while folder and folder not in self._folders:
                if os.path.islink(f"{self.top}/{folder}"):  # noqa: PTH114 - thousands of them, and paths are slow
                    raise FormatError("is reached through a link", file=path, hint="links are not followed")
                folder = folder.rpartition("/")[0]
            descriptor = os.open(f"{self.top}/{path}", _FILE)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            hint = "links are not followed" if error.errno == errno.ELOOP else None
            raise FormatError(f"cannot be read: {error.strerror}", file=path, hint=hint) from error
        try:
            return _regular(descriptor, path)
        finally:
            os.close(descriptor)


def _regular(descriptor: int, path: str) -> bytes:
    information = os.fstat(descriptor)
    if not stat.S_ISREG(information.st_mode):
        raise FormatError("is no regular file", file=path)
    if information.st_size > LARGEST_FILE_BYTES:
        raise FormatError(f"is larger than {LARGEST_FILE_BYTES >> 20} MiB", file=path)
    return os.read(descriptor, LARGEST_FILE_BYTES)
