"""Single AUR packages, as a person asks for it: what its newest revision holds, and whose it is."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from ci_toolkit.effects.json_answers import read_json
from ci_toolkit.errors import ConfigError, ToolkitError, UpstreamError
from ci_toolkit.formats.source_url import parse_git_url
from ci_toolkit.model.names import Pkgbase, is_pkgbase, parse_pkgbase
from ci_toolkit.sources.aur_api import NAMES_A_REQUEST
from ci_toolkit.sources.package_folder import read_folders

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from ci_toolkit.effects.remote_heads import RemoteHeads
    from ci_toolkit.effects.upstream_cache import UpstreamCache
    from ci_toolkit.effects.web import Web
    from ci_toolkit.formats.source_url import GitRemote
    from ci_toolkit.model.names import Oid
    from ci_toolkit.model.observation import UpstreamFile
    from ci_toolkit.model.settings import Settings
    from ci_toolkit.sources.package_folder import Folder

log = logging.getLogger(__name__)

_LIMIT_BYTES = 8 << 20
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
    found = fetch_aur_packages([name], tools)[name]
    if isinstance(found, ToolkitError):
        raise found
    return found


def fetch_aur_packages(
    names: Iterable[str], tools: AurTools, *, are_bases: bool = False
) -> dict[str, AurPackage | ToolkitError]:
    """The same for several names, with a handful of requests in all; UpstreamError when the mirror cannot be asked.

    `are_bases`: what a package of another package base is called does not count.
    """
    wanted = [parse_pkgbase(name) for name in dict.fromkeys(names)]
    if not wanted:
        return {}
    announced = _announced(wanted, tools)
    if are_bases:
        announced = {name: one for name, one in announced.items() if one.pkgbase == name}
    bases = {name: announced[name].pkgbase if name in announced else name for name in wanted}
    remote = parse_git_url(tools.settings.aur_git_url, allow_local=tools.settings.allow_local_upstreams)
    heads = tools.heads.ask(remote, [_ref(base) for base in bases.values()])
    there = {_ref(base): heads[_ref(base)] for base in bases.values() if _ref(base) in heads}
    failures: Mapping[str, str] = {}
    folders: Mapping[Oid, Folder | UpstreamError] = {}
    if there:
        with tools.upstreams.fetched(remote, there) as fetched:
            failures = fetched.failures
            folders = read_folders(fetched.repository, [oid for ref, oid in there.items() if ref not in failures])
    found: dict[str, AurPackage | ToolkitError] = {}
    for name, base in bases.items():
        head, why = there.get(_ref(base)), failures.get(_ref(base))
        if head is None:
            found[name] = _missing(name, announced.get(name), remote)
        elif why is not None:
            found[name] = UpstreamError(f"{remote.url} cannot be fetched: {why}")
        else:
            found[name] = _package(base, head, folders[head], announced.get(name))
    return found


def _ref(pkgbase: Pkgbase) -> str:
    return f"refs/heads/{pkgbase}"


def _missing(name: Pkgbase, announced: _Announced | None, remote: GitRemote) -> ToolkitError:
    if announced is None:
        return ConfigError("the AUR has no such package", got=name)
    problem = f"the AUR has {announced.pkgbase}, but its mirror {remote.url} does not yet"
    return UpstreamError(problem, hint="try again later")


def _package(
    pkgbase: Pkgbase, head: Oid, folder: Folder | UpstreamError, announced: _Announced | None
) -> AurPackage | UpstreamError:
    if isinstance(folder, UpstreamError):
        return folder
    return AurPackage(
        pkgbase=pkgbase,
        revision=head,
        files=folder.files,
        fault=folder.fault,
        maintainers=announced.maintainers if announced else None,
        is_behind=announced is not None and announced.modified_s > folder.committed_s + _SAME_S,
    )


def names_in_aur(names: Iterable[str], tools: AurTools) -> frozenset[Pkgbase] | None:
    """Those of some package names that the AUR has; None when its interface cannot be asked."""
    try:
        return frozenset(_rows([Pkgbase(name) for name in names if is_pkgbase(name)], tools))
    except UpstreamError as error:
        log.info("%s", error.what)
        return None


def _announced(names: Sequence[Pkgbase], tools: AurTools) -> dict[Pkgbase, _Announced]:
    """What the AUR's interface says, by name of package; nothing of those that it does not have or cannot tell of."""
    try:
        return _rows(names, tools)
    except UpstreamError as error:
        log.warning("who maintains %s is not known: %s", ", ".join(names), error.what)
        return {}


def _rows(names: Sequence[Pkgbase], tools: AurTools) -> dict[Pkgbase, _Announced]:
    found: dict[Pkgbase, _Announced] = {}
    for start in range(0, len(names), NAMES_A_REQUEST):
        batch = names[start : start + NAMES_A_REQUEST]
        query = "&".join(f"arg%5B%5D={quote(name, safe='')}" for name in batch)
        url = f"{tools.settings.aur_api_url}?{query}"
        answer = read_json(tools.web.get(url, limit_bytes=_LIMIT_BYTES, kind="api"))
        rows = answer.get("results") if isinstance(answer, dict) else None
        for row in rows if isinstance(rows, list) else ():
            match row:
                case {"Name": str(name), "PackageBase": str(base), "LastModified": int(modified_s), **rest}:
                    if name in batch and is_pkgbase(base):
                        found[Pkgbase(name)] = _Announced(
                            pkgbase=Pkgbase(base), modified_s=modified_s, maintainers=_people(rest)
                        )
    return found


def _people(row: Mapping[Any, Any]) -> tuple[str, ...]:
    others = row.get("CoMaintainers") or []
    people = [row.get("Maintainer"), *(others if isinstance(others, list) else [])]
    return tuple(person for person in people if isinstance(person, str) and person)
