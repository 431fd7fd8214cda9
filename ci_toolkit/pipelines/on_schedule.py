"""The timer's pipeline: ask all upstreams, apply what is harmless, send the rest to review, schedule what changed."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ci_toolkit.backends.spec import build_fault
from ci_toolkit.deciding.one_package import Circumstances
from ci_toolkit.deciding.whole_run import decide
from ci_toolkit.errors import ConfigError, GitError, HandOverError, LostRaceError, NotReadyError
from ci_toolkit.formats.git_objects import decode_commit
from ci_toolkit.formats.state import format_state
from ci_toolkit.model.names import Pkgbase, nearest, review_branch
from ci_toolkit.model.verdict import Code, Verdict
from ci_toolkit.pipelines.aur_push import promise, with_aur_pushes
from ci_toolkit.pipelines.commit_messages import UPDATE_ACTION
from ci_toolkit.pipelines.drafting import Amendment, Draft, Style, draft_plan, with_schedule, with_state
from ci_toolkit.pipelines.handing_over import cross_off, hand_over, unacknowledged, with_resumed
from ci_toolkit.pipelines.outcome import Outcome
from ci_toolkit.pipelines.showing import Show
from ci_toolkit.pipelines.telling import count_reviews, tell_backend, tell_reviews, tell_updates, tell_upstreams
from ci_toolkit.pipelines.template_update import TemplateResult, TemplateUpdate
from ci_toolkit.pipelines.workshop import MOST_ATTEMPTS, Workshop, refuse_tracked_artifacts
from ci_toolkit.review.assessing import Judge
from ci_toolkit.scheduling.schedule import Schedule, make_schedule

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from ci_toolkit.backends.spec import Backend
    from ci_toolkit.forges.spec import Forge
    from ci_toolkit.model.observation import Observations
    from ci_toolkit.model.package import Snapshot
    from ci_toolkit.model.plan import Plan
    from ci_toolkit.pipelines.observing import Observer
    from ci_toolkit.review.spec import ReviewRules

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class OnSchedule:
    """One run. `observer` makes what asks upstreams for a snapshot; `selected` None: all packages.

    `ignores_tag` lifts the check that an on-commit run has seen the head of the default branch.
    """

    workshop: Workshop
    backend: Backend
    forge: Forge
    observer: Callable[[Snapshot], Observer]
    review_rules: tuple[ReviewRules, ...] = ()
    selected: frozenset[str] | None = None
    trigger: str | None = None
    ignores_tag: bool = False
    template: TemplateUpdate | None = None
    dry_run: bool = False

    def run(self, snapshot: Snapshot) -> Outcome:
        """Everything, from the snapshot just read to the hand-over."""
        refuse_tracked_artifacts(snapshot)
        if self.trigger:
            return self._run_trigger(snapshot, self.trigger)
        self._check_tag(snapshot)
        template = TemplateResult()
        if self.template and self.selected is None:
            template = self.template.run(snapshot, dry_run=self.dry_run)
            if template.pushed:
                snapshot = self.workshop.reader.read()
        chosen = self._chosen(snapshot)
        # What is wrong with the rules is said before anybody is asked.
        Judge.of(snapshot.review, self.review_rules)
        observations = self.observer(snapshot).observe(snapshot, chosen)
        circumstances = Circumstances(
            build_fault=lambda package: build_fault(self.backend, package),
            now_s=int(self.workshop.clock.now()),
            selected=None if self.selected is None else frozenset(chosen),
            plugins=self.review_rules,
        )
        old_requests = frozenset(snapshot.state.pending)
        plan, draft, schedule, snapshot = self._settle(snapshot, observations, circumstances, old_requests)
        outcome = self._outcome(snapshot, plan, draft, schedule)
        outcome = replace(outcome, notes=(*template.notes, *outcome.notes))
        if self.dry_run:
            return outcome
        tell_upstreams(self.workshop, snapshot, observations)
        tell_updates(self.workshop, snapshot, plan, draft.main)
        show = self._show(snapshot)
        shown = show.reviews(plan, draft, template.review.wanted() if template.review else None)
        reviews = count_reviews(plan, show.waiting(draft), shown.memory)
        tell_backend(self.workshop, snapshot, observations, reviews, self.backend)
        tell_reviews(self.workshop, snapshot, plan, shown.memory)
        # None where the branch says that already: no need to read it again.
        memory = None if shown.memory == draft.state.forge else shown.memory
        try:
            said = hand_over(self.backend, schedule, self.workshop, snapshot)
        except HandOverError as error:
            cross_off(frozenset(), self.workshop, snapshot, shown=memory)
            show.end(draft.main, draft.state, schedule, shown.memory, failure=error.what)
            raise
        acknowledged = frozenset() if said is None else old_requests | {schedule.request}
        cross_off(acknowledged, self.workshop, snapshot, shown=memory)
        problems = (*shown.problems, *show.end(draft.main, draft.state, schedule, shown.memory))
        outcome = replace(outcome, handed_over=said, review_notes=shown.notes, problems=problems)
        if snapshot.settings.manage_aur and any(package.aur_due for package in draft.state.packages.values()):
            outcome = with_aur_pushes(outcome, self.workshop)
        return outcome

    def _check_tag(self, snapshot: Snapshot) -> None:
        if self.ignores_tag or self.selected is not None or snapshot.heads.scheduled == snapshot.heads.main:
            return
        where = f"at {snapshot.heads.scheduled[:10]}" if snapshot.heads.scheduled else "missing"
        raise NotReadyError(
            f"tag scheduled is {where}, and {snapshot.branch} at {snapshot.heads.main[:10]}: on-commit is missing",
            hint="run ci-toolkit on-commit, or set SKIP_ON_COMMIT_CHECK=true",
        )

    def _show(self, snapshot: Snapshot) -> Show:
        judge = Judge.of(snapshot.review, self.review_rules)
        return Show(forge=self.forge, workshop=self.workshop, snapshot=snapshot, judge=judge)

    def _chosen(self, snapshot: Snapshot) -> tuple[Pkgbase, ...]:
        if self.selected is None:
            return tuple(snapshot.packages)
        unknown = sorted(self.selected - snapshot.packages.keys())
        if unknown:
            hint = nearest(unknown[0], snapshot.packages)
            raise ConfigError("names no package", key="CI_TEST_PACKAGES", got=", ".join(unknown), hint=hint or None)
        return tuple(Pkgbase(name) for name in sorted(self.selected))

    def _run_trigger(self, snapshot: Snapshot, trigger: str) -> Outcome:
        """Only schedules the packages that wait for this trigger."""
        verdicts = []
        wanted: dict[Pkgbase, str | None] = {}
        for pkgbase, package in snapshot.packages.items():
            verdict = self._trigger_verdict(snapshot, pkgbase, trigger)
            verdicts.append(verdict)
            if verdict.builds:
                wanted[package.pkgbase] = None
        schedule = make_schedule(snapshot, wanted, commit=snapshot.heads.main, keeps_order=self.backend.keeps_order)
        said: str | None = None
        problems: tuple[str, ...] = ()
        if not self.dry_run:
            said = hand_over(self.backend, schedule, self.workshop, snapshot)
            show = self._show(snapshot)
            problems = show.end(snapshot.heads.main, snapshot.state, schedule, snapshot.state.forge)
        return Outcome(
            pipeline="on-schedule",
            dry_run=self.dry_run,
            base=snapshot.heads.main,
            head=snapshot.heads.main,
            verdicts=tuple(verdicts),
            schedule=schedule,
            handed_over=said,
            problems=problems,
        )

    def _trigger_verdict(self, snapshot: Snapshot, pkgbase: Pkgbase, trigger: str) -> Verdict:
        package = snapshot.packages[pkgbase]
        if package.config_fault is not None:
            return Verdict(package=pkgbase, code=Code.BAD_CONFIG, why=package.config_fault.what_and_where)
        if package.config.on_trigger != trigger:
            return Verdict(package=pkgbase, code=Code.OTHER_TRIGGER, why=f"it does not wait for trigger {trigger}")
        fault = build_fault(self.backend, package)
        if fault:
            return Verdict(package=pkgbase, code=Code.BAD_NAME, why=fault)
        return Verdict(
            package=pkgbase, code=Code.TRIGGERED, why=f"it waits for trigger {trigger}", now="is built", builds=True
        )

    def _settle(
        self,
        snapshot: Snapshot,
        observations: Observations,
        circumstances: Circumstances,
        old_requests: frozenset[str],
    ) -> tuple[Plan, Draft, Schedule, Snapshot]:
        """Decide and push until the remote takes it; observed is only once, decided anew whenever the remote moved."""
        for _ in range(MOST_ATTEMPTS):
            style = self._style(snapshot)
            plan = decide(snapshot, observations, circumstances)
            draft = draft_plan(snapshot, plan, style)
            wanted = {**unacknowledged(snapshot, old_requests), **dict.fromkeys(plan.builds)}
            schedule = make_schedule(snapshot, wanted, commit=draft.main, keeps_order=self.backend.keeps_order)
            draft = with_schedule(draft, schedule)
            if plan.moves_tag:
                # Otherwise on-commit, which is due, will see these changes and promise them.
                folders = draft.folders(change.pkgbase for change in plan.applied)
                draft = replace(draft, state=promise(draft.state, folders, snapshot))
            draft = with_state(draft, snapshot, style)
            if self.dry_run or draft.is_empty:
                return plan, draft, schedule, snapshot
            self.workshop.repository.write_objects(draft.objects)
            options = self.workshop.push_options(skip=plan.moves_tag)
            result = self.workshop.remote.push(draft.updates, options=options)
            if result.done:
                return plan, draft, schedule, snapshot
            now = self.workshop.reader.read()
            if _has_arrived(draft, now):
                return plan, draft, schedule, snapshot
            refused = _refused_reviews(draft, result.refusals)
            if not refused and now.heads == snapshot.heads:
                raise GitError(
                    f"{self.workshop.remote.name} refuses the push: {_reasons(result.refusals, result.message)}"
                )
            log.info("the remote moved or refused a branch; deciding again")
            circumstances = replace(circumstances, refused_pushes={**circumstances.refused_pushes, **refused})
            snapshot = now
        raise LostRaceError(
            f"{self.workshop.remote.name} moved during each of {MOST_ATTEMPTS} attempts; nothing was changed",
            hint="run it again",
        )

    def _style(self, snapshot: Snapshot) -> Style:
        style = self.workshop.style()
        if not snapshot.settings.overwrite_commits or snapshot.heads.scheduled != snapshot.heads.main:
            return style
        return replace(style, amend=self._amendment(snapshot))

    def _amendment(self, snapshot: Snapshot) -> Amendment | None:
        """The automated commit at the head, if there is one to amend."""
        head = self.workshop.repository.read_objects([snapshot.heads.main])[snapshot.heads.main]
        commit = decode_commit(head[1]) if head else None
        if commit is None or commit.committer_email != snapshot.settings.author_email or len(commit.parents) != 1:
            return None
        if not commit.message.startswith(f"{UPDATE_ACTION}: "):
            return None
        parent = f"{commit.parents[0]}^{{tree}}"
        if self.workshop.repository.resolve(parent) is None:
            return None
        before = {
            entry.path: entry.oid for entry in self.workshop.repository.list_tree(parent) if "/" not in entry.path
        }
        changed = tuple(entry.name for entry in snapshot.root if before.get(entry.name) != entry.oid)
        return Amendment(parents=commit.parents, packages=changed)

    def _outcome(self, snapshot: Snapshot, plan: Plan, draft: Draft, schedule: Schedule) -> Outcome:
        return Outcome(
            pipeline="on-schedule",
            dry_run=self.dry_run,
            base=snapshot.heads.main,
            head=draft.main,
            verdicts=with_resumed(plan.verdicts, {build.pkgbase for build in schedule.builds} - set(plan.builds)),
            schedule=schedule,
            dropped_reviews=plan.dropped_reviews,
            notes=(*plan.notes, *_warnings(snapshot), *_tag_note(plan)),
            pushed=tuple(update.ref for update in draft.updates),
        )


def _has_arrived(draft: Draft, now: Snapshot) -> bool:
    """Whether everything is where the push would have put it: it succeeded, and only its answer was lost."""
    there = {
        f"refs/heads/{now.branch}": now.heads.main,
        "refs/heads/state": now.heads.state,
        "refs/tags/scheduled": now.heads.scheduled,
        **{f"refs/heads/{review_branch(pkgbase)}": head for pkgbase, head in now.heads.reviews.items()},
    }
    return format_state(now.state) == format_state(draft.state) and all(
        there.get(update.ref) == update.new for update in draft.updates
    )


def _refused_reviews(draft: Draft, refusals: Mapping[str, str]) -> dict[Pkgbase, str]:
    """Review branches that the remote would not take, for a reason of its own and not because they moved."""
    return {
        pkgbase: refusals[ref]
        for pkgbase in draft.reviews
        if (ref := f"refs/heads/{review_branch(pkgbase)}") in refusals and "[remote rejected]" in refusals[ref]
    }


def _reasons(refusals: Mapping[str, str], message: str) -> str:
    return "; ".join(f"{ref} {summary}" for ref, summary in refusals.items()) or message


def _warnings(snapshot: Snapshot) -> Iterable[str]:
    for package in snapshot.packages.values():
        for warning in package.warnings:
            yield f"{package.pkgbase}: {warning}"


def _tag_note(plan: Plan) -> tuple[str, ...]:
    if plan.moves_tag or not (plan.applied or plan.configs):
        return ()
    return ("tag scheduled stays behind: the on-commit run that is due schedules the updates of this run too",)
