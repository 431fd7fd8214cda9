"""Where the files of a Nix binary cache are: a folder, or a server that keeps what is PUT there."""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from ci_toolkit.effects.files import remove_unwritten, write_file
from ci_toolkit.errors import PublishError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class CachePlace(Protocol):
    """Files by their name in the cache, `nix-cache-info` or `nar/…`; PublishError where it cannot be had."""

    @property
    def shown(self) -> str:
        """For people."""

    def size_of(self, name: str) -> int | None:
        """How large a file is, None where there is none."""

    def read(self, name: str, *, limit_bytes: int) -> bytes | None:
        """A file's content, None where there is none; PublishError for a larger one."""

    def write(self, name: str, content: bytes) -> None:
        """Put a small file there, at once."""

    def put(self, name: str, path: Path) -> None:
        """Put a file there, at once."""

    def remove(self, name: str) -> None:
        """Have it there no more; one that is not there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderPlace:
    """A folder that a web server serves, or that clients reach as `file://`."""

    folder: Path

    @property
    def shown(self) -> str:
        """For people."""
        return str(self.folder)

    def size_of(self, name: str) -> int | None:
        """How large it is."""
        try:
            return (self.folder / name).lstat().st_size
        except FileNotFoundError:
            return None

    def read(self, name: str, *, limit_bytes: int) -> bytes | None:
        """What is in it."""
        size = self.size_of(name)
        if size is not None and size > limit_bytes:
            raise PublishError(f"{self.folder / name} has more than {limit_bytes} bytes")
        return None if size is None else (self.folder / name).read_bytes()

    def write(self, name: str, content: bytes) -> None:
        """Beside its place first."""
        with _translated(self.folder / name):
            self._sweep(name)
            write_file(self.folder / name, content)

    def put(self, name: str, path: Path) -> None:
        """Beside its place first."""
        target = self.folder / name
        partial = target.with_name(f".{target.name}.part")
        with _translated(target):
            target.parent.mkdir(parents=True, exist_ok=True)
            with path.open("rb") as source, partial.open("wb") as copy:
                shutil.copyfileobj(source, copy, 1 << 20)
                copy.flush()
                os.fsync(copy.fileno())
            partial.chmod(0o644)
            os.replace(partial, target)  # noqa: PTH105 - all writes here are of os, for tests

    def remove(self, name: str) -> None:
        """With what a killed run left of it."""
        target = self.folder / name
        with _translated(target):
            target.with_name(f".{target.name}.part").unlink(missing_ok=True)
            self._sweep(name)
            target.unlink(missing_ok=True)

    def _sweep(self, name: str) -> None:
        remove_unwritten(self.folder / name)


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    """What the system says of a place is a PublishError."""
    try:
        yield
    except OSError as error:
        raise PublishError(f"{path} cannot be written: {error.strerror}") from error
