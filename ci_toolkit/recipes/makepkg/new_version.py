"""A package folder for a version that its upstream announced: PKGBUILD set, files hashed, `.SRCINFO` made."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field, replace
from threading import Lock
from typing import TYPE_CHECKING

from ci_toolkit.errors import FormatError, ToolkitError, UpstreamError
from ci_toolkit.formats.checksums import KINDS, SKIP, digest
from ci_toolkit.formats.pkgbuild import Pkgbuild
from ci_toolkit.formats.source_url import parse_vcs_source
from ci_toolkit.formats.srcinfo import SrcInfo
from ci_toolkit.model.observation import CannotMake, Moved
from ci_toolkit.recipes.makepkg.program import MakepkgMissingError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from ci_toolkit.effects.downloads import Downloads
    from ci_toolkit.model.observation import NewVersion, UpstreamFile
    from ci_toolkit.recipes.makepkg.program import Makepkg

log = logging.getLogger(__name__)

_COMMIT_VARIABLE = "_commit"
_TIME_LIMIT_S = 600.0  # for all downloads of one package; what came by then is kept for the next run


@dataclass(frozen=True, slots=True, kw_only=True)
class NewVersionMaker:
    """Makes the files of new versions; makepkg runs in the sandbox, downloads are our own."""

    makepkg: Makepkg
    downloads: Downloads
    _told: list[str] = field(default_factory=list)
    _lock: Lock = field(default_factory=Lock, repr=False)

    def make(self, announced: NewVersion, files: Mapping[str, UpstreamFile], srcinfo: SrcInfo) -> Moved | CannotMake:
        """The folder `files`, which is at the version of `srcinfo`, as it has to be for the announced one."""
        try:
            return self._made(announced, files, srcinfo)
        except MakepkgMissingError as error:
            self._tell_once(error.what)
            return CannotMake(version=announced.version, reason="makepkg is not installed here")
        except ToolkitError as error:
            return CannotMake(version=announced.version, reason=error.what_and_where)

    def _tell_once(self, text: str) -> None:
        with self._lock:
            if text not in self._told:
                self._told.append(text)
                log.warning("%s; packages with a new version stay due", text)

    def _made(self, announced: NewVersion, files: Mapping[str, UpstreamFile], srcinfo: SrcInfo) -> Moved:
        pkgbuild = _with_version(Pkgbuild.parse(files["PKGBUILD"].content), announced, srcinfo.pkgver, files)
        draft = {**files, "PKGBUILD": replace(files["PKGBUILD"], content=pkgbuild.to_bytes())}
        printed = self.makepkg.srcinfo(draft)
        coming = SrcInfo.parse(printed, file="what makepkg says")
        if coming.pkgver != announced.version:
            raise UpstreamError(f"PKGBUILD says version {coming.pkgver} after it was set to {announced.version}")
        sums = self._sums(coming, srcinfo, files, self.downloads.web.deadline_in(_TIME_LIMIT_S))
        if sums:
            pkgbuild = pkgbuild.with_sums(sums)
            printed = _with_sums(printed, sums)
            SrcInfo.parse(printed, file=".SRCINFO")
        made = {
            **files,
            "PKGBUILD": replace(files["PKGBUILD"], content=pkgbuild.to_bytes()),
            ".SRCINFO": replace(files[".SRCINFO"], content=printed),
        }
        return Moved(
            revision=announced.revision,
            files=made,
            formatted=None,
            evaluated=printed,
            link=announced.link,
            review=announced.review,
        )

    def _sums(
        self, coming: SrcInfo, before: SrcInfo, files: Mapping[str, UpstreamFile], deadline: float
    ) -> dict[str, list[str]]:
        """The arrays of checksums that change, by name."""
        changed = {}
        for key in coming.base.keys():  # noqa: SIM118 - it is no mapping
            kind, found, architecture = key.partition("sums")
            if not found or (architecture and not architecture.startswith("_")):
                continue
            sources = coming.base.values(f"source{architecture}")
            old = coming.base.values(key)
            if len(sources) != len(old):
                raise UpstreamError(f"{key} has {len(old)} values for {len(sources)} sources")
            known = dict(zip(before.base.values(f"source{architecture}"), before.base.values(key), strict=False))
            new = [
                value if value == SKIP or known.get(source) == value else self._sum(source, kind, files, deadline)
                for source, value in zip(sources, old, strict=True)
            ]
            if new != list(old):
                changed[key] = new
        return changed

    def _sum(self, source: str, kind: str, files: Mapping[str, UpstreamFile], deadline: float) -> str:
        if kind not in KINDS:
            raise UpstreamError(f"{kind}sums cannot be made; sha256sums or b2sums can")
        if parse_vcs_source(source) is not None:
            raise UpstreamError(f"{source} has a checksum that only a checkout could confirm; write SKIP")
        name, colons, url = source.partition("::")
        url = url if colons else name
        if "://" not in url:
            if url not in files:
                raise UpstreamError(f"its source {url} is not in the folder")
            return digest(files[url].content, kind)
        if not url.startswith(("https://", "http://")):
            raise UpstreamError(f"{url.partition('://')[0]}:// is not downloaded; only https and http are")
        return self.downloads.sums(url, [kind], deadline=deadline)[kind]


def _with_version(pkgbuild: Pkgbuild, announced: NewVersion, old_version: str, local: Collection[str]) -> Pkgbuild:
    """PKGBUILD with the new version, release 1 and commit."""
    if old_version != announced.version:
        pkgbuild = pkgbuild.with_scalar("pkgver", announced.version)
        pkgbuild = pkgbuild.with_literal_in_sources(old_version, announced.version, kept=local)
    pkgbuild = pkgbuild.with_scalar("pkgrel", "1")
    old_commit = pkgbuild.literal(_COMMIT_VARIABLE)
    if announced.commit is not None and pkgbuild.is_set(_COMMIT_VARIABLE):
        pkgbuild = pkgbuild.with_scalar(_COMMIT_VARIABLE, announced.commit)
        if old_commit and len(old_commit) >= len(announced.commit):
            pkgbuild = pkgbuild.with_literal_in_sources(old_commit, announced.commit, kept=local)
    return pkgbuild


def _with_sums(printed: bytes, sums: Mapping[str, Sequence[str]]) -> bytes:
    """What makepkg printed, with other checksums: one line a value, in the same order."""
    left = {key: iter(values) for key, values in sums.items()}
    lines = []
    for line in printed.split(b"\n"):
        key, equals, _ = line.partition(b" = ")
        name = key.strip().decode()
        lines.append(key + equals + next(left[name]).encode() if equals and name in left else line)
    if any(next(values, None) is not None for values in left.values()):
        raise FormatError("does not list all checksums", file=".SRCINFO")
    return b"\n".join(lines)
