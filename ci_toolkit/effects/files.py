"""Files on disk: written beside their place and renamed, so that nobody ever reads half of one."""

from __future__ import annotations

import glob
import hashlib
import os
import shutil
import tempfile
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import BinaryIO

_CHUNK = 1 << 20


def write_file(path: Path, content: bytes, *, mode: int = 0o644, durable: bool = True) -> None:
    """Write `content` to `path` at once; what stood there, a link too, is replaced and never followed.

    Whether the process is killed or not, there is never half a file; a `durable` one survives a power cut, too.
    """
    with replaced_file(path, mode=mode, durable=durable) as file:
        file.write(content)


@contextmanager
def replaced_file(path: Path, *, mode: int = 0o644, durable: bool = True) -> Iterator[BinaryIO]:
    """A file to write to that is at `path` when all went well; otherwise what was there before stays."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            if durable:
                file.flush()
                os.fsync(file.fileno())
        os.chmod(name, mode)  # noqa: PTH101 - `name` is a plain string from mkstemp
        os.replace(name, path)  # noqa: PTH105 - likewise
    except BaseException:
        os.unlink(name)  # noqa: PTH108 - likewise
        raise


def remove_unwritten(path: Path) -> None:
    """Remove what processes left that were killed while they wrote `path`; nobody may be writing it at the moment."""
    for left in path.parent.glob(f".{glob.escape(path.name)}.????????"):
        left.unlink()


def copy_opened(source: BinaryIO, target: Path) -> int:
    """Copy an open file beside its place and rename it, so that nobody ever sees half of it; how many bytes it has."""
    partial = target.with_name(f".{target.name}.part")
    size = 0
    with partial.open("wb") as writing:
        while chunk := source.read(_CHUNK):
            writing.write(chunk)
            size += len(chunk)
    partial.replace(target)
    return size


def sha256_of(path: Path) -> str:
    """The checksum of a file in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def remove_file(path: Path) -> None:
    """Remove a file if it is there."""
    path.unlink(missing_ok=True)


def link_or_copy(source: Path, target: Path) -> None:
    """A second name for a file, or a copy where there can be none: on another file system, or one without links."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
