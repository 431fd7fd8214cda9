"""What a repository is to contain next: decisions on values, which refuse what would do harm."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ci_toolkit.errors import NotReadyError, RefusedError
from ci_toolkit.formats.version import compare_versions
from ci_toolkit.model.names import nearest

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ci_toolkit.publishers.pacman.ledger import Ledger, PublishedPackage

_FEW = 10
_FORCE = "--force does it all the same"


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageChange:
    """One package: `old` or `new` version is None where it is added or removed."""

    name: str
    old: str | None
    new: str | None


def changes_between(
    old: Mapping[str, PublishedPackage], new: Mapping[str, PublishedPackage]
) -> tuple[PackageChange, ...]:
    """What differs, by name."""
    return tuple(
        PackageChange(
            name=name,
            old=old[name].version if name in old else None,
            new=new[name].version if name in new else None,
        )
        for name in sorted(old.keys() | new.keys())
        if old.get(name) != new.get(name)
    )


def with_added(
    ledger: Ledger, incoming: Mapping[str, PublishedPackage], *, base: str | None, force: bool
) -> dict[str, PublishedPackage]:
    """The packages with those that come in; with `base`, what that package base no longer makes is left out.

    RefusedError for a lower version, a package of another base, and for a name whose file has other content: clients
    and mirrors keep files by name, so a rebuild needs another pkgrel.
    """
    for package in incoming.values():
        if base is not None and package.base != base:
            raise RefusedError(f"is made from {package.base}, and {base} was to be published", key=package.name)
        _check_content(ledger, package)
        if not force and package.name in ledger.packages:
            _check_order(ledger.packages[package.name], package)
    kept = {name: package for name, package in ledger.packages.items() if base is None or package.base != base}
    return kept | dict(incoming)


def without(ledger: Ledger, names: Iterable[str], *, force: bool) -> dict[str, PublishedPackage]:
    """The packages without those of these names, package bases or packages.

    NotReadyError for a name that is not there; RefusedError when more than half would go, which a bad merge causes.
    """
    gone: set[str] = set()
    bases = {package.base for package in ledger.packages.values()}
    for name in names:
        found = {package.name for package in ledger.packages.values() if name in {package.base, package.name}}
        if not found:
            raise NotReadyError(
                "is not published", key=name, hint=nearest(name, ledger.packages.keys() | bases) or None
            )
        gone |= found
    if not force and len(gone) > max(_FEW, len(ledger.packages) // 2):
        raise RefusedError(f"{len(gone)} of {len(ledger.packages)} packages would be gone", hint=_FORCE)
    return {name: package for name, package in ledger.packages.items() if name not in gone}


def with_earlier(ledgers: Iterable[Ledger], current: Ledger, name: str) -> dict[str, PublishedPackage]:
    """The packages with the newest version of `name` that is older than the published one, if it is published."""
    earlier: list[PublishedPackage] = []
    published = current.packages.get(name)
    for ledger in (*ledgers, current):
        candidates = [*ledger.packages.values(), *(old.package for old in ledger.retired)]
        earlier += [
            package
            for package in candidates
            if package.name == name and (published is None or compare_versions(package.version, published.version) < 0)
        ]
    if not earlier:
        raise NotReadyError("has no earlier version that is still kept", key=name)
    best = earlier[0]
    for package in earlier[1:]:
        if compare_versions(package.version, best.version) > 0:
            best = package
    return {**current.packages, name: best}


def _check_order(old: PublishedPackage, new: PublishedPackage) -> None:
    if compare_versions(new.version, old.version) < 0:
        raise RefusedError(f"{new.version} is lower than {old.version}, which is published", key=new.name, hint=_FORCE)
    if new.base != old.base:
        raise RefusedError(f"comes from {new.base}, and is published from {old.base}", key=new.name, hint=_FORCE)


def _check_content(ledger: Ledger, new: PublishedPackage) -> None:
    known = [*ledger.packages.values(), *(old.package for old in ledger.retired)]
    if any(package.file == new.file and package.sha256 != new.sha256 for package in known):
        raise RefusedError(
            "was published with another content", key=new.file, hint="raise pkgrel: others keep files by their name"
        )
