"""One AUR package on its own, as a person asks for it: what its newest revision holds, and whose it is."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

from ci_toolkit.effects.json_answers import read_json
from ci_toolkit.errors import ConfigError, UpstreamError
from ci_toolkit.formats.source_url import parse_git_url
from ci_toolkit.model.names import Pkgbase, is_pkgbase, parse_pkgbase
from ci_toolkit.sources.package_folder import read_folders

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ci_toolkit.effects.remote_heads import RemoteHeads
    from ci_toolkit.effects.upstream_cache import UpstreamCache
    from ci_toolkit.effects.web import Web
    from ci_toolkit.model.names import Oid
    from ci_toolkit.model.observation import UpstreamFile
    from ci_toolkit.model.settings import Settings

log = logging.getLogger(__name__)

_LIMIT_BYTES = 1 << 20
# A commit may be made this long before the AUR takes it.
_SAME_S = 3_600


@dataclass(frozen=True, slots=True, kw_only=True)
class AurTools:
    """What it takes to ask the AUR: its interface, and the git mirror that has a branch a package base."""

    web: Web
    heads: RemoteHeads
    upstreams: UpstreamCache
    settings: Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class AurPackage:
    """The newest revision; `fault` says why it must not be taken, and then `files` is empty.

    `maintainers` None: the interface could not be asked. `is_behind`: the AUR announces a
    later change than the mirror has.
    """

    pkgbase: Pkgbase
    revision: Oid
    files: Mapping[str, UpstreamFile]
    fault: str | None
    maintainers: tuple[str, ...] | None
    is_behind: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class _Announced:
    pkgbase: Pkgbase
    modified_s: int
    maintainers: tuple[str, ...]


def fetch_aur_package(name: str, tools: AurTools) -> AurPackage:
    """The package base `name`, or the one that package `name` belongs to.

    ConfigError when the AUR has neither, UpstreamError when it cannot be asked.
    """
    announced = _announced(parse_pkgbase(name), tools)
    pkgbase = announced.pkgbase if announced else Pkgbase(name)
    remote = parse_git_url(tools.settings.aur_git_url, allow_local=tools.settings.allow_local_upstreams)
    ref = f"refs/heads/{pkgbase}"
    head = tools.heads.ask(remote, [ref]).get(ref)
    if head is None and announced:
        raise UpstreamError(f"the AUR has {pkgbase}, but its mirror {remote.url} does not yet", hint="try again later")
    if head is None:
        raise ConfigError("the AUR has no such package", got=name)
    with tools.upstreams.fetched(remote, {ref: head}) as fetched:
        if ref in fetched.failures:
            raise UpstreamError(f"{remote.url} cannot be fetched: {fetched.failures[ref]}")
        folder = read_folders(fetched.repository, [head])[head]
    if isinstance(folder, UpstreamError):
        raise folder
    return AurPackage(
        pkgbase=pkgbase,
        revision=head,
        files=folder.files,
        fault=folder.fault,
        maintainers=announced.maintainers if announced else None,
        is_behind=announced is not None and announced.modified_s > folder.committed_s + _SAME_S,
    )


def _announced(name: Pkgbase, tools: AurTools) -> _Announced | None:
    """What the AUR's interface says; None when it has no package of that name or cannot be asked."""
    url = f"{tools.settings.aur_api_url}?arg%5B%5D={quote(name, safe='')}"
    try:
        answer = read_json(tools.web.get(url, limit_bytes=_LIMIT_BYTES, kind="api"))
    except UpstreamError as error:
        log.warning("who maintains %s is not known: %s", name, error.what)
        return None
    match answer:
        case {"results": [{"PackageBase": str(base), "LastModified": int(modified_s), **rest}, *_]} if is_pkgbase(base):
            others = rest.get("CoMaintainers") or []
            people = [rest.get("Maintainer"), *(others if isinstance(others, list) else [])]
            maintainers = tuple(person for person in people if isinstance(person, str) and person)
            return _Announced(pkgbase=Pkgbase(base), modified_s=modified_s, maintainers=maintainers)
    return None
