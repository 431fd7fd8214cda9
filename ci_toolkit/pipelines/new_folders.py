"""Folders of packages that are to be added, fetched from where each wish says it comes from."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ci_toolkit.errors import ConfigError, FormatError, ToolkitError, UpstreamError, shortened
from ci_toolkit.formats.srcinfo import SrcInfo
from ci_toolkit.formats.version import is_version_text
from ci_toolkit.model.additions import AUR, Wish
from ci_toolkit.model.names import Oid, Pkgbase, nearest
from ci_toolkit.model.observation import Absent, CannotMake, CouldNotAsk, Lagging, Moved, Unusable
from ci_toolkit.model.package import Package
from ci_toolkit.model.package_config import PackageConfig
from ci_toolkit.plugins import source_for
from ci_toolkit.sources.aur_lookup import AurPackage, AurTools, fetch_aur_packages
from ci_toolkit.sources.spec import SourceRequest

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from ci_toolkit.model.observation import NewVersion, SourceOutcome, UpstreamFile
    from ci_toolkit.sources.spec import Source, SourceTools

log = logging.getLogger(__name__)

_NOTHING_THERE = "brings no files that could be added"
_BY_HAND = "put its folder into the repository, with CI_PKGBUILD_SOURCE={source} in .CI/config"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewFolder:
    """A package as its upstream has it; `fault` says why it must not be taken: then there are no files and `.SRCINFO`.

    `wish` is what was asked for, which may have been a package of this package base.
    """

    wish: Wish
    pkgbase: Pkgbase
    revision: str
    files: Mapping[str, UpstreamFile]
    srcinfo: SrcInfo | None = None
    fault: str | None = None
    maintainers: tuple[str, ...] | None = None
    link: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderFetcher:
    """Asks the kinds of sources as if they were asked about a package of which nothing is known."""

    sources: Sequence[Source]
    tools: SourceTools
    aur: AurTools

    def fetch(self, wishes: Iterable[Wish], *, are_bases: bool = False) -> dict[Wish, NewFolder | ToolkitError]:
        """A folder for every wish, or why there is none: ConfigError where there is nothing to be had.

        `are_bases`: names of the AUR are those of package bases and not of packages.
        """
        listed = tuple(wishes)
        found: dict[Wish, NewFolder | ToolkitError] = {}
        by_kind: dict[Source, list[Wish]] = {}
        for wish in (wish for wish in listed if wish.source != AUR):
            kind = source_for(wish.source, self.sources)
            if kind is None:
                hint = nearest(wish.source, [source.name for source in self.sources]) or None
                found[wish] = ConfigError("names no kind of source", package=wish.pkgbase, got=wish.source, hint=hint)
            else:
                by_kind.setdefault(kind, []).append(wish)
        for kind, some in by_kind.items():
            report = kind.observe([_request(wish) for wish in some], self.tools)
            found.update({wish: _folder(wish, report.outcomes.get(wish.pkgbase)) for wish in some})
        found.update(self._from_aur([wish for wish in listed if wish.source == AUR], are_bases=are_bases))
        return {wish: _checked(found[wish]) for wish in listed}

    def _from_aur(self, wishes: Sequence[Wish], *, are_bases: bool) -> dict[Wish, NewFolder | ToolkitError]:
        try:
            packages = fetch_aur_packages([wish.pkgbase for wish in wishes], self.aur, are_bases=are_bases)
        except UpstreamError as error:
            return {wish: UpstreamError(error.what, package=wish.pkgbase) for wish in wishes}
        return {wish: _of_aur(wish, packages[wish.pkgbase]) for wish in wishes}


def _of_aur(wish: Wish, found: AurPackage | ToolkitError) -> NewFolder | ToolkitError:
    if isinstance(found, ToolkitError):
        return found
    if found.is_behind:
        log.warning("the AUR announces a later change of %s than its mirror has; that comes later", found.pkgbase)
    return NewFolder(
        wish=wish,
        pkgbase=found.pkgbase,
        revision=found.revision,
        files=found.files,
        fault=found.fault,
        maintainers=found.maintainers,
    )


def _request(wish: Wish) -> SourceRequest:
    """What a kind is asked about a package that is only to be."""
    config = PackageConfig(source=wish.source)
    package = Package(pkgbase=wish.pkgbase, tree=Oid(""), files={}, config=config, srcinfo=None)
    return SourceRequest(package=package, text=wish.source, revision=None, timestamp_s=None, is_new=True)


def _folder(wish: Wish, outcome: SourceOutcome | NewVersion | None) -> NewFolder | ToolkitError:
    match outcome:
        case Moved():
            return NewFolder(
                wish=wish,
                pkgbase=wish.pkgbase,
                revision=outcome.revision,
                files=outcome.files,
                maintainers=outcome.maintainers,
                link=outcome.link,
            )
        case Unusable():
            return NewFolder(wish=wish, pkgbase=wish.pkgbase, revision=outcome.revision, files={}, fault=outcome.reason)
        case CouldNotAsk() | Lagging() | CannotMake():
            return UpstreamError(outcome.reason, package=wish.pkgbase)
        case Absent():
            return ConfigError(outcome.reason, package=wish.pkgbase)
    hint = _BY_HAND.format(source=wish.source)
    return ConfigError(_NOTHING_THERE, package=wish.pkgbase, key=wish.source, hint=hint)


def _checked(found: NewFolder | ToolkitError) -> NewFolder | ToolkitError:
    """The folder with what `.SRCINFO` says, unless it is another package's than it would be called after."""
    if isinstance(found, ToolkitError) or found.fault:
        return found
    try:
        srcinfo = SrcInfo.parse(found.files[".SRCINFO"].content, file=".SRCINFO")
    except FormatError as error:
        return replace(found, files={}, fault=str(error))
    if not is_version_text(srcinfo.pkgver):
        return replace(found, files={}, fault=f".SRCINFO: {srcinfo.pkgver!r} is no version")
    if srcinfo.pkgbase != found.pkgbase:
        hint = f"write {srcinfo.pkgbase}/{found.wish.source}"
        problem = f"is called {shortened(srcinfo.pkgbase)} there, as its .SRCINFO says"
        return ConfigError(problem, package=found.pkgbase, hint=hint)
    return replace(found, srcinfo=srcinfo)
