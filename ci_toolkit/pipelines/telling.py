"""What pipelines tell whoever listens to events, after the push; nothing is put together where nobody does."""

from __future__ import annotations

import logging
from collections import Counter
from typing import TYPE_CHECKING

from ci_toolkit.backends.spec import Backend, HearsOfChecks
from ci_toolkit.errors import ToolkitError
from ci_toolkit.model.names import review_branch
from ci_toolkit.model.news import HandOverNews, ReviewCounts, ReviewNews, UpdatedPackage, UpdatesNews, UpstreamsNews
from ci_toolkit.model.observation import (
    Absent,
    CannotMake,
    CouldNotAsk,
    Lagging,
    Moved,
    NothingToPull,
    SourceOutcome,
    Unmoved,
    Unusable,
)
from ci_toolkit.model.verdict import Code
from ci_toolkit.plugins import load_sources, source_for

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ci_toolkit.formats.forge_memory import ForgeRecord
    from ci_toolkit.model.names import Oid, Pkgbase
    from ci_toolkit.model.observation import Observations
    from ci_toolkit.model.package import Package, Snapshot
    from ci_toolkit.model.plan import Plan
    from ci_toolkit.pipelines.workshop import Workshop
    from ci_toolkit.scheduling.schedule import Schedule
    from ci_toolkit.sources.spec import Source

log = logging.getLogger(__name__)

_OUTCOMES: Mapping[type[SourceOutcome], str] = {
    Unmoved: "unmoved",
    Moved: "moved",
    Unusable: "unusable",
    NothingToPull: "nothing to pull",
    Absent: "absent",
    Lagging: "lagging",
    CouldNotAsk: "could not ask",
    CannotMake: "cannot be made",
}
_NO_SOURCE = "none"


def tell_upstreams(workshop: Workshop, snapshot: Snapshot, observations: Observations) -> None:
    """How many upstreams were asked, and what came of it."""
    if workshop.listeners:
        news = UpstreamsNews(repository=snapshot.settings.build_repo, counts=_counts(snapshot, observations))
        workshop.tell("upstreams_checked", news)


def tell_backend(
    workshop: Workshop, snapshot: Snapshot, observations: Observations, reviews: ReviewCounts, backend: Backend
) -> None:
    """The same, and how many reviews there are, if the backend wants to know."""
    if not isinstance(backend, HearsOfChecks):
        return
    by_source: dict[str, dict[str, int]] = {}
    for (source, outcome), count in _counts(snapshot, observations).items():
        by_source.setdefault(source, {})[outcome] = count
    try:
        backend.note_checks(by_source, reviews, workshop.backend_tools(snapshot))
    except ToolkitError as error:  # nothing depends on it
        log.warning("the %s backend was not told what upstreams said: %s", backend.name, error)


def count_reviews(plan: Plan, waiting: Iterable[Pkgbase], shown: Mapping[Pkgbase, ForgeRecord]) -> ReviewCounts:
    """How many of the review branches wait for people, as far as the forge shows them, and how many are new."""
    declined = {pkgbase for pkgbase, record in shown.items() if record.status == "declined"}
    opened = {verdict.package for verdict in plan.verdicts if verdict.code is Code.REVIEW_OPENED}
    return ReviewCounts(open=len(set(waiting) - declined), opened=len(opened))


def tell_updates(workshop: Workshop, snapshot: Snapshot, plan: Plan, commit: Oid) -> None:
    """What was updated, if anything was, by a commit."""
    if not workshop.listeners or not plan.applied:
        return
    packages = tuple(
        UpdatedPackage(pkgbase=change.pkgbase, old=change.old_version, new=change.new_version)
        for change in plan.applied
    )
    news = UpdatesNews(repository=snapshot.settings.build_repo, commit=commit, packages=packages)
    workshop.tell("updates_applied", news)


def tell_reviews(workshop: Workshop, snapshot: Snapshot, plan: Plan, shown: Mapping[Pkgbase, ForgeRecord]) -> None:
    """Each review that is new; `shown` are those that the forge shows."""
    if not workshop.listeners:
        return
    opened = {verdict.package for verdict in plan.verdicts if verdict.code is Code.REVIEW_OPENED}
    for change in plan.reviewed:
        if change.pkgbase in opened:
            record = shown.get(change.pkgbase)
            news = ReviewNews(
                repository=snapshot.settings.build_repo,
                pkgbase=change.pkgbase,
                branch=review_branch(change.pkgbase),
                severity=change.assessment.severity.word,
                url=record.url if record else None,
            )
            workshop.tell("review_opened", news)


def tell_hand_over(workshop: Workshop, snapshot: Snapshot, backend: Backend, schedule: Schedule, said: str) -> None:
    """A schedule that a backend has taken."""
    if not workshop.listeners:
        return
    news = HandOverNews(
        repository=snapshot.settings.build_repo,
        backend=backend.name,
        request=schedule.request,
        commit=schedule.commit,
        packages=tuple(build.pkgbase for build in schedule.builds),
        said=said,
    )
    workshop.tell("schedule_handed_over", news)


def _counts(snapshot: Snapshot, observations: Observations) -> Counter[tuple[str, str]]:
    sources = load_sources()
    return Counter(
        (_kind(snapshot.packages[pkgbase], sources), _OUTCOMES[type(seen.source)])
        for pkgbase, seen in observations.packages.items()
    )


def _kind(package: Package, sources: tuple[Source, ...]) -> str:
    text = "nvchecker" if package.config.nvchecker else package.config.source
    source = source_for(text, sources) if text else None
    return source.name if source else _NO_SOURCE
