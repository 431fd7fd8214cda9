"""What publishing did and found, for people and for machines."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ci_toolkit.publishers.pacman.changing import PackageChange
    from ci_toolkit.publishers.pacman.checking import Fault
    from ci_toolkit.publishers.pacman.copying import PublishedCopy
    from ci_toolkit.publishers.pacman.ledger import PublishedPackage
    from ci_toolkit.publishers.pacman.repository import Publication


def publication_text(done: Publication, *, dry_run: bool) -> str:
    """A line a package, and one that counts."""
    lines = [_change_line(change) for change in done.changes]
    count = len(done.changes)
    if dry_run:
        lines.append(f"{count} would change, nothing did")
    elif count:
        lines.append(f"{count} changed, published as generation {done.generation}")
    else:
        lines.append("all of that is published already")
    return "".join(f"{line}\n" for line in lines)


def publication_json(done: Publication) -> str:
    """An object with `generation` and `changes`: `name`, `old` and `new` version or null."""
    return f"{json.dumps(asdict(done), indent=2)}\n"


def list_text(packages: Iterable[PublishedPackage]) -> str:
    """Name, version and, where it differs, the package base."""
    rows = [
        (package.name, package.version, "" if package.base == package.name else package.base) for package in packages
    ]
    width = max((len(name) for name, *_ in rows), default=0)
    return "".join(f"{f'{name:<{width}} {version}  {base}'.rstrip()}\n" for name, version, base in rows)


def list_json(packages: Iterable[PublishedPackage]) -> str:
    """An array of objects."""
    return f"{json.dumps([asdict(package) for package in packages], indent=2)}\n"


def copy_text(copied: PublishedCopy) -> str:
    """One line."""
    if not copied.packages:
        return "nothing is published yet\n"
    return f"{copied.packages} packages, {copied.size_bytes / (1 << 20):,.1f} MiB\n"


def copy_json(copied: PublishedCopy) -> str:
    """An object with `packages` and `size_bytes`."""
    return f"{json.dumps(asdict(copied))}\n"


def faults_text(faults: Sequence[Fault], *, mended: bool) -> str:
    """A line a fault."""
    if not faults:
        return "the database and the files agree\n"
    lines = [f"{fault.name} {fault.problem}{f'; {fault.mending}' if mended else ''}" for fault in faults]
    if not mended:
        lines.append(f"{len(faults)} wrong; --mend mends")
    return "".join(f"{line}\n" for line in lines)


def faults_json(faults: Sequence[Fault], *, mended: bool) -> str:
    """An object with `mended` and `faults`."""
    return f"{json.dumps({'mended': mended, 'faults': [asdict(fault) for fault in faults]}, indent=2)}\n"


def _change_line(change: PackageChange) -> str:
    if change.old is None:
        return f"{change.name} {change.new} added"
    if change.new is None:
        return f"{change.name} {change.old} removed"
    return f"{change.name} {change.old} -> {change.new}"
