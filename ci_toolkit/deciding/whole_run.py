"""The plan of a whole run, put together from what is decided of each package."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ci_toolkit.deciding.bumps import Libraries, updated_versions
from ci_toolkit.deciding.changes import ChangeJudging
from ci_toolkit.deciding.content import content_of
from ci_toolkit.deciding.one_package import Circumstances, PackageDeciding
from ci_toolkit.deciding.people import known_people
from ci_toolkit.formats.verdicts import format_verdicts, parse_verdicts
from ci_toolkit.model.plan import DroppedReview, PackageDecision, Plan
from ci_toolkit.model.verdict import Code, Verdict
from ci_toolkit.review.assessing import Judge
from ci_toolkit.review.official import offered_names

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ci_toolkit.formats.state import RepositoryState, ReviewRecord
    from ci_toolkit.model.names import Pkgbase
    from ci_toolkit.model.observation import Observations
    from ci_toolkit.model.package import Snapshot


def decide(snapshot: Snapshot, observations: Observations, circumstances: Circumstances) -> Plan:
    """The plan for one run: every package of the snapshot gets exactly one verdict."""
    libraries = Libraries.compared(observations.databases, snapshot.state.versions)
    before = parse_verdicts(snapshot.state.verdicts)
    decisions: dict[Pkgbase, PackageDecision] = {}
    verdicts: list[Verdict] = []
    judging = ChangeJudging(
        snapshot=snapshot,
        observations=observations,
        judge=_judge(snapshot, observations, circumstances),
        known_people=known_people(snapshot.state.packages.values()),
    )
    for pkgbase, package in snapshot.packages.items():
        if not circumstances.includes(pkgbase):
            verdicts.append(Verdict(package=pkgbase, code=Code.NOT_SELECTED, why="this run is limited to others"))
            continue
        one = PackageDeciding(snapshot, observations, circumstances, package, before.get(pkgbase), libraries, judging)
        decisions[pkgbase] = one.decide()
        verdicts.append(decisions[pkgbase].verdict)
    verdicts += [Verdict(package=name, code=Code.BAD_NAME, why=str(error)) for name, error in snapshot.strays.items()]
    dropped, notes = _drop_reviews(snapshot, decisions, circumstances)
    applied = tuple(one.applied for one in decisions.values() if one.applied)
    moves_tag = snapshot.heads.scheduled == snapshot.heads.main
    # While the tag is behind, an on-commit run is due; it schedules whatever changes on the default branch, ours too.
    builds = tuple(one.pkgbase for one in decisions.values() if one.builds and (moves_tag or not one.changes_main))
    return Plan(
        decisions=decisions,
        state=_next_state(snapshot, decisions, observations, circumstances, verdicts),
        verdicts=tuple(verdicts),
        dropped_reviews=dropped,
        notes=(*notes, *(observations.databases.problems if observations.databases else ())),
        applied=applied,
        configs={one.pkgbase: one.config for one in decisions.values() if one.config is not None},
        reviewed=tuple(one.reviewed for one in decisions.values() if one.reviewed),
        builds=builds,
        moves_tag=moves_tag,
    )


def _judge(snapshot: Snapshot, observations: Observations, circumstances: Circumstances) -> Judge:
    official: frozenset[str] = frozenset()
    own: frozenset[str] = frozenset()
    if snapshot.review.official_repositories and observations.databases:
        official = frozenset().union(*observations.databases.official.values())
        own = offered_names(package.srcinfo for package in snapshot.packages.values() if package.srcinfo)
    return Judge.of(snapshot.review, circumstances.plugins, official=official, own=own)


def _drop_reviews(
    snapshot: Snapshot, decisions: Mapping[Pkgbase, PackageDecision], circumstances: Circumstances
) -> tuple[tuple[DroppedReview, ...], tuple[str, ...]]:
    """Review branches without use: merged, equal to the default branch, superseded, or of a package that is gone."""
    dropped, notes = [], []
    for pkgbase, record in snapshot.reviews.items():
        if not circumstances.includes(pkgbase):
            continue
        decision = decisions.get(pkgbase)
        if decision is not None and decision.reviewed is not None:
            continue
        reason = _useless(snapshot, pkgbase, record, decision)
        if reason is None:
            continue
        merged = pkgbase in snapshot.merged_reviews
        if record.author == "person" and not merged:
            notes.append(f"branch update-{pkgbase} stays because people have committed to it, although {reason}")
        else:
            dropped.append(DroppedReview(pkgbase=pkgbase, head=record.head, reason=reason))
    return tuple(dropped), tuple(notes)


def _useless(
    snapshot: Snapshot, pkgbase: Pkgbase, record: ReviewRecord, decision: PackageDecision | None
) -> str | None:
    if pkgbase in snapshot.merged_reviews:
        return "it has been merged"
    package = snapshot.packages.get(pkgbase)
    if package is None:
        return "the package is gone"
    if decision is not None and decision.drops_review:
        return decision.drops_review
    if record.content == content_of(package.upstream_files(), snapshot.hash_name):
        return "it equals the default branch"
    return None


def _next_state(
    snapshot: Snapshot,
    decisions: Mapping[Pkgbase, PackageDecision],
    observations: Observations,
    circumstances: Circumstances,
    verdicts: list[Verdict],
) -> RepositoryState:
    """The state after the run; packages that the run is not about keep theirs, those that are gone lose it."""
    state = snapshot.state
    kept = {pkgbase: one for pkgbase, one in state.packages.items() if pkgbase in snapshot.packages}
    meta = state.meta
    for key, value in observations.memory.items():
        meta = meta.with_value(key, value)
    said = parse_verdicts(state.verdicts) if circumstances.selected is not None else {}
    said = {name: verdict for name, verdict in said.items() if name in snapshot.packages}
    said.update({verdict.package: verdict for verdict in verdicts if verdict.code is not Code.NOT_SELECTED})
    return replace(
        state,
        packages={**kept, **{pkgbase: decision.state for pkgbase, decision in decisions.items()}},
        meta=meta,
        verdicts=format_verdicts(said.values()),
        versions=updated_versions(state.versions, observations.databases),
        unknown={},
    )
