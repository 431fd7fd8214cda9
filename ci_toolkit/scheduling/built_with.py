"""Which packages of our own are installed for a build: those that are needed, and what they need in turn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ci_toolkit.scheduling.dependencies import dependency_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ci_toolkit.formats.srcinfo import SrcInfo

_NEEDED = ("depends", "makedepends", "checkdepends")


@dataclass(frozen=True, slots=True, kw_only=True)
class AvailablePackage:
    """A package of our own that a build can have: `place` is the path of its file, whatever that is called there."""

    name: str
    base: str
    version: str
    file: str
    sha256: str
    place: str
    provides: tuple[str, ...]
    depends: tuple[str, ...]


def needed_names(srcinfo: SrcInfo, architecture: str) -> tuple[str, ...]:
    """What has to be there to build and check a package, without versions, and without what it makes itself."""
    keys = [key for kind in _NEEDED for key in (kind, f"{kind}_{architecture}")]
    found = {
        dependency_name(value)
        for section in (srcinfo.base, *srcinfo.packages)
        for key in keys
        for value in section.values(key)
    }
    return tuple(sorted(found - set(srcinfo.names)))


def built_with(names: Iterable[str], available: Mapping[str, AvailablePackage]) -> tuple[AvailablePackage, ...]:
    """The packages to install, by name; what none of `available` is or provides is the machine's to have."""
    providers: dict[str, str] = {}
    for package in sorted(available.values(), key=lambda package: package.name, reverse=True):
        providers.update((dependency_name(text), package.name) for text in package.provides)
    providers.update((name, name) for name in available)
    found: dict[str, AvailablePackage] = {}
    waiting = list(names)
    while waiting:
        provider = providers.get(dependency_name(waiting.pop()))
        if provider is not None and provider not in found:
            found[provider] = available[provider]
            waiting += available[provider].depends
    return tuple(found[name] for name in sorted(found))
