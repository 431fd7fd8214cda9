"""The files of a store: `objects/ab/cdef…`, and `incoming/` for what is about to become one.

Whoever reads an object holds a shared lock of its file, whoever brings or removes one an exclusive lock, so that
nothing vanishes under a reader. The system drops such locks when a process ends, however it ends.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import itertools
import os
import re
import shutil
import stat
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

from ci_toolkit.effects.files import link_or_copy
from ci_toolkit.effects.hashed_writer import HashedWriter

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

_OBJECT = re.compile(r"[0-9a-f]{2}/[0-9a-f]{62}")
_PIECE = 1 << 20
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


@dataclass(frozen=True, slots=True, kw_only=True)
class Incoming:
    """A complete file that is about to become an object, locked by who brings it."""

    path: Path
    file: BinaryIO
    sha256: str
    size_bytes: int

    def synchronize(self) -> None:
        """Wait until it is on the disk."""
        os.fsync(self.file.fileno())


@dataclass(frozen=True, slots=True, kw_only=True)
class Receiving:
    """A file that is still being written."""

    path: Path
    file: BinaryIO
    writer: HashedWriter

    def complete(self) -> Incoming:
        """What was written."""
        sha256 = self.writer.finish()
        self.file.flush()
        os.fchmod(self.file.fileno(), 0o444)
        return Incoming(path=self.path, file=self.file, sha256=sha256, size_bytes=self.writer.size_bytes)


class ObjectFiles:
    """The files below the folder of a store."""

    def __init__(self, folder: Path) -> None:
        self._objects = folder / "objects"
        self._incoming = folder / "incoming"
        self._numbers = itertools.count(1)

    def path(self, sha256: str) -> Path:
        """Where an object is."""
        return self._objects / sha256[:2] / sha256[2:]

    # reading

    @contextmanager
    def reading(self, sha256: str) -> Iterator[int | None]:
        """A descriptor of an object that nobody removes meanwhile; None when there is no such file."""
        descriptor = self._locked(sha256)
        try:
            yield descriptor
        finally:
            if descriptor is not None:
                os.close(descriptor)

    def is_whole(self, sha256: str) -> bool:
        """Whether an object is there with the content that it is named after."""
        with self.reading(sha256) as descriptor:
            return descriptor is not None and _sha256(descriptor) == sha256

    def on_disk(self) -> dict[str, Path]:
        """Everything that is called like an object."""
        return {
            f"{path.parent.name}{path.name}": path
            for path in self._objects.glob("*/*")
            if _OBJECT.fullmatch(f"{path.parent.name}/{path.name}")
        }

    # bringing

    @contextmanager
    def receiving(self) -> Iterator[Receiving]:
        """A new file to write to, which is gone afterwards unless it became an object."""
        with self._partial() as partial, partial.open("xb") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            with HashedWriter(file) as writer:
                yield Receiving(path=partial, writer=writer, file=file)

    def linked(self, source: Path, held: ExitStack) -> Incoming:
        """A file of somebody else as one that is about to become an object, for as long as `held` lasts."""
        partial = held.enter_context(self._partial())
        link_or_copy(source, partial)
        # Its own name first, so that what is hashed is what is kept.
        file = held.enter_context(partial.open("rb"))
        # Somebody may be reading an object that this is another name of; it is there already, then.
        with suppress(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.chmod(partial, 0o444)  # noqa: PTH101 - all writes here are of os, for tests
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        return Incoming(path=partial, file=file, sha256=sha256, size_bytes=os.fstat(file.fileno()).st_size)

    def place(self, incoming: Incoming) -> None:
        """Make it an object, in place of what lies there."""
        target = self.path(incoming.sha256)
        try:
            os.replace(incoming.path, target)  # noqa: PTH105 - likewise
        except FileNotFoundError:
            target.parent.mkdir(parents=True, exist_ok=True)
        except IsADirectoryError:
            shutil.rmtree(target)
        else:
            return
        os.replace(incoming.path, target)  # noqa: PTH105 - likewise

    # removing

    @contextmanager
    def claimed(self, objects: Iterable[str]) -> Iterator[frozenset[str]]:
        """Those of some objects that nobody reads, and that nobody begins to read meanwhile."""
        with ExitStack() as held:
            yield frozenset(sha256 for sha256 in objects if self._claim(sha256, held))

    def remove(self, sha256: str) -> None:
        """Remove an object, whatever it became."""
        path = self.path(sha256)
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)

    def sweep(self) -> None:
        """Remove what killed processes were bringing; nothing can be brought before."""
        shutil.rmtree(self._incoming, ignore_errors=True)
        self._incoming.mkdir(parents=True, exist_ok=True)
        for leftover in self._objects.glob("*/.new-*"):  # where it was before there was a place of its own for it
            shutil.rmtree(leftover)

    @contextmanager
    def _partial(self) -> Iterator[Path]:
        partial = self._incoming / f"{os.getpid()}-{next(self._numbers)}"
        try:
            yield partial
        finally:
            partial.unlink(missing_ok=True)

    def _claim(self, sha256: str, held: ExitStack) -> bool:
        try:
            descriptor = os.open(self.path(sha256), _READ)
        except OSError:  # whatever lies there, it is no object that could be read
            return True
        held.callback(os.close, descriptor)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _locked(self, sha256: str) -> int | None:
        """A descriptor of what is there once whoever brings or removes it is done."""
        path = self.path(sha256)
        while True:
            try:
                descriptor = os.open(path, _READ)
            except OSError as error:
                if error.errno in (errno.ENOENT, errno.ELOOP, errno.ENXIO, errno.ENOTDIR):
                    return None
                raise
            try:
                fcntl.flock(descriptor, fcntl.LOCK_SH)
                here = os.fstat(descriptor)
                if not stat.S_ISREG(here.st_mode):
                    os.close(descriptor)
                    return None
                if _is_at(here, path):
                    return descriptor
            except BaseException:
                os.close(descriptor)
                raise
            os.close(descriptor)


def _is_at(here: os.stat_result, path: Path) -> bool:
    try:
        there = path.lstat()
    except FileNotFoundError:
        return False
    return (here.st_dev, here.st_ino) == (there.st_dev, there.st_ino)


def _sha256(descriptor: int) -> str:
    digest = hashlib.sha256()
    # Room for a large piece costs more than reading a small one.
    size = min(os.fstat(descriptor).st_size + 1, _PIECE)
    while piece := os.read(descriptor, size):
        digest.update(piece)
    return digest.hexdigest()
