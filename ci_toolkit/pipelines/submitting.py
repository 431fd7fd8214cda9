"""Schedules that an earlier job left as files, handed over to the backend."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ci_toolkit.backends.handed_schedule import HandedSchedule
from ci_toolkit.backends.spec import build_fault
from ci_toolkit.errors import RefusedError
from ci_toolkit.model.names import nearest
from ci_toolkit.model.verdict import Code, Verdict
from ci_toolkit.pipelines.left_schedules import LeftPair
from ci_toolkit.pipelines.outcome import Outcome
from ci_toolkit.pipelines.package_folders import RepositoryFolders
from ci_toolkit.pipelines.reading import NO_REVIEWS
from ci_toolkit.pipelines.removal_limit import check_removal
from ci_toolkit.scheduling.dependencies import build_order, deptree_records, edges
from ci_toolkit.scheduling.schedule import Schedule, lost_order, order_circles, request_id

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from ci_toolkit.backends.spec import Backend, BackendTools, FolderReader
    from ci_toolkit.formats.manager_call import ManagerCall
    from ci_toolkit.formats.state import PendingBuild
    from ci_toolkit.model.names import Pkgbase
    from ci_toolkit.model.package import Snapshot
    from ci_toolkit.model.settings import Settings
    from ci_toolkit.pipelines.left_schedules import LeftSchedule
    from ci_toolkit.pipelines.workshop import Workshop

_WHY = "an earlier job scheduled it"
_MOST_NAMED = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ready:
    """A schedule that can be handed over, with the folders it builds and what has to be said of it."""

    schedule: Schedule
    folders: FolderReader
    verdicts: tuple[Verdict, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Submitting:
    """Hands schedules over; `allows_mass_removal` lifts the limit on how many packages may disappear at once."""

    workshop: Workshop
    backend: Backend
    settings: Settings
    tools: BackendTools
    dry_run: bool = False
    allows_mass_removal: bool = False

    def run(self, left: Iterable[LeftSchedule]) -> tuple[Outcome, ...]:
        """An outcome each, in their order. All are looked at before the first is handed over.

        RefusedError for another repository's schedule, for packages that are not there, and for removals that go too
        far; what is handed over is what the default branch has now, as a chaotic-manager builds it.
        """
        listed = tuple(left)
        has_pair = any(isinstance(one.content, LeftPair) for one in listed)
        snapshot = self.workshop.reader.read(reviews=NO_REVIEWS) if has_pair else None
        ready = [self._ready(one, snapshot) for one in listed]
        return tuple(self._submitted(one) for one in ready)

    def _ready(self, left: LeftSchedule, snapshot: Snapshot | None) -> _Ready:
        try:
            match left.content:
                case HandedSchedule() as handed:
                    return self._ready_handed(handed)
                case pair:
                    if snapshot is None:
                        raise AssertionError(left.file)
                    return self._ready_pair(pair, snapshot)
        except RefusedError as error:
            raise error.located(file=left.file) from None

    def _submitted(self, ready: _Ready) -> Outcome:
        schedule = ready.schedule
        outcome = Outcome(
            pipeline="schedule-submit",
            dry_run=self.dry_run,
            base=schedule.commit,
            head=schedule.commit,
            verdicts=ready.verdicts,
            schedule=schedule,
            notes=ready.notes,
        )
        if self.dry_run or schedule.is_empty:
            return outcome
        return replace(outcome, handed_over=self.backend.submit(schedule, ready.folders, self.tools))

    def _ready_handed(self, handed: HandedSchedule) -> _Ready:
        schedule = handed.schedule
        self._check_remaining(schedule.remaining, {record.pkgbase for record in schedule.deptree})
        verdicts = tuple(self._verdict(build.pkgbase) for build in schedule.builds)
        built = _built(schedule.builds, verdicts)
        concerns = self._concerns(built, schedule)
        return _Ready(
            schedule=replace(schedule, builds=built, concerns=concerns), folders=handed.read, verdicts=verdicts
        )

    def _ready_pair(self, pair: LeftPair, snapshot: Snapshot) -> _Ready:
        call, packages = pair.call, snapshot.packages
        self._check_repositories(call)
        self._check_commit(call, snapshot)
        unknown = [build.pkgbase for build in call.builds if build.pkgbase not in packages]
        if unknown:
            hint = nearest(unknown[0], packages) or "the default branch has no such folder"
            raise RefusedError(f"schedules what is no package: {_some(unknown)}", hint=hint)
        self._check_remaining(call.remaining, packages.keys())
        records = deptree_records(packages.values())
        verdicts = tuple(self._verdict(build.pkgbase, snapshot) for build in call.builds)
        order = build_order([build.pkgbase for build in call.builds], edges(records))
        by_name = {build.pkgbase: build for build in _built(call.builds, verdicts)}
        schedule = Schedule(
            request=_request(call, snapshot),
            commit=snapshot.heads.main,
            builds=tuple(by_name[name] for name in order if name in by_name),
            deptree=records,
            remaining=call.remaining,
        )
        schedule = replace(schedule, concerns=self._concerns(schedule.builds, schedule))
        folders = RepositoryFolders(repository=self.workshop.repository, commit=schedule.commit)
        return _Ready(schedule=schedule, folders=folders, verdicts=verdicts, notes=_doubts(pair, schedule))

    def _concerns(self, builds: tuple[PendingBuild, ...], schedule: Schedule) -> tuple[str, ...]:
        needs = edges(schedule.deptree)
        lost = () if self.backend.keeps_order else lost_order(builds, needs)
        return (*lost, *order_circles([build.pkgbase for build in builds], needs))

    def _check_repositories(self, call: ManagerCall) -> None:
        said = {"REPO_NAME": (call.target, self.settings.repo_name)}
        if call.source is not None:
            said["BUILD_REPO"] = (call.source, self.settings.build_repo)
        for key, (there, here) in said.items():
            if there != here:
                hint = f"{key} is {here} here; schedules of another repository are submitted from a checkout of it"
                raise RefusedError("is for another repository", got=there, hint=hint)

    def _check_commit(self, call: ManagerCall, snapshot: Snapshot) -> None:
        """The commit of the pipeline is often behind what it scheduled, which it pushed only later; never beside it."""
        repository, head = self.workshop.repository, snapshot.heads.main
        if call.commit is None or repository.is_ancestor(call.commit, head):
            return
        if not repository.is_shallow():
            hint = f"{snapshot.branch} was rewritten since, or another branch's pipeline made it"
            raise RefusedError(f"is of a commit that {snapshot.branch} does not have", got=call.commit, hint=hint)

    def _check_remaining(self, remaining: tuple[Pkgbase, ...] | None, packages: Collection[Pkgbase]) -> None:
        if remaining is None:
            return
        if not remaining:
            raise RefusedError("is a removal that leaves no package at all", hint="nothing was handed over")
        if not self.allows_mass_removal:
            check_removal(
                len(set(packages) - set(remaining)),
                len(packages),
                self.settings.remove_limit_percent,
                leaves_any=True,
                hint="nothing was handed over; if that is on purpose, use --allow-mass-removal",
            )

    def _verdict(self, pkgbase: Pkgbase, snapshot: Snapshot | None = None) -> Verdict:
        package = snapshot.packages[pkgbase] if snapshot else None
        if package is not None and package.config_fault is not None:
            return Verdict(package=pkgbase, code=Code.BAD_CONFIG, why=package.config_fault.what_and_where)
        fault = build_fault(self.backend, package) if package else self.backend.name_fault(pkgbase)
        if fault:
            return Verdict(package=pkgbase, code=Code.BAD_NAME, why=fault)
        version = package.version if package else None
        return Verdict(package=pkgbase, code=Code.REQUESTED, why=_WHY, now="is built", new=version, builds=True)


def _built(builds: Iterable[PendingBuild], verdicts: Iterable[Verdict]) -> tuple[PendingBuild, ...]:
    return tuple(build for build, verdict in zip(builds, verdicts, strict=True) if verdict.builds)


def _request(call: ManagerCall, snapshot: Snapshot) -> str:
    """The same for the same files as long as the packages in them are the same."""
    trees = [snapshot.packages[build.pkgbase].tree for build in call.builds]
    parts = [call.target, str(call.source), *trees, *(call.remaining or ("nothing is removed",))]
    occasion = hashlib.sha256("\n".join(parts).encode()).hexdigest()
    return request_id(call.commit or "no commit", 0, call.builds, occasion)


def _doubts(pair: LeftPair, schedule: Schedule) -> tuple[str, ...]:
    """What is wrong with the deptree that was left; the order is always that of the repository itself."""
    if not schedule.builds:
        return ()
    if pair.deptree is None:
        return ("there is no deptree.txt; the order is that of the .SRCINFO files",)
    left = {record.pkgbase: record for record in pair.deptree}
    own = {record.pkgbase: record for record in schedule.deptree}
    others = sorted(
        name
        for name in left.keys() | own.keys()
        if name not in left
        or name not in own
        or _sorted(left[name].names) != _sorted(own[name].names)
        or _sorted(left[name].dependencies) != _sorted(own[name].dependencies)
    )
    notes = (
        [f"deptree.txt has {_count(len(pair.broken), 'broken record')}: {_some(pair.broken)}"] if pair.broken else []
    )
    if others:
        differ = f"deptree.txt has {_count(len(others), 'package')} otherwise than the .SRCINFO files"
        notes.append(f"{differ}, which are believed: {_some(others)}")
    return tuple(notes)


def _sorted(names: Iterable[str]) -> list[str]:
    return sorted(set(names))


def _count(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def _some(names: Collection[str]) -> str:
    shown = list(names)[:_MOST_NAMED]
    more = len(names) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")
