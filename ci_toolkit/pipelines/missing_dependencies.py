"""What new packages need that nobody here and no package database has: found in the AUR, one step after the other."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ci_toolkit.errors import ConfigError, RefusedError, UpstreamError
from ci_toolkit.model.additions import DependencyTree, Need
from ci_toolkit.review.official import offered_names
from ci_toolkit.scheduling.dependencies import dependency_name
from ci_toolkit.sources.databases import database_name, observe_databases

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from ci_toolkit.formats.aur_metadata import AurListing
    from ci_toolkit.formats.srcinfo import SrcInfo
    from ci_toolkit.model.names import Pkgbase
    from ci_toolkit.model.package import Snapshot
    from ci_toolkit.sources.aur_directory import AurDirectory
    from ci_toolkit.sources.spec import SourceTools

_KINDS = ("depends", "makedepends", "checkdepends")
MOST_PACKAGES = 500
"""More packages than this belong to no package that somebody needs."""
# What a stranger writes as a name that none can be is nobody's, and is not repeated in a log.
_NAME = re.compile(r"[A-Za-z0-9@_+][A-Za-z0-9@._+-]{0,254}")


def needs_of(srcinfo: SrcInfo) -> frozenset[str]:
    """Everything that must be installed to build, check or run a package, of all architectures, without versions."""
    values = (
        value
        for section in (srcinfo.base, *srcinfo.packages)
        for kind in _KINDS
        for _, value in section.values_all_arch(kind)
    )
    return frozenset(_names(values))


def official_names(tools: SourceTools) -> frozenset[str]:
    """All names that the package databases offer; without knowing them everything would be missing.

    ConfigError when there are no databases, UpstreamError when one cannot be read.
    """
    urls = tools.settings.lib_databases
    report = observe_databases(tools, {database_name(url) for url in urls})
    if report is None:
        hint = "--with-deps needs it: the URLs of core.db, extra.db and your own database"
        problem = "is not set, so it is not known which official packages there are"
        raise ConfigError(problem, key="CI_LIB_DB", hint=hint)
    unread = {database_name(url) for url in urls} - report.official.keys()
    # One that could be read and is empty offers no names either.
    if unread and report.problems:
        raise UpstreamError(f"which official packages there are is not known: {'; '.join(report.problems)}")
    return frozenset().union(*report.official.values())


def own_names(snapshot: Snapshot) -> frozenset[str]:
    """All names that the packages of the repository offer."""
    return offered_names(package.srcinfo for package in snapshot.packages.values() if package.srcinfo)


@dataclass(frozen=True, slots=True, kw_only=True)
class DependencySearch:
    """`here` are the names that are not missing."""

    directory: AurDirectory
    here: frozenset[str]

    def tree(self, roots: Mapping[Pkgbase, SrcInfo]) -> DependencyTree:
        """What has to come with `roots`; RefusedError where several packages provide a dependency and none is it."""
        here = self.here | offered_names(roots.values())
        needs: dict[Pkgbase, tuple[Need, ...]] = {}
        unknown: dict[Pkgbase, tuple[str, ...]] = {}
        missing = {pkgbase: needs_of(srcinfo) - here for pkgbase, srcinfo in roots.items()}
        seen = set(roots)
        while missing:
            wanted = frozenset().union(*missing.values())
            providers = self._chosen(wanted, missing, seen)
            for pkgbase, names in missing.items():
                needs[pkgbase] = tuple(
                    Need(name=name, pkgbase=providers[name]) for name in sorted(names) if name in providers
                )
                unknown[pkgbase] = tuple(sorted(names - providers.keys()))
            new = set(providers.values()) - seen
            seen |= new
            if len(seen) - len(roots) > MOST_PACKAGES:
                raise RefusedError(f"more than {MOST_PACKAGES} packages would have to come with it")
            packages = self.directory.packages_of(new)
            missing = {pkgbase: frozenset(_needed(packages.get(pkgbase, ())) - here) for pkgbase in sorted(new)}
        return DependencyTree(
            roots=tuple(roots), needs=needs, unknown={pkgbase: names for pkgbase, names in unknown.items() if names}
        )

    def _chosen(
        self, wanted: Collection[str], missing: Mapping[Pkgbase, Collection[str]], seen: Collection[Pkgbase]
    ) -> dict[str, Pkgbase]:
        """The package for each dependency that the AUR has; what comes anyway is preferred among those that provide."""
        found = self.directory.providers(wanted)
        chosen = {name: one.exact for name, one in sorted(found.items()) if one.exact is not None}
        coming = {*seen, *chosen.values()}
        doubts: list[str] = []
        for name in sorted(found.keys() - chosen.keys()):
            others = [pkgbase for pkgbase in found[name].others if pkgbase in coming] or found[name].others
            if len(others) > 1 and others[0] not in coming:
                needing = ", ".join(sorted(pkgbase for pkgbase, names in missing.items() if name in names))
                doubts.append(f"{needing} needs {name}, which {', '.join(others)} provide")
            chosen[name] = others[0]
            coming.add(others[0])
        if doubts:
            raise RefusedError("; ".join(doubts), hint="nothing was added; name the one you want, too")
        return chosen


def _needed(packages: Iterable[AurListing]) -> set[str]:
    """What a package base needs and does not have itself."""
    listed = tuple(packages)
    own = {dependency_name(text) for one in listed for text in (one.name, *one.provides)}
    return _names(text for one in listed for text in one.needs) - own


def _names(texts: Iterable[str]) -> set[str]:
    return {name for text in texts if _NAME.fullmatch(name := dependency_name(text))}
