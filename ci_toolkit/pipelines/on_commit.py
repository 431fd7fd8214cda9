"""After a push: schedule what changed since tag `scheduled`, have removed packages dropped, move the tag."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ci_toolkit.backends.spec import build_fault
from ci_toolkit.effects.git_remote import RefUpdate
from ci_toolkit.errors import ConfigError, HandOverError, LostRaceError, RefusedError
from ci_toolkit.forges.spec import RunNews
from ci_toolkit.formats.commit_message import deployed_names
from ci_toolkit.formats.git_objects import ObjectDraft
from ci_toolkit.model.names import Oid, Pkgbase, is_pkgbase, nearest
from ci_toolkit.model.package_lists import EVERYTHING
from ci_toolkit.model.verdict import Code, Verdict
from ci_toolkit.pipelines.aur_push import promise, promised, with_aur_pushes
from ci_toolkit.pipelines.commit_status import schedule_status, tell_forge
from ci_toolkit.pipelines.drafting import draft_state
from ci_toolkit.pipelines.handing_over import cross_off, hand_over, unacknowledged, with_resumed
from ci_toolkit.pipelines.merged_reviews import MergedReviews
from ci_toolkit.pipelines.outcome import Outcome
from ci_toolkit.pipelines.reading import NO_REVIEWS, SCHEDULED_TAG
from ci_toolkit.pipelines.removal_limit import check_removal
from ci_toolkit.pipelines.workshop import MOST_ATTEMPTS, Workshop, refuse_tracked_artifacts
from ci_toolkit.scheduling.schedule import make_schedule

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ci_toolkit.backends.spec import Backend
    from ci_toolkit.forges.spec import Forge
    from ci_toolkit.formats.state import RepositoryState
    from ci_toolkit.model.package import RemoteHeads, Snapshot
    from ci_toolkit.scheduling.schedule import Schedule


@dataclass(frozen=True, slots=True, kw_only=True)
class OnCommit:
    """One run. `allows_mass_removal` lifts the limit on how many packages may disappear at once.

    `replaces_at_aur` names packages that are pushed to the AUR although something foreign is there.
    """

    workshop: Workshop
    backend: Backend
    forge: Forge
    dry_run: bool = False
    allows_mass_removal: bool = False
    replaces_at_aur: frozenset[str] = frozenset()

    def run(self, snapshot: Snapshot) -> Outcome:
        """Everything, from the snapshot just read to the tag."""
        refuse_tracked_artifacts(snapshot)
        for name in sorted(self.replaces_at_aur - snapshot.packages.keys()):
            hint = nearest(name, snapshot.packages) or None
            raise ConfigError("names no package", key="--replace-at-aur", got=name, hint=hint)
        before = self._packages_before(snapshot)
        requested = self._requested(snapshot)
        removed = sorted(before.keys() - snapshot.packages.keys())
        self._check_removal(snapshot, removed, len(before))
        merged = MergedReviews(repository=self.workshop.repository, reader=self.workshop.reader)
        tampered = merged.tampered(snapshot, before)
        verdicts = [
            *(self._verdict(snapshot, pkgbase, before, requested, tampered) for pkgbase in snapshot.packages),
            *(Verdict(package=name, code=Code.REMOVED, why="its folder is gone", now="is dropped") for name in removed),
            *(Verdict(package=name, code=Code.BAD_NAME, why=str(error)) for name, error in snapshot.strays.items()),
        ]
        wanted: dict[Pkgbase, str | None] = dict.fromkeys(
            Pkgbase(verdict.package) for verdict in verdicts if verdict.builds
        )
        resumed = unacknowledged(snapshot, frozenset(snapshot.state.pending))
        wanted = {**resumed, **wanted}
        schedule = make_schedule(
            snapshot,
            wanted,
            commit=snapshot.heads.main,
            removed=bool(removed),
            keeps_order=self.backend.keeps_order,
        )
        outcome = Outcome(
            pipeline="on-commit",
            dry_run=self.dry_run,
            base=snapshot.heads.main,
            head=snapshot.heads.main,
            verdicts=with_resumed(verdicts, resumed),
            schedule=schedule,
        )
        for_aur = self._for_aur(snapshot, verdicts)
        if self.dry_run:
            waiting = sorted({*for_aur, *(package.pkgbase for package in promised(snapshot))})
            notes = (f"would be pushed to the AUR: {', '.join(waiting)}",) if waiting else ()
            return replace(outcome, notes=(*outcome.notes, *notes))
        try:
            said = hand_over(self.backend, schedule, self.workshop, snapshot)
        except HandOverError as error:
            self._mark(snapshot, schedule, error.what)
            raise
        # The tag says that everything up to it has been handed over or promised, so it moves last.
        pushed = self._move_tag(snapshot, for_aur)
        if snapshot.state.pending:
            cross_off(frozenset(snapshot.state.pending), self.workshop, snapshot)
        problems = self._mark(snapshot, schedule, _held_back(tampered, requested))
        outcome = replace(outcome, handed_over=said, pushed=pushed, problems=problems)
        if for_aur or promised(snapshot):
            outcome = with_aur_pushes(outcome, self.workshop, replaces=self.replaces_at_aur)
        return outcome

    def _mark(self, snapshot: Snapshot, schedule: Schedule, failure: str | None) -> tuple[str, ...]:
        """Say at the commit how it went; gives what failed of that."""
        news = RunNews(commit=snapshot.heads.main, status=schedule_status(schedule, failure))
        return tell_forge(self.forge, news, self.workshop, snapshot)

    def _for_aur(self, snapshot: Snapshot, verdicts: Iterable[Verdict]) -> dict[Pkgbase, Oid]:
        """The folders (package to tree) that have changed, or are asked for, and belong to the AUR."""
        names = (Pkgbase(verdict.package) for verdict in verdicts if verdict.builds)
        return {
            name: snapshot.packages[name].tree
            for name in names
            if snapshot.settings.manage_aur and snapshot.packages[name].config.manage_aur
        }

    def _packages_before(self, snapshot: Snapshot) -> dict[Pkgbase, Oid]:
        """Package folders (name to tree) at the tag; without one, those before the head commit."""
        repository = self.workshop.repository
        old = snapshot.heads.scheduled
        base = f"{snapshot.heads.main}^" if old is None else old
        if repository.resolve(f"{base}^{{tree}}") is None:
            if old is None and repository.is_shallow():
                self.workshop.remote.fetch([f"refs/heads/{snapshot.branch}"], deepen_fully=True)
            if repository.resolve(f"{base}^{{tree}}") is None:
                return {}
        listing = repository.list_folders(base)
        return {Pkgbase(name): oid for name, oid in listing.items() if is_pkgbase(name)}

    def _requested(self, snapshot: Snapshot) -> dict[Pkgbase, Oid]:
        """Packages that `[deploy NAME]` asks for, with the commit that does; RefusedError for what is no package."""
        found: dict[Pkgbase, Oid] = {}
        for commit, message in self._messages(snapshot):
            for name in deployed_names(message):
                wanted = list(snapshot.packages) if name == EVERYTHING else [Pkgbase(name)]
                for pkgbase in wanted:
                    if pkgbase not in snapshot.packages:
                        raise RefusedError(
                            f"commit {commit[:10]} asks to deploy what is no package",
                            got=name,
                            hint=nearest(name, snapshot.packages) or "nothing was scheduled and the tag stays",
                        )
                    found.setdefault(pkgbase, commit)
        return found

    def _messages(self, snapshot: Snapshot) -> tuple[tuple[Oid, str], ...]:
        """Commits since the tag with their messages; a history that was cut too short for that is fetched whole."""
        repository, heads = self.workshop.repository, snapshot.heads
        if heads.scheduled == heads.main:
            return ()
        cut = heads.scheduled is not None and repository.is_shallow()
        if cut and heads.scheduled is not None and not repository.is_ancestor(heads.scheduled, heads.main):
            self.workshop.remote.fetch([f"refs/heads/{snapshot.branch}"], deepen_fully=True)
        return repository.commits_between(heads.scheduled, heads.main)

    def _check_removal(self, snapshot: Snapshot, removed: list[Pkgbase], before: int) -> None:
        if not self.allows_mass_removal:
            check_removal(
                len(removed),
                before,
                snapshot.settings.remove_limit_percent,
                leaves_any=bool(snapshot.packages),
                hint="nothing was scheduled; if that is on purpose, run on-commit --allow-mass-removal",
            )

    def _verdict(
        self,
        snapshot: Snapshot,
        pkgbase: Pkgbase,
        before: Mapping[Pkgbase, Oid],
        requested: Mapping[Pkgbase, Oid],
        tampered: Mapping[Pkgbase, str],
    ) -> Verdict:
        package = snapshot.packages[pkgbase]
        changed = before.get(pkgbase) != package.tree
        problems = tuple(fault.what_and_where for fault in (package.config_fault, package.srcinfo_fault) if fault)
        if not changed and pkgbase not in requested:
            return Verdict(package=pkgbase, code=Code.UNCHANGED, why="no change since the last schedule")
        if package.config_fault is not None:
            now = "is not scheduled before that is mended"
            return Verdict(package=pkgbase, code=Code.BAD_CONFIG, why=problems[0], now=now)
        fault = build_fault(self.backend, package)
        if fault:
            return Verdict(package=pkgbase, code=Code.BAD_NAME, why=fault)
        if pkgbase in tampered and pkgbase not in requested:
            now = f"is not built; if it is right, push a commit whose message says [deploy {pkgbase}]"
            return Verdict(
                package=pkgbase, code=Code.NOT_AS_REVIEWED, why=tampered[pkgbase], now=now, new=package.version
            )
        if pkgbase in requested:
            code, why = Code.REQUESTED, f"commit {requested[pkgbase][:10]} asks for it"
        else:
            code, why = Code.CHANGED, "its folder changed" if pkgbase in before else "it is new"
        return Verdict(
            package=pkgbase, code=code, why=why, now="is built", new=package.version, builds=True, problems=problems
        )

    def _move_tag(self, snapshot: Snapshot, for_aur: Mapping[Pkgbase, Oid]) -> tuple[str, ...]:
        """Point the tag at the head that was handled, unless another run was faster and it is there or beyond.

        What is promised to the AUR is noted in the same push.
        """
        heads, repository, state = snapshot.heads, self.workshop.repository, snapshot.state
        for _ in range(MOST_ATTEMPTS):
            if heads.scheduled == snapshot.heads.main:
                return ()
            updates = [RefUpdate(ref=SCHEDULED_TAG, old=heads.scheduled_tag, new=snapshot.heads.main)]
            if for_aur:
                updates.append(self._promise(snapshot, heads, promise(state, for_aur, snapshot)))
            result = self.workshop.remote.push(updates, options=self.workshop.push_options(skip=True))
            if result.done:
                return (SCHEDULED_TAG,)
            now = self.workshop.reader.read(reviews=NO_REVIEWS)
            if (now.heads.scheduled_tag, now.heads.state) == (heads.scheduled_tag, heads.state):
                refusal = "; ".join(result.refusals.values()) or result.message
                raise ConfigError(f"tag scheduled cannot be moved: {refusal}", hint="is the tag protected?")
            if now.heads.scheduled and repository.is_ancestor(snapshot.heads.main, now.heads.scheduled):
                return ()
            heads, state = now.heads, now.state
        raise LostRaceError("tag scheduled moved during every attempt to move it", hint="run on-commit again")

    def _promise(self, snapshot: Snapshot, heads: RemoteHeads, state: RepositoryState) -> RefUpdate:
        """The state branch with promises, its objects written."""
        objects = ObjectDraft(hash_name=snapshot.hash_name)
        now = replace(snapshot, heads=heads)
        update, _ = draft_state(objects, state, now, self.workshop.style(), base=snapshot.heads.main)
        self.workshop.repository.write_objects(objects)
        return update


def _held_back(tampered: Mapping[Pkgbase, str], requested: Mapping[Pkgbase, Oid]) -> str | None:
    """What the commit's mark says of packages that are not as they were reviewed."""
    names = [pkgbase for pkgbase in tampered if pkgbase not in requested]
    return f"held back, because they are not as reviewed: {', '.join(names)}" if names else None
