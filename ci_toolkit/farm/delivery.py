"""Whether what a worker delivered is what it said; what it is, the recipe judges as if an enemy had made it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ci_toolkit.effects.files import sha256_of
from ci_toolkit.errors import UpstreamError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from ci_toolkit.farm.handed_build import DeliveredFile


def arrived_files(files: Iterable[DeliveredFile], folder: Path) -> tuple[Path, ...]:
    """Where the files are in `folder`; UpstreamError for one that is not what its size and checksum say."""
    found = []
    for file in files:
        path = folder / file.file
        if not path.is_file() or path.stat().st_size != file.size_bytes or sha256_of(path) != file.sha256:
            raise UpstreamError(f"{file.file} did not arrive as it was sent")
        found.append(path)
    return tuple(found)
