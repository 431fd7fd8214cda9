"""How much strangers' programs have written, looked at while they run."""

from __future__ import annotations

import errno
import os
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

TOO_DEEP = 1 << 62
"""More than any disk has: paths in the folder are longer than the system allows."""
_LOOK_S = 2.0


class DiskUse:
    """Looks now and then at how much lies in some folders, the more rarely the longer that takes."""

    def __init__(self, folders: Sequence[Path], limit_bytes: int) -> None:
        self._folders = folders
        self._limit_bytes = limit_bytes
        self._next_s = 0.0

    def fault(self) -> str | None:
        """Why a build has to end, if it has."""
        start = time.monotonic()
        if start < self._next_s:
            return None
        used = sum(used_bytes(str(folder)) for folder in self._folders)
        took = time.monotonic() - start
        self._next_s = start + max(_LOOK_S, 20 * took)
        if used >= TOO_DEEP:
            return "it made folders too deep to be looked at"
        return f"it wrote more than {self._limit_bytes >> 20} MiB" if used > self._limit_bytes else None


def used_bytes(folder: str) -> int:
    """What a folder takes up on disk, which may change meanwhile; TOO_DEEP where nobody can tell."""
    total, left = 0, [folder]
    # No recursion: a stranger's program makes folders as deep as it likes.
    while left:
        try:
            with os.scandir(left.pop()) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        left.append(entry.path)
                    else:
                        total += entry.stat(follow_symlinks=False).st_blocks * 512
        except OSError as error:  # it goes on meanwhile, and removes what was there
            if error.errno == errno.ENAMETOOLONG:
                return TOO_DEEP
    return total
