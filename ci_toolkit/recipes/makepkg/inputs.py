"""What goes into a build with makepkg, found out without running anything of the package."""

from __future__ import annotations

import platform
import re
from typing import TYPE_CHECKING

from ci_toolkit.errors import FormatError, UpstreamError
from ci_toolkit.formats.source_url import parse_vcs_source
from ci_toolkit.formats.srcinfo import SrcInfo
from ci_toolkit.model.build_identity import BuildInputs, build_settings, files_digest
from ci_toolkit.recipes.build_sources import remote_sources
from ci_toolkit.recipes.makepkg.interference import bumped_release, written_srcinfo
from ci_toolkit.recipes.spec import PackageFacts
from ci_toolkit.scheduling.built_with import needed_names

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ci_toolkit.model.observation import UpstreamFile
    from ci_toolkit.model.package_config import PackageConfig
    from ci_toolkit.model.root_identity import RootIdentity
    from ci_toolkit.recipes.build_sources import SourceFetcher
    from ci_toolkit.scheduling.built_with import AvailablePackage

RECIPE = "makepkg 1"
"""The recipe's name, with a number that grows when the same inputs make something else than before."""
_PKGVER_FUNCTION = re.compile(rb"\bpkgver\s*\(")


def package_facts(files: Mapping[str, UpstreamFile], config: PackageConfig) -> PackageFacts:
    """By `.SRCINFO`, which may be missing or wrong: then a build finds out itself what it lacks."""
    try:
        srcinfo = SrcInfo.parse(files[".SRCINFO"].content, file=".SRCINFO")
    except (FormatError, KeyError):
        return PackageFacts(needed=(), names=(), version=None)
    needed = needed_names(srcinfo, platform.machine())
    certain = written_srcinfo(files)
    if certain is None or _computes_version(files):
        return PackageFacts(needed=needed, names=srcinfo.names, version=None)
    release = bumped_release(config.bump, certain) if config.bump and not config.manage_aur else None
    version = certain.version if release is None else f"{certain.version.rpartition('-')[0]}-{release}"
    return PackageFacts(needed=needed, names=srcinfo.names, version=version)


def build_inputs(
    files: Mapping[str, UpstreamFile],
    config: PackageConfig,
    *,
    root: RootIdentity,
    built_with: tuple[AvailablePackage, ...],
    fetcher: SourceFetcher,
) -> BuildInputs | None:
    """All that goes into a build; None where nobody can tell, so that it is always made.

    That is so with the network, with sources that have no checksum and are no git repositories, and where the owner's
    hooks may ask the time or anything else.
    """
    heads = None if config.network else _heads(files, fetcher)
    if heads is None:
        return None
    return BuildInputs(
        recipe=RECIPE,
        root=root,
        architecture=platform.machine(),
        files=files_digest(files),
        settings=build_settings(config),
        built_with={f"{package.name} {package.version}": package.sha256 for package in built_with},
        heads=heads,
    )


def _heads(files: Mapping[str, UpstreamFile], fetcher: SourceFetcher) -> dict[str, str] | None:
    try:
        srcinfo = SrcInfo.parse(files[".SRCINFO"].content, file=".SRCINFO")
        heads = {}
        for source in remote_sources(srcinfo, platform.machine()):
            if parse_vcs_source(source.text) is not None:
                heads[source.text] = fetcher.head(source)
            elif not source.sums:
                return None
    except (FormatError, KeyError, UpstreamError):
        return None
    return heads


def _computes_version(files: Mapping[str, UpstreamFile]) -> bool:
    return _PKGVER_FUNCTION.search(files["PKGBUILD"].content) is not None
