"""The jobs that are not over, as the one process that builds sees them: read anew when another process wrote something.

Thousands of jobs are looked at whenever one begins or ends, and reading all of them takes longer than deciding.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ci_toolkit.model.job import Job, JobFilter, JobState
from ci_toolkit.scheduling.dependencies import circles, edges
from ci_toolkit.scheduling.queue import Needs

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ci_toolkit.backends.job_database import JobDatabase
    from ci_toolkit.building.build_listener import Listener
    from ci_toolkit.effects.clock import Clock
    from ci_toolkit.model.names import Pkgbase


class JobBook:
    """`needs` tells which package needs which, `gone` which are to be published no longer.

    `failures` has the last job of packages where that failed, `ended` what came to an end while this book was kept.
    """

    def __init__(self, database: JobDatabase, clock: Clock, listener: Listener) -> None:
        self._database, self._clock, self._listener = database, clock, listener
        self._seen = -1
        self._open: dict[int, Job] = {}
        self._told_circles: set[tuple[Pkgbase, ...]] = set()
        self.needs = Needs({})
        self.failures: dict[Pkgbase, Job] = {}
        self.gone: frozenset[Pkgbase] = frozenset()
        self.ended: dict[int, Job] = {}

    @property
    def jobs(self) -> tuple[Job, ...]:
        """Those that are not over, oldest first."""
        return tuple(self._open[number] for number in sorted(self._open))

    def refresh(self) -> bool:
        """Take notice of what other processes wrote; whether they did."""
        changes = self._database.changes()
        if changes == self._seen:
            return False
        self._seen = changes
        self._open = {job.number: job for job in self._database.unfinished()}
        self.failures = self._database.failures()
        self.gone = self._database.removals()
        self._read_needs()
        return True

    def move(self, job: Job, new: JobState, reason: str, **facts: float | str | None) -> Job | None:
        """The job as it is then; None when another process moved it meanwhile, or had it end otherwise."""
        is_done = self._database.move(job, new, reason, now_s=self._clock.now(), **facts)
        if not is_done and job.state is not JobState.BUILDING:
            return None
        moved = self._database.jobs(JobFilter(numbers=frozenset({job.number})))[0]
        self._note(moved)
        self._listener.moved(moved)
        return moved if is_done else None

    def explain(self, job: Job, reason: str) -> None:
        """Say something else of a job that stays where it is."""
        self._database.explain(job, reason)
        if job.number in self._open:
            self._open[job.number] = replace(self._open[job.number], reason=reason)

    def removed(self, packages: Iterable[Pkgbase]) -> None:
        """Those are not published any more."""
        done = frozenset(packages)
        self._database.removed(done, now_s=self._clock.now())
        self.gone -= done

    def _note(self, job: Job) -> None:
        if not job.state.is_over:
            self._open[job.number] = job
            return
        self._open.pop(job.number, None)
        self.ended[job.number] = job
        if job.state.is_failure:
            self.failures[job.pkgbase] = job
        elif job.state.is_good:
            self.failures.pop(job.pkgbase, None)

    def _read_needs(self) -> None:
        records = self._database.deptree()
        for job in self._open.values():
            if job.also_needs and job.pkgbase in records:
                record = records[job.pkgbase]
                more = set(job.also_needs) - set(record.names)
                records[job.pkgbase] = replace(record, dependencies=(*record.dependencies, *sorted(more)))
        direct = edges(records.values())
        self.needs = Needs(direct)
        self._tell_circles(direct)

    def _tell_circles(self, needs: Mapping[Pkgbase, frozenset[Pkgbase]]) -> None:
        names = {job.pkgbase for job in self._open.values()}
        for circle in circles({name: needed & names for name, needed in needs.items() if name in names}):
            if circle not in self._told_circles:
                self._told_circles.add(circle)
                text = f"{', '.join(sorted(circle))} depend on each other in a circle, and are built by name"
                self._listener.note(text)
