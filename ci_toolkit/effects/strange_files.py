"""Files that strangers' programs left, opened without being led anywhere else."""

from __future__ import annotations

import os
import stat
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ci_toolkit.errors import UpstreamError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import BinaryIO


@contextmanager
def opened_inside(folder: Path, path: str) -> Iterator[BinaryIO]:
    """A regular file of one name, no part of whose path in the folder is a link; UpstreamError for anything else."""
    *parents, name = path.split("/")
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for parent in parents:
            inner = os.open(parent, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=descriptor)
            os.close(descriptor)
            descriptor = inner
        file = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=descriptor)
    except OSError as error:
        raise UpstreamError(f"{path} cannot be taken: {error.strerror}", hint="only regular files are") from error
    finally:
        os.close(descriptor)
    try:
        information = os.fstat(file)
        if not stat.S_ISREG(information.st_mode) or information.st_nlink != 1:
            raise UpstreamError(f"{path} is no regular file", hint="pack a folder into an archive")
        with os.fdopen(file, "rb", closefd=False) as opened:
            yield opened
    finally:
        os.close(file)
