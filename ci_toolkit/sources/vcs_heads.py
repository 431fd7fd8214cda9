"""Heads of the repositories that VCS packages build from: whoever moved is to be built again."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from ci_toolkit.errors import ConfigError, UpstreamError
from ci_toolkit.formats.source_url import GitRemote, VcsSource, parse_git_url
from ci_toolkit.model.observation import CouldNotAsk, Head, HeadOutcome
from ci_toolkit.model.vcs import followed
from ci_toolkit.sources.github_heads import github_heads

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ci_toolkit.model.names import Oid, Pkgbase
    from ci_toolkit.model.package import Package
    from ci_toolkit.sources.spec import SourceTools


def observe_heads(packages: Iterable[Package], tools: SourceTools) -> dict[Pkgbase, HeadOutcome]:
    """One outcome a package; each distinct repository is asked once, for all the branches that are followed."""
    outcomes, followers = _sort_out(packages, tools)
    known = github_heads(followers, tools)

    def ask(remote: GitRemote) -> dict[str, Oid] | UpstreamError:
        try:
            return known[remote] if remote in known else tools.heads.ask(remote, followers[remote])
        except UpstreamError as error:
            return error
        finally:
            for pkgbase in chain.from_iterable(followers[remote].values()):
                tools.done(pkgbase)

    for remote, answer in zip(followers, tools.pool.map(ask, followers), strict=True):
        for ref, pkgbases in followers[remote].items():
            outcomes.update(dict.fromkeys(pkgbases, _outcome(remote, ref, answer)))
    return outcomes


def _sort_out(
    packages: Iterable[Package], tools: SourceTools
) -> tuple[dict[Pkgbase, HeadOutcome], dict[GitRemote, dict[str, list[Pkgbase]]]]:
    """Outcomes that need no asking, and who follows which ref of which repository."""
    outcomes: dict[Pkgbase, HeadOutcome] = {}
    followers: dict[GitRemote, dict[str, list[Pkgbase]]] = {}
    for package in packages:
        target = followed(package)
        if isinstance(target, VcsSource):
            try:
                remote = parse_git_url(target.url, allow_local=tools.settings.allow_local_upstreams)
            except ConfigError as error:
                outcomes[package.pkgbase] = CouldNotAsk(reason=f"its git source {error.what}")
            else:
                followers.setdefault(remote, {}).setdefault(_ref(target), []).append(package.pkgbase)
                continue
        else:
            outcomes[package.pkgbase] = target
        if package.is_vcs:
            tools.done(package.pkgbase)
    return outcomes, followers


def _ref(source: VcsSource) -> str:
    return "HEAD" if source.fragment_kind is None else f"refs/heads/{source.fragment_value}"


def _outcome(remote: GitRemote, ref: str, answer: dict[str, Oid] | UpstreamError) -> HeadOutcome:
    if isinstance(answer, UpstreamError):
        return CouldNotAsk(reason=answer.what)
    commit = answer.get(ref)
    if commit is None:
        return CouldNotAsk(reason=f"{remote.url} has no {ref.removeprefix('refs/heads/')!r} to follow")
    return Head(commit=commit)
