"""Heads of the repositories that VCS packages build from: whoever moved is to be built again."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ci_toolkit.errors import ConfigError, UpstreamError
from ci_toolkit.formats.source_url import GitRemote, VcsSource, parse_git_url
from ci_toolkit.model.observation import CouldNotAsk, FurtherHeads, Head, HeadOutcome, HeadReport, NotFollowed
from ci_toolkit.model.vcs import followed, further_followed
from ci_toolkit.sources.github_heads import github_heads

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ci_toolkit.model.names import Oid, Pkgbase
    from ci_toolkit.model.package import Package
    from ci_toolkit.sources.spec import SourceTools

_OTHER_THAN_GIT = "it has no git source"


@dataclass(frozen=True, slots=True)
class _Follower:
    """Who wants to know a head: a package, for its one git source (no key) or for another one of its sources."""

    pkgbase: Pkgbase
    key: str | None = None


@dataclass(slots=True)
class _Work:
    """Who follows what, and what is found out."""

    git: dict[GitRemote, dict[str, list[_Follower]]] = field(default_factory=dict)
    foreign: dict[VcsSource, list[_Follower]] = field(default_factory=dict)
    heads: dict[Pkgbase, HeadOutcome] = field(default_factory=dict)
    revisions: dict[Pkgbase, dict[str, str]] = field(default_factory=dict)
    labels: dict[Pkgbase, dict[str, str]] = field(default_factory=dict)
    problems: dict[Pkgbase, list[str]] = field(default_factory=dict)

    def found(self, follower: _Follower, answer: str | UpstreamError) -> None:
        """An answer, or why there is none."""
        if isinstance(answer, UpstreamError):
            if follower.key is None:
                self.heads[follower.pkgbase] = CouldNotAsk(reason=answer.what)
            else:
                self.problems.setdefault(follower.pkgbase, []).append(answer.what)
        elif follower.key is not None:
            self.revisions.setdefault(follower.pkgbase, {})[follower.key] = answer


def observe_heads(packages: Iterable[Package], tools: SourceTools) -> dict[Pkgbase, HeadReport]:
    """A report a package; each distinct repository is asked once, for all the branches that are followed."""
    ordered = tuple(packages)
    work = _sort_out(ordered, tools)
    known = github_heads(work.git, tools)

    def ask(remote: GitRemote) -> dict[str, Oid] | UpstreamError:
        try:
            return known[remote] if remote in known else tools.heads.ask(remote, work.git[remote])
        except UpstreamError as error:
            return error
        finally:
            _tell_done(work.git[remote].values(), tools)

    foreign = tools.pool.map(lambda source: _ask_foreign(source, tools), work.foreign)
    for remote, answer in zip(work.git, tools.pool.map(ask, work.git), strict=True):
        for ref, followers in work.git[remote].items():
            for follower in followers:
                _take(work, follower, _head(remote, ref, answer))
    for followers, revision in zip(work.foreign.values(), foreign, strict=True):
        for follower in followers:
            work.found(follower, revision)
    return {package.pkgbase: _report(package, work) for package in ordered}


def _tell_done(groups: Iterable[Iterable[_Follower]], tools: SourceTools) -> None:
    """A package counts as done with its first git source."""
    for followers in groups:
        for follower in followers:
            if follower.key is None:
                tools.done(follower.pkgbase)


def _take(work: _Work, follower: _Follower, head: Oid | UpstreamError) -> None:
    if follower.key is None and not isinstance(head, UpstreamError):
        work.heads[follower.pkgbase] = Head(commit=head)
    else:
        work.found(follower, head)


def _sort_out(packages: Iterable[Package], tools: SourceTools) -> _Work:
    """What needs no asking, and who follows which ref of which repository."""
    work = _Work()
    for package in packages:
        target = followed(package)
        if isinstance(target, VcsSource):
            _add(work, target, _Follower(package.pkgbase), tools)
        else:
            work.heads[package.pkgbase] = target
        for key, source in further_followed(package).items():
            work.labels.setdefault(package.pkgbase, {})[key] = source.url
            _add(work, source, _Follower(package.pkgbase, key), tools)
        if package.is_vcs and package.pkgbase in work.heads:
            tools.done(package.pkgbase)
    return work


def _add(work: _Work, source: VcsSource, follower: _Follower, tools: SourceTools) -> None:
    if source.vcs != "git":
        work.foreign.setdefault(source, []).append(follower)
        return
    try:
        remote = parse_git_url(source.url, allow_local=tools.settings.allow_local_upstreams)
    except ConfigError as error:
        work.found(follower, UpstreamError(f"its git source {error.what}"))
    else:
        work.git.setdefault(remote, {}).setdefault(_ref(source), []).append(follower)


def _ask_foreign(source: VcsSource, tools: SourceTools) -> str | UpstreamError:
    try:
        return tools.foreign_heads.ask(source)
    except UpstreamError as error:
        return error


def _report(package: Package, work: _Work) -> HeadReport:
    head = work.heads[package.pkgbase]
    labels = work.labels.get(package.pkgbase)
    if labels is None:
        return HeadReport(head=head)
    if isinstance(head, NotFollowed) and head.reason == _OTHER_THAN_GIT:
        head = NotFollowed(reason="its other sources are followed")
    further = FurtherHeads(
        revisions=work.revisions.get(package.pkgbase, {}),
        labels=labels,
        problems=tuple(work.problems.get(package.pkgbase, ())),
    )
    return HeadReport(head=head, further=further)


def _ref(source: VcsSource) -> str:
    return "HEAD" if source.fragment_kind is None else f"refs/heads/{source.fragment_value}"


def _head(remote: GitRemote, ref: str, answer: dict[str, Oid] | UpstreamError) -> Oid | UpstreamError:
    if isinstance(answer, UpstreamError):
        return answer
    commit = answer.get(ref)
    if commit is None:
        return UpstreamError(f"{remote.url} has no {ref.removeprefix('refs/heads/')!r} to follow")
    return commit
