"""Packages of our own that builds can have: what is published, and what was built since and will be."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ci_toolkit.model.names import Pkgbase
    from ci_toolkit.scheduling.built_with import AvailablePackage


class PackagesAtHand:
    """By name; `available` are those to build with, `published` those that clients have.

    `refused` are package bases of which something was built and not published, so that nothing is that was built
    against it.
    """

    def __init__(self, published: Iterable[AvailablePackage]) -> None:
        self.published: Mapping[str, AvailablePackage] = {package.name: package for package in published}
        self.available: Mapping[str, AvailablePackage] = dict(self.published)
        self.refused: frozenset[str] = frozenset()

    @property
    def published_bases(self) -> frozenset[Pkgbase]:
        """The package bases of what is published."""
        return frozenset(package.base for package in self.published.values())  # type: ignore[misc]  # they are names

    def take_up(self, packages: tuple[AvailablePackage, ...]) -> None:
        """From now on these are built with, and nothing else that their package base made before."""
        for base in {package.base for package in packages}:
            self.available = _without(self.available, base)
        self.available = {**self.available, **{package.name: package for package in packages}}

    def publish(self, base: str, packages: tuple[AvailablePackage, ...]) -> None:
        """These are what a package base has published now."""
        self.refused -= {base}
        self.published = {**_without(self.published, base), **{package.name: package for package in packages}}

    def refuse(self, base: str) -> None:
        """What was built of a package base is not published: what is, is built with again."""
        self.refused |= {base}
        self.drop_built(base)

    def drop_built(self, base: str) -> None:
        """What was built of a package base is of no use: what is published of it is built with again."""
        kept = {name: package for name, package in self.published.items() if package.base == base}
        self.available = {**_without(self.available, base), **kept}

    def remove(self, base: str) -> bool:
        """Nothing of a package base is published, nor built with, any more; whether there was something."""
        was_there = base in self.published_bases
        self.published = _without(self.published, base)
        self.available = _without(self.available, base)
        return was_there

    def are_published(self, packages: Iterable[AvailablePackage]) -> bool:
        """Whether these, and no others of their package base, are what is published, byte for byte."""
        made = {package.name: package.sha256 for package in packages}
        bases = {package.base for package in packages}
        return made == {one.name: one.sha256 for one in self.published.values() if one.base in bases}


def _without(packages: Mapping[str, AvailablePackage], base: str) -> dict[str, AvailablePackage]:
    return {name: package for name, package in packages.items() if package.base != base}
