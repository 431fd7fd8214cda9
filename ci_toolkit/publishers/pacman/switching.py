"""From one generation to the next: made aside, moved into place, published by one rename; and undone or completed.

A run that is killed leaves `staging`, or a generation that the link does not name yet. `recover` removes both, with the
package files that came with such a generation, so the next run starts from what is published.
"""

from __future__ import annotations

import os
import shutil
from itertools import pairwise
from typing import TYPE_CHECKING

from ci_toolkit.effects.files import write_file
from ci_toolkit.errors import FormatError, RefusedError
from ci_toolkit.publishers.pacman.layout import LEDGER, SIGNATURE
from ci_toolkit.publishers.pacman.ledger import format_ledger

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from ci_toolkit.publishers.pacman.layout import Layout
    from ci_toolkit.publishers.pacman.ledger import Ledger

MOST_GENERATIONS = 20
"""Databases are kept of so many at most; package files are kept by age alone."""


def prepare(layout: Layout) -> None:
    """Make the folders; RefusedError where another program keeps a repository."""
    for name in layout.links:
        path = layout.folder / name
        if path.exists() and not path.is_symlink():
            raise RefusedError(
                "was made by another program", key=str(path), hint="publish to a new folder, and add its packages there"
            )
    layout.generations.mkdir(parents=True, exist_ok=True)


def recover(layout: Layout) -> None:
    """Undo what a run that was killed left, up to its switch."""
    shutil.rmtree(layout.staging, ignore_errors=True)
    current = layout.current_number()
    numbers = layout.numbers()
    unpublished = [number for number in numbers if number > current]
    if unpublished:
        known = _files(readable_ledgers(layout, [number for number in numbers if number <= current]))
        _remove_packages(layout, _files(readable_ledgers(layout, unpublished)) - known)
        for number in unpublished:
            _remove_generation(layout, number)
    layout.staging.mkdir(exist_ok=True)


def switch(layout: Layout, made: Path, ledger: Ledger) -> None:
    """Publish the generation in folder `made`, with the package files that lie signed in `staging`."""
    write_file(made / LEDGER, format_ledger(ledger))
    _date(layout, made, ledger.published_at)
    for path in made.iterdir():
        path.chmod(0o644)
        _synchronize(path)
    made.chmod(0o755)
    os.replace(made, layout.generation(ledger.number))  # noqa: PTH105 - all writes here are of os, for tests
    for package in ledger.packages.values():
        staged = layout.staging / package.file
        if staged.is_file() and not (layout.folder / package.file).exists():
            for name in (f"{package.file}{SIGNATURE}", package.file):
                (layout.staging / name).chmod(0o644)
                _synchronize(layout.staging / name)
                os.replace(layout.staging / name, layout.folder / name)  # noqa: PTH105 - likewise
    mend_links(layout)
    for folder in (layout.generations, layout.folder):
        _synchronize(folder)
    _link(layout, layout.current, f"generations/{ledger.number}")
    _synchronize(layout.own)


def _date(layout: Layout, made: Path, now: float) -> None:
    """Give the databases a later date than the published ones have: clients ask for newer ones, by whole seconds."""
    for name in (layout.database, layout.files_database):
        try:
            published_s = int((layout.current / name).stat().st_mtime)
        except FileNotFoundError:
            published_s = 0
        date_s = max(int(now), published_s + 1)
        for file in (name, f"{name}{SIGNATURE}"):
            os.utime(made / file, (date_s, date_s))


def mend_links(layout: Layout) -> None:
    """Make the links that never change where they are missing or wrong."""
    for name in wrong_links(layout):
        _link(layout, layout.folder / name, layout.links[name])


def wrong_links(layout: Layout) -> list[str]:
    """The names of links that are missing or lead elsewhere."""
    return [name for name, target in layout.links.items() if not _leads(layout.folder / name, target)]


def prune(layout: Layout, *, now: float, keep_s: float) -> None:
    """Remove generations and package files that were published last more than `keep_s` seconds ago."""
    current = layout.current_number()
    newest = layout.ledger(current)
    ledgers = {ledger.number: ledger for ledger in readable_ledgers(layout, layout.numbers())}
    ordered = sorted(ledgers)
    kept = {current, newest.parent}
    for number, following in pairwise(ordered):
        if now - ledgers[following].published_at < keep_s and number > current - MOST_GENERATIONS:
            kept.add(number)
    wanted = newest.files | {
        package.file for number in kept & ledgers.keys() for package in ledgers[number].packages.values()
    }
    _remove_packages(layout, _files(ledgers.values()) - wanted)
    for number in layout.numbers():
        if number not in kept:
            _remove_generation(layout, number)
    shutil.rmtree(layout.staging, ignore_errors=True)


def set_aside(layout: Layout, files: Iterable[str]) -> None:
    """Move files, with their signatures, to where nobody looks for packages; a file of that name there is replaced."""
    for file in files:
        for name in (file, f"{file}{SIGNATURE}"):
            if os.path.lexists(layout.folder / name):
                layout.set_aside.mkdir(exist_ok=True)
                os.replace(layout.folder / name, layout.set_aside / name)  # noqa: PTH105 - likewise


def readable_ledgers(layout: Layout, numbers: Iterable[int]) -> list[Ledger]:
    """The ledgers of these generations, without those that are damaged."""
    ledgers = []
    for number in numbers:
        try:
            ledgers.append(layout.ledger(number))
        except FormatError:
            continue
    return ledgers


def _files(ledgers: Iterable[Ledger]) -> set[str]:
    return {file for ledger in ledgers for file in ledger.files}


def _remove_packages(layout: Layout, files: Iterable[str]) -> None:
    for file in sorted(files):
        for name in (file, f"{file}{SIGNATURE}"):
            (layout.folder / name).unlink(missing_ok=True)


def _remove_generation(layout: Layout, number: int) -> None:
    # Away at once, so that half of one is never taken for a whole.
    layout.staging.mkdir(exist_ok=True)
    gone = layout.staging / f"gone-{number}"
    shutil.rmtree(gone, ignore_errors=True)
    os.replace(layout.generation(number), gone)  # noqa: PTH105 - likewise
    shutil.rmtree(gone)


def _leads(path: Path, target: str) -> bool:
    return path.is_symlink() and os.readlink(path) == target  # noqa: PTH115 - as it was written


def _link(layout: Layout, path: Path, target: str) -> None:
    fresh = layout.staging / f"link-{path.name}"
    fresh.unlink(missing_ok=True)
    os.symlink(target, fresh)  # noqa: PTH211 - all writes here are of os, for tests
    os.replace(fresh, path)  # noqa: PTH105 - likewise


def _synchronize(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
