"""Rebuilds because a library has a new version: which packages they are for, and what is written to ask for them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ci_toolkit.formats.key_value import KeyValueFile
from ci_toolkit.formats.version import compare_versions
from ci_toolkit.formats.version_state import VersionState
from ci_toolkit.model.package_config import CONFIG_PATH

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ci_toolkit.model.observation import DatabaseReport
    from ci_toolkit.model.package import Package
    from ci_toolkit.model.settings import Settings

# A blank or a slash in a stranger's version could not be read back from a bump.
_BUILT = re.compile(r"(?P<base>[^\s/]+-[0-9]+)(?:\.(?P<count>[0-9]{1,9}))?")
_LIBRARY = ".so"


@dataclass(frozen=True, slots=True, kw_only=True)
class LibraryChange:
    """A package, or a shared library, that the databases now have in another version."""

    name: str
    old: str
    new: str

    def __str__(self) -> str:
        return f"{self.name} {self.old} → {self.new}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Libraries:
    """What the databases tell, and what of it changed since the state was written."""

    versions: Mapping[str, str]
    changed: Mapping[str, LibraryChange]

    @classmethod
    def compared(cls, report: DatabaseReport | None, known: bytes | None) -> Libraries:
        """Changes are only between what was known and what is: what is seen for the first time is a baseline."""
        before = VersionState.parse(known or b"")
        versions = report.versions if report else {}
        changed = {
            name: LibraryChange(name=name, old="/".join(before.versions[name]), new=version)
            for name, version in versions.items()
            if before.differs(name, version) and _matters(name, before.versions[name], version)
        }
        return cls(versions=versions, changed=changed)

    def triggers(self, package: Package, settings: Settings) -> tuple[LibraryChange, ...]:
        """Why a package is to be rebuilt; empty when it is not."""
        if not self.changed:
            return ()
        wanted = {*package.config.rebuild_triggers, *settings.rebuild_triggers, *_linked(package)}
        wanted -= {*settings.rebuild_blacklist, package.pkgbase}
        return tuple(self.changed[name] for name in sorted(wanted & self.changed.keys()))

    def bumped(self, package: Package) -> bytes | None:
        """`.CI/config` with a bump to the next release of what is published now; None: no version is known."""
        current = self._current(package)
        built = _BUILT.fullmatch(current) if current else None
        if built is None:
            return None
        base, count = built["base"], int(built["count"] or 0) + 1
        bump = package.config.bump
        if bump is not None and (bump.version is None or base in (f"{bump.version}-{bump.release}", bump.version)):
            count = max(count, bump.count + 1)
        file = package.config_file or KeyValueFile.empty(file=CONFIG_PATH)
        return file.with_value("CI_PACKAGE_BUMP", f"{base}/{count}").to_bytes()

    def _current(self, package: Package) -> str | None:
        """The version as it was built (a VCS package's is not in `.SRCINFO`), or as it will be if that is newer."""
        published = self.versions.get(package.pkgbase)
        if package.version is None or published is None:
            return published or package.version
        return published if compare_versions(published, package.version) >= 0 else package.version


def updated_versions(known: bytes | None, report: DatabaseReport | None) -> bytes | None:
    """`.version-state` after a run. A name that no database has any more stays: it may come back in another version."""
    if report is None or not report.versions:
        return known
    return VersionState.parse(known or b"").updated(report.versions, complete=False).to_bytes()


def _matters(name: str, old: tuple[str, ...], new: str) -> bool:
    """A shared library may be there in several versions; it breaks nobody as long as none of them goes."""
    return not name.endswith(_LIBRARY) or not {part for text in old for part in text.split(",")} <= set(new.split(","))


def _linked(package: Package) -> Iterable[str]:
    """Shared libraries that a package says it depends on, as `libx.so`."""
    if package.srcinfo is None:
        return
    for section in (package.srcinfo.base, *package.srcinfo.packages):
        for _, text in section.values_all_arch("depends"):
            name = re.split("[<>=]", text, maxsplit=1)[0]
            if name.endswith(_LIBRARY):
                yield name
