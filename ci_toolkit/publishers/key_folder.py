"""A folder for a secret key while one run needs it: for this user alone, in memory where there is such a place."""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_PREFIX = "ci-toolkit-key-"
# Not below TMPDIR: gpg-agent's socket lies there, and the path of one may have 107 bytes.
_PLACES = (Path("/dev/shm"), Path("/tmp"))  # noqa: S108 - made by mkdtemp


@contextmanager
def key_folder() -> Iterator[Path]:
    """A new folder, mode 0700, gone afterwards; those of runs that were killed are removed first."""
    place = next((place for place in _PLACES if os.access(place, os.W_OK | os.X_OK)), Path(tempfile.gettempdir()))
    _sweep(place)
    folder = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-", dir=place))
    try:
        yield folder
    finally:
        # The agent removes its sockets at the same time.
        shutil.rmtree(folder, ignore_errors=True)


def _sweep(place: Path) -> None:
    for folder in place.glob(f"{_PREFIX}*"):
        owner = folder.name.removeprefix(_PREFIX).partition("-")[0]
        try:
            is_ours = folder.lstat().st_uid == os.getuid() and not folder.is_symlink()
        except FileNotFoundError:  # its own run was faster
            continue
        if is_ours and owner.isdecimal() and not Path(f"/proc/{owner}").exists():
            shutil.rmtree(folder, ignore_errors=True)
