"""When what is queued is going to be built: a guess by how long each package took before, and what workers are free.

Builds are dealt out in the order in which the farm begins them. A package that was never built is given the time that
others take where it stands in somebody's way, and nothing is said of its own end.
"""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ci_toolkit.model.job import Job, JobState
from ci_toolkit.scheduling.placement import fits, nobody_fits
from ci_toolkit.scheduling.queue import Needs, Place, next_turns

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from ci_toolkit.model.names import Pkgbase
    from ci_toolkit.model.worker import Worker

HISTORY = 5
"""How many earlier builds of a package count."""
_USUAL_S = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class QueuePlace:
    """Where a job is: its `position` in the queue from 1, None when it has begun, and why it has not.

    Times are seconds since 1970, None where there is nothing to go by.
    """

    job: Job
    position: int | None
    reason: str
    starts_at_s: float | None
    ends_at_s: float | None


def queue_places(
    jobs: Sequence[Job],
    needs: Needs,
    *,
    repository: str,
    failures: Mapping[Pkgbase, Job],
    workers: Iterable[Worker],
    durations: Mapping[Pkgbase, Sequence[float]],
    now_s: float,
) -> tuple[QueuePlace, ...]:
    """A repository's jobs that are not over: those that have begun, and then the others in the order of their turns.

    What workers build for other repositories keeps them busy, too; what those have queued is not counted on.
    """
    desk = _Dealing(repository, tuple(workers), durations, now_s)
    begun = [job for job in jobs if job.state in (JobState.BUILDING, JobState.PUBLISHING)]
    places = [desk.begun(job) for job in begun]
    turns = next_turns(
        jobs,
        needs,
        failures=failures,
        published={job.pkgbase for job in jobs} | failures.keys(),
        places=_Anywhere(),
    )
    pending = needs.bits({job.pkgbase for job in jobs})
    held = sorted((hold.job for hold in turns.held), key=lambda job: (_ahead(job, needs, pending), job.number))
    dealt = {job.number for job in (*begun, *turns.begun, *held)}
    # A package has one turn at a time: what comes after a build of its own that has begun is none of these.
    behind = [job for job in jobs if job.number not in dealt]
    for position, job in enumerate((*turns.begun, *held, *behind), start=1):
        needed = needs.names(needs.before(job.pkgbase) & pending)
        places.append(desk.turn(job, position, [*needed, *([job.waits_for] if job.waits_for else [])]))
    return tuple(places)


def _ahead(job: Job, needs: Needs, pending: int) -> tuple[int, int]:
    """How many others come first, and what somebody asked for before what nobody did."""
    return (needs.before(job.pkgbase) & pending).bit_count(), -job.priority


class _Anywhere:
    """Room for all at once, by which what is begun is the order alone."""

    def find(self, job: Job, running: Collection[Job]) -> Place | str | None:  # noqa: ARG002 - as places are asked
        """Somewhere, always."""
        return Place()


class _Dealing:
    """Gives jobs to workers, one after the other, and notes when each is going to be free."""

    def __init__(
        self,
        repository: str,
        workers: Sequence[Worker],
        durations: Mapping[Pkgbase, Sequence[float]],
        now_s: float,
    ) -> None:
        self._workers = {worker.name: worker for worker in workers}
        self._now_s = now_s
        self._known = {name: statistics.median(took) for name, took in durations.items() if took}
        self._usual_s = statistics.median(self._known.values()) if self._known else _USUAL_S
        self._free = {
            worker.name: [now_s] * worker.slots for worker in workers if worker.state.takes_builds and worker.slots
        }
        for worker in workers:
            for other, _ in worker.running:
                if other != repository and worker.name in self._free:
                    self._occupy(worker.name, now_s + self._usual_s)
        self._ends: dict[Pkgbase, float | None] = {}

    def begun(self, job: Job) -> QueuePlace:
        """One that is being built, or published."""
        known = self._known.get(job.pkgbase)
        started_s = job.started_at_s or self._now_s
        is_built = job.state is JobState.PUBLISHING
        end_s = self._now_s if is_built else max(self._now_s, started_s + (known or self._usual_s))
        if job.worker in self._free and not is_built:
            self._occupy(job.worker, end_s)
        end = end_s if is_built or known is not None else None
        self._ends[job.pkgbase] = end
        return QueuePlace(job=job, position=None, reason=job.reason, starts_at_s=job.started_at_s, ends_at_s=end)

    def turn(self, job: Job, position: int, needed: Iterable[Pkgbase]) -> QueuePlace:
        """One that has not begun, and has to wait for what it needs."""
        ends = [self._ends.get(name) for name in needed]
        fitting = [name for name in self._free if fits(self._workers[name], job.builder_class)]
        if not any(fits(worker, job.builder_class) for worker in self._workers.values()):
            return self._unknown(job, position, nobody_fits(job.builder_class))
        if not fitting or any(end is None for end in ends):
            return self._unknown(job, position, job.reason)
        name = min(fitting, key=lambda one: (min(self._free[one]), one))
        start_s = max([min(self._free[name]), self._now_s, *(end for end in ends if end is not None)])
        known = self._known.get(job.pkgbase)
        self._occupy(name, start_s + (known or self._usual_s))
        end = None if known is None else start_s + known
        self._ends[job.pkgbase] = end
        return QueuePlace(job=job, position=position, reason=job.reason, starts_at_s=start_s, ends_at_s=end)

    def _occupy(self, worker: str, end_s: float) -> None:
        """Take the slot of a worker that is free first."""
        slots = self._free[worker]
        slots[slots.index(min(slots))] = end_s

    def _unknown(self, job: Job, position: int, reason: str) -> QueuePlace:
        self._ends[job.pkgbase] = None
        return QueuePlace(job=job, position=position, reason=reason, starts_at_s=None, ends_at_s=None)
