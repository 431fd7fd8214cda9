"""What clients see of a published folder, as plain files: for places that keep no links, such as a service's Pages."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from ci_toolkit.errors import FormatError, RefusedError
from ci_toolkit.publishers.pacman.layout import SIGNATURE

if TYPE_CHECKING:
    from pathlib import Path

    from ci_toolkit.publishers.pacman.layout import Layout


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedCopy:
    """How many packages a copy has, and how large it is altogether."""

    packages: int
    size_bytes: int


def copy_published(layout: Layout, target: Path) -> PublishedCopy:
    """Copy the published generation to `target`/ARCHITECTURE, without older versions and without links.

    Nothing is written when nothing is published. RefusedError when something is there already, FormatError when a
    published file is missing.
    """
    number = layout.current_number()
    if number == 0:
        return PublishedCopy(packages=0, size_bytes=0)
    packages = layout.ledger(number).packages.values()
    generation, folder = layout.generation(number), target / layout.arch
    sources = {name: generation / PurePosixPath(link).name for name, link in layout.links.items()}
    for package in packages:
        for name in (package.file, f"{package.file}{SIGNATURE}"):
            sources[name] = layout.folder / name
    if folder.exists():
        raise RefusedError("is there already, and old and new would be mixed", key=str(folder))
    folder.mkdir(parents=True)
    size_bytes = 0
    for name, source in sorted(sources.items()):
        try:
            shutil.copy2(source, folder / name)
        except FileNotFoundError as error:
            raise FormatError("is missing", key=str(source), hint="ci-toolkit publish check --mend") from error
        size_bytes += (folder / name).stat().st_size
    return PublishedCopy(packages=len(packages), size_bytes=size_bytes)
