"""Packages whose upstream is a project on a forge: a new tag is a new version.

What is remembered of a tag is `<version>:<commit>`, so that a tag that was moved is noticed, too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from ci_toolkit.errors import ConfigError, UpstreamError
from ci_toolkit.formats.forge_project import ForgeProject, parse_forge_project
from ci_toolkit.formats.version import compare_versions
from ci_toolkit.model.names import Oid, is_oid
from ci_toolkit.model.observation import Absent, CouldNotAsk, NewVersion, SourceOutcome, SourceReport, Unmoved
from ci_toolkit.model.version_choice import choose_version
from ci_toolkit.sources.forge_folder import observe_new
from ci_toolkit.sources.forge_tags import Tag, fetch_released, fetch_tags

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ci_toolkit.model.names import Pkgbase
    from ci_toolkit.sources.spec import SourceRequest, SourceTools

_Outcome = SourceOutcome | NewVersion


class _TagSource:
    """What the three have in common."""

    name: ClassVar[str]

    def accepts(self, text: str) -> bool:
        """Anything behind the kind's name and a colon; whether it may be used is decided when it is asked."""
        return text.startswith(f"{self.name}:")

    def observe(self, requests: Sequence[SourceRequest], tools: SourceTools) -> SourceReport:
        """Ask every distinct project once for its tags, and for its releases where a package wants them."""
        outcomes: dict[Pkgbase, _Outcome] = {}
        by_project: dict[ForgeProject, list[SourceRequest]] = {}
        for request in requests:
            try:
                by_project.setdefault(_project(request, tools), []).append(request)
            except ConfigError as error:
                outcomes[request.pkgbase] = CouldNotAsk(reason=f"CI_PKGBUILD_SOURCE: {error.what}")
                tools.done(request.pkgbase)

        def observe_one(project: ForgeProject) -> dict[Pkgbase, _Outcome]:
            found = _observe_project(project, by_project[project], tools)
            for pkgbase in found:
                tools.done(pkgbase)
            return found

        for found in tools.pool.map(observe_one, by_project):
            outcomes.update(found)
        return SourceReport(outcomes=outcomes)


class GithubTagSource(_TagSource):
    """`github:<owner>/<name>`."""

    name: ClassVar[str] = "github"


class GitlabTagSource(_TagSource):
    """`gitlab:[<host>/]<id>`."""

    name: ClassVar[str] = "gitlab"


class GiteaTagSource(_TagSource):
    """`gitea:<host>/<owner>/<name>`."""

    name: ClassVar[str] = "gitea"


def _project(request: SourceRequest, tools: SourceTools) -> ForgeProject:
    settings = tools.settings
    return parse_forge_project(request.text, github_url=settings.github_url, allow_local=settings.allow_local_upstreams)


def _observe_project(
    project: ForgeProject, requests: Sequence[SourceRequest], tools: SourceTools
) -> dict[Pkgbase, _Outcome]:
    try:
        tags = fetch_tags(project, tools)
    except UpstreamError as error:
        return {request.pkgbase: CouldNotAsk(reason=error.what) for request in requests}
    new = {request.pkgbase: observe_new(project, tags, tools) for request in requests if request.is_new}
    requests = [request for request in requests if not request.is_new]
    released: frozenset[str] | UpstreamError = frozenset()
    if any(request.package.config.releases_only for request in requests):
        try:
            released = fetch_released(project, tools)
        except UpstreamError as error:
            released = error
    return {**new, **{request.pkgbase: _outcome(project, request, tags, released) for request in requests}}


def _outcome(
    project: ForgeProject, request: SourceRequest, tags: Sequence[Tag], released: frozenset[str] | UpstreamError
) -> _Outcome:
    config, srcinfo = request.package.config, request.package.srcinfo
    if srcinfo is None:
        return CouldNotAsk(reason="without .SRCINFO it is not known which version the package has")
    by_name = {tag.name: tag for tag in tags}
    if config.releases_only:
        if isinstance(released, UpstreamError):
            return CouldNotAsk(reason=released.what)
        by_name = {name: tag for name, tag in by_name.items() if name in released}
    recorded = _recorded(request.revision)
    known = {name for name, tag in by_name.items() if recorded and tag.commit == recorded[1]}
    chosen = choose_version(by_name, current=srcinfo.pkgver, pattern=config.tag_filter, preferred=known)
    if chosen is None:
        counts = f"{len(tags)} tags" + (f", {len(by_name)} of them released," if config.releases_only else "")
        return CouldNotAsk(reason=f"none of the {counts} of {project.shown} is a version like {srcinfo.pkgver}")
    return _compared(chosen.version, by_name[chosen.tag], srcinfo.pkgver, request.revision)


def _compared(version: str, tag: Tag, pkgver: str, revision: str | None) -> _Outcome:
    """What it means that `tag` is the newest, for a package at `pkgver` that last dealt with `revision`."""
    found = f"{version}:{tag.commit}"
    if found == revision:
        return Unmoved()
    order = compare_versions(version, pkgver)
    if order < 0:
        return Absent(reason=f"its newest version there is {version}, older than {pkgver}")
    recorded = _recorded(revision)
    review = None
    if recorded and compare_versions(version, recorded[0]) == 0 and tag.commit != recorded[1]:
        review = f"the tag of {version} was moved from {recorded[1][:10]} to {tag.commit[:10]}"
    if order == 0 and review is None:
        return Unmoved(revision=found)
    return NewVersion(version=version, revision=found, commit=tag.commit, link=tag.link, review=review)


def _recorded(revision: str | None) -> tuple[str, Oid] | None:
    """Version and commit last dealt with; None also for what another kind of source has recorded."""
    version, colon, commit = (revision or "").rpartition(":")
    return (version, Oid(commit)) if colon and is_oid(commit) else None
