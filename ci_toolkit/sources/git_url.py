"""Packages whose folder is a git repository somewhere: followed by its default branch, fetched only when that moved."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, ClassVar

from ci_toolkit.errors import ConfigError, UpstreamError
from ci_toolkit.formats.source_url import GitRemote, parse_git_url
from ci_toolkit.model.observation import CouldNotAsk, Moved, SourceOutcome, SourceReport, Unmoved, Unusable
from ci_toolkit.sources.package_folder import Folder, read_folders

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ci_toolkit.model.names import Oid, Pkgbase
    from ci_toolkit.sources.spec import SourceRequest, SourceTools


_PART = re.compile(r"[A-Za-z0-9@_+.][A-Za-z0-9@._+-]*")


class GitUrlSource:
    """A git repository that holds one package at its top, or in the folder that `#path=` names."""

    name: ClassVar[str] = "git"

    def accepts(self, text: str) -> bool:
        """Anything that looks like a URL; whether it may be used is decided when it is asked."""
        return "://" in text

    def observe(self, requests: Sequence[SourceRequest], tools: SourceTools) -> SourceReport:
        """Ask every distinct URL once, and fetch once what moved for at least one package."""
        outcomes: dict[Pkgbase, SourceOutcome] = {}
        by_remote: dict[GitRemote, list[SourceRequest]] = {}
        for request in requests:
            try:
                url, _ = split_folder(request.text)
                remote = parse_git_url(url, allow_local=tools.settings.allow_local_upstreams)
            except ConfigError as error:
                outcomes[request.pkgbase] = CouldNotAsk(reason=f"CI_PKGBUILD_SOURCE {error.what}")
                tools.done(request.pkgbase)
            else:
                by_remote.setdefault(remote, []).append(request)

        def observe_one(remote: GitRemote) -> dict[Pkgbase, SourceOutcome]:
            found = _observe_remote(remote, by_remote[remote], tools)
            for request in by_remote[remote]:
                tools.done(request.pkgbase)
            return found

        for found in tools.pool.map(observe_one, by_remote):
            outcomes.update(found)
        return SourceReport(outcomes=outcomes)


def split_folder(text: str) -> tuple[str, str]:
    """URL and folder of `url#path=folder`, the folder empty without it; ConfigError for any other fragment."""
    url, mark, fragment = text.partition("#")
    if not mark:
        return text, ""
    key, _, path = fragment.partition("=")
    parts = path.strip("/").split("/")
    if key != "path" or not all(_PART.fullmatch(part) and part not in (".", "..") for part in parts):
        raise ConfigError("has a fragment that is not understood", got=fragment, hint="write #path=folder/in/it")
    return url, "/".join(parts)


def _observe_remote(
    remote: GitRemote, requests: Sequence[SourceRequest], tools: SourceTools
) -> dict[Pkgbase, SourceOutcome]:
    try:
        head = tools.heads.ask(remote, ["HEAD"]).get("HEAD")
        if head is None:
            reason = f"{remote.url} has no default branch"
            return {request.pkgbase: CouldNotAsk(reason=reason) for request in requests}
        moved = [request for request in requests if request.revision != head]
        folders: dict[tuple[str, bool], Folder | UpstreamError] = {}
        if moved:
            with tools.upstreams.fetched(remote, {"HEAD": head}) as fetched:
                for path, is_described in set(map(_wanted, moved)):
                    found = read_folders(fetched.repository, [head], path, is_described=is_described)
                    folders[path, is_described] = found[head]
    except UpstreamError as error:
        return {request.pkgbase: CouldNotAsk(reason=error.what) for request in requests}
    return {
        request.pkgbase: _outcome(head, folders[_wanted(request)]) if request in moved else Unmoved()
        for request in requests
    }


def _wanted(request: SourceRequest) -> tuple[str, bool]:
    """Which folder is read, and whether one without PKGBUILD will do."""
    return split_folder(request.text)[1], request.package.is_described


def _outcome(head: Oid, folder: Folder | UpstreamError) -> SourceOutcome:
    if isinstance(folder, UpstreamError):
        return CouldNotAsk(reason=folder.what)
    if folder.fault:
        return Unusable(revision=head, reason=folder.fault)
    return Moved(revision=head, files=folder.files, formatted=None)
