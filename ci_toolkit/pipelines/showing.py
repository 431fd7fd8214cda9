"""What the forge is told after a push: the reviews that should be open now, and at the end how the run went."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ci_toolkit.deciding.content import content_of
from ci_toolkit.errors import ToolkitError
from ci_toolkit.forges.dashboard import Dashboard
from ci_toolkit.forges.spec import ForgeReport, ForgeTools, RunNews, WantedReview
from ci_toolkit.formats.verdicts import parse_verdicts
from ci_toolkit.model.finding import Severity
from ci_toolkit.model.names import review_branch
from ci_toolkit.model.verdict import Code, Weight
from ci_toolkit.pipelines.commit_status import schedule_status, tell_forge
from ci_toolkit.pipelines.open_reviews import OpenReview

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ci_toolkit.forges.spec import Forge
    from ci_toolkit.formats.forge_memory import ForgeRecord
    from ci_toolkit.formats.state import RepositoryState, ReviewRecord
    from ci_toolkit.model.names import Oid, Pkgbase
    from ci_toolkit.model.package import Snapshot
    from ci_toolkit.model.plan import Change, Plan
    from ci_toolkit.pipelines.drafting import Draft
    from ci_toolkit.pipelines.workshop import Workshop
    from ci_toolkit.review.assessing import Judge
    from ci_toolkit.scheduling.schedule import Schedule

# Schedules are handed over and packages updated without them; a person should look at each some time.
_HELD = (Code.REVIEW_HELD, Code.COOLING, Code.LAGGING, Code.APPEARED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Show:
    """One run's talk with the forge. Whatever goes wrong here is reported, and undoes nothing."""

    forge: Forge
    workshop: Workshop
    snapshot: Snapshot
    judge: Judge

    def reviews(self, plan: Plan, draft: Draft, template: WantedReview | None = None) -> ForgeReport:
        """Show every pending review, those too whose branch was pushed by an earlier run, which may have died since.

        `template` is the one of the CI files, which belongs to no package.
        """
        changes = {change.pkgbase: change for change in plan.reviewed}
        wanted = [
            self._wanted(draft.state.reviews[pkgbase], draft, changes.get(pkgbase)) for pkgbase in self.waiting(draft)
        ]
        wanted.append(template)
        known = draft.state.forge
        try:
            return self.forge.publish([one for one in wanted if one], plan.dropped_reviews, self._tools(known))
        except ToolkitError as error:
            return ForgeReport(memory=known, problems=(f"reviews are not shown: {error}",))

    def waiting(self, draft: Draft) -> tuple[Pkgbase, ...]:
        """The packages of review branches that propose something, whether or not this run has touched them."""
        return tuple(
            pkgbase
            for pkgbase, record in draft.state.reviews.items()
            if pkgbase in draft.reviews or self._waits(pkgbase, record)
        )

    def _waits(self, pkgbase: Pkgbase, record: ReviewRecord) -> bool:
        """Whether a branch that this run left alone still proposes anything; a run limited to others prunes none."""
        package = self.snapshot.packages.get(pkgbase)
        if package is None or pkgbase in self.snapshot.merged_reviews:
            return False
        return record.content != content_of(package.upstream_files(), self.snapshot.hash_name)

    def end(
        self,
        commit: Oid,
        state: RepositoryState,
        schedule: Schedule,
        shown: Mapping[Pkgbase, ForgeRecord],
        *,
        failure: str | None = None,
    ) -> tuple[str, ...]:
        """Tell how the run ended; gives what failed. `failure`: why the backend did not take the schedule."""
        dashboard = _dashboard(state, schedule, shown, now_s=self.workshop.clock.now(), failure=failure)
        news = RunNews(
            commit=commit,
            status=schedule_status(schedule, failure),
            dashboard=dashboard if self.snapshot.settings.dashboard else None,
        )
        return tell_forge(self.forge, news, self.workshop, self.snapshot)

    def _tools(self, memory: Mapping[Pkgbase, ForgeRecord]) -> ForgeTools:
        return ForgeTools(
            settings=self.snapshot.settings,
            environ=self.workshop.environ,
            clock=self.workshop.clock,
            top=self.workshop.top,
            memory=memory,
        )

    def _wanted(self, record: ReviewRecord, draft: Draft, change: Change | None) -> WantedReview | None:
        """A review branch as a review; None for a branch that does not have the package."""
        if record.content is None:
            return None
        review = OpenReview(
            workshop=self.workshop,
            snapshot=self.snapshot,
            judge=self.judge,
            record=record,
            state=draft.state.package(record.pkgbase),
            change=change,
        )
        severity = change.assessment.severity if change else _severity(record, draft.state.forge.get(record.pkgbase))
        return WantedReview(
            pkgbase=record.pkgbase,
            branch=review_branch(record.pkgbase),
            target=self.snapshot.branch,
            head=record.head,
            content=record.content,
            severity=severity,
            pushed=change is not None,
            describe=review.describe,
            since=review.since,
            by_people=record.author == "person",
        )


def _severity(record: ReviewRecord, known: ForgeRecord | None) -> Severity:
    """What is remembered of the same content; what nobody knows is not taken for harmless."""
    return known.severity if known is not None and known.content == record.content else Severity.HIGH


def _dashboard(
    state: RepositoryState,
    schedule: Schedule,
    shown: Mapping[Pkgbase, ForgeRecord],
    *,
    now_s: float,
    failure: str | None,
) -> Dashboard:
    verdicts = parse_verdicts(state.verdicts).values()
    count = len(schedule.builds)
    return Dashboard(
        reviews=tuple(shown.values()),
        held=tuple((str(one.package), one.why) for one in verdicts if one.code in _HELD),
        failing=tuple((str(one.package), one.why) for one in verdicts if one.code.weight is Weight.FAILURE),
        last_run=failure or f"{count} {'build' if count == 1 else 'builds'} handed over",
        now_s=now_s,
    )
