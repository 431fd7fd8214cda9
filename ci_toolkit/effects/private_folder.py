"""A folder for one run of a stranger's program: made of given files, and read back as if an enemy had been there."""

from __future__ import annotations

import fcntl
import os
import secrets
import stat
import tempfile
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from ci_toolkit.errors import UpstreamError
from ci_toolkit.formats.git_objects import EXECUTABLE_MODE, FILE_MODE, LINK_MODE
from ci_toolkit.model.observation import UpstreamFile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

_MOST_ENTRIES = 5_000
_DEEPEST = 12
_YOUNG_S = 60.0
LOCK = "root/lock"
"""Where in a private folder its lock is, for those that sweep away what was abandoned."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PrivateFolder:
    """A folder that belongs to user `owner` (None: to whoever runs this).

    `scratch` is another one of theirs, for what nobody takes back; `people` a file of the form of /etc/passwd.
    """

    path: Path
    scratch: Path
    people: Path
    owner: int | None

    def fill(self, files: Mapping[str, UpstreamFile]) -> None:
        """Write files; paths were judged before, and links are written as links."""
        for name, file in files.items():
            path = self.path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if file.mode == LINK_MODE:
                path.symlink_to(os.fsdecode(file.content))
            else:
                path.write_bytes(file.content)
                path.chmod(0o755 if file.mode == EXECUTABLE_MODE else 0o644)
        if self.owner is not None:
            _give(self.path, self.owner)

    def read(
        self, before: Mapping[str, UpstreamFile], *, largest_bytes: int, total_bytes: int
    ) -> dict[str, UpstreamFile]:
        """What lies there now; links only if they are as they were `before`.

        UpstreamError for other links, devices, pipes, sockets, hard links, folders nested too deeply, too many or too
        large files. `.git` folders are left out.
        """
        found: dict[str, UpstreamFile] = {}
        total = 0
        for name, entry in _walk(self.path):
            information = entry.stat(follow_symlinks=False)
            if stat.S_ISLNK(information.st_mode):
                link = UpstreamFile(mode=LINK_MODE, content=os.fsencode(os.readlink(entry.path)))  # noqa: PTH115 - bytes
                if before.get(name) != link:
                    raise UpstreamError(f"{name!r} became a link, and only regular files are taken back")
                found[name] = link
                continue
            if not stat.S_ISREG(information.st_mode) or information.st_nlink != 1:
                raise UpstreamError(f"{name!r} is no regular file, and only those are taken back")
            total += information.st_size
            if information.st_size > largest_bytes or total > total_bytes:
                raise UpstreamError(f"{name!r} is too large to be taken back")
            mode = EXECUTABLE_MODE if information.st_mode & 0o100 else FILE_MODE
            found[name] = UpstreamFile(mode=mode, content=_content(entry.path, information.st_size))
            if len(found) > _MOST_ENTRIES:
                raise UpstreamError(f"it left more than {_MOST_ENTRIES} files")
        return found


@contextmanager
def private_folder(owner: int | None, *, purpose: str = "sandbox") -> Iterator[PrivateFolder]:
    """A new, empty folder, named after its purpose, and gone afterwards, whatever was left in it."""
    # Not TMPDIR: the owner has to be able to get there, and a person's own temporary folder may be closed to others.
    outer = Path(tempfile.mkdtemp(prefix=f"ci-toolkit-{purpose}-", dir=None if owner is None else "/var/tmp"))  # noqa: S108 - made by mkdtemp
    try:
        if owner is not None:
            outer.chmod(0o711)
        path, scratch, people = outer / "package", outer / "scratch", outer / "people"
        number = os.getuid() if owner is None else owner
        people.write_text(f"builder:x:{number}:{number}::/tmp:/bin/bash\n")
        for folder in (path, scratch):
            folder.mkdir(mode=0o700)
            if owner is not None:
                os.chown(folder, owner, owner)
        yield PrivateFolder(path=path, scratch=scratch, people=people, owner=owner)
    finally:
        remove_folder(outer)


def _walk(top: Path, prefix: str = "", depth: int = 0) -> Iterator[tuple[str, os.DirEntry[str]]]:
    if depth > _DEEPEST:
        raise UpstreamError(f"{prefix!r} is nested too deeply")
    try:
        entries = sorted(os.scandir(top), key=lambda entry: entry.name)
    except OSError as error:
        raise UpstreamError(f"{prefix or 'its folder'!r} cannot be read: {error.strerror}") from error
    for entry in entries:
        name = f"{prefix}{entry.name}"
        if not entry.is_dir(follow_symlinks=False):
            yield name, entry
        elif name != ".git":
            yield from _walk(Path(entry.path), f"{name}/", depth + 1)


def _content(path: str, size: int) -> bytes:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise UpstreamError(f"{Path(path).name!r} cannot be read: {error.strerror}") from error
    with os.fdopen(descriptor, "rb") as file:
        return file.read(size)


def _give(top: Path, owner: int) -> None:
    for folder, _, names in os.walk(top):
        os.chown(folder, owner, owner)
        for name in names:
            os.chown(Path(folder) / name, owner, owner, follow_symlinks=False)


def remove_folder(outer: Path) -> None:
    """Remove a folder, whatever a stranger's program has closed in it, and however deep it is."""
    if outer.is_symlink():
        return
    own = secrets.token_hex(8)
    names = (str(outer / f".removed-{own}-{number}") for number in count())
    left = [str(outer)]
    while left:
        folder = left.pop()
        for entry in _opened_entries(folder):
            # Folders are moved up: the system has a longest path, and Python a deepest recursion.
            left += _removed(entry, next(names) if folder != str(outer) else entry.path)
        with suppress(OSError):
            os.rmdir(folder)  # noqa: PTH106 - thousands of them
    with suppress(OSError):
        outer.rmdir()


def _opened_entries(folder: str) -> list[os.DirEntry[str]]:
    try:
        os.chmod(folder, 0o700)  # noqa: PTH101 - thousands of them
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError:  # another user's
        return []


def _removed(entry: os.DirEntry[str], place: str) -> list[str]:
    """Nothing once it is removed, or where a folder is now that has to be emptied first."""
    try:
        if not entry.is_dir(follow_symlinks=False):
            os.unlink(entry.path)  # noqa: PTH108 - likewise
            return []
        os.chmod(entry.path, 0o700)  # noqa: PTH101 - likewise
        os.rename(entry.path, place)  # noqa: PTH104 - likewise
    except OSError:
        return []
    return [place]


def sweep_abandoned(own: Path, remove: Callable[[Path], None] = remove_folder) -> None:
    """Remove the folders of the same purpose of processes that were killed: whose `LOCK` nobody holds any more."""
    prefix = own.name.rpartition("-")[0]
    for folder in own.parent.glob(f"{prefix}-*"):
        try:
            if folder == own or time.time() - folder.stat().st_mtime < _YOUNG_S:
                continue
            with (folder / LOCK).open("rb") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                remove(folder)
        except OSError:  # it is held, is another user's, or is gone already
            continue
