"""Which worker of a farm builds a job: a decision on the workers as they are, of values alone.

A job of class N is for workers of class N and higher, and goes to the one with the most remaining capacity: the most
free slots, of those to the lowest class, so that the heavy ones stay free for what needs them, and of those to the one
that is least in use. A job of a name is for the worker of that name. Free slots are counted and no shares of them:
owners say in slots how much a machine can take, so that half of a large one is more than the whole of a small one.
Where several repositories want places, the one with the more urgent jobs comes first, then the one that builds less,
then the one whose last turn is longer ago.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ci_toolkit.model.worker import Worker, WorkerState
from ci_toolkit.scheduling.queue import Place

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from ci_toolkit.model.job import Job

LOWEST_CLASS = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a repository has no place for: `builder_class` as jobs have it, and the highest priority among them."""

    builder_class: str | None
    priority: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FarmPlaces:
    """The places for one repository's jobs; `wishes` are those of the others.

    `turns` are greater for repositories that took a place later, and have none that never did.
    """

    workers: tuple[Worker, ...]
    repository: str
    wishes: Mapping[str, Collection[Wish]] = field(default_factory=dict)
    turns: Mapping[str, int] = field(default_factory=dict)

    def find(self, job: Job, running: Collection[Job]) -> Place | str | None:
        """A worker for the job; else the reason, None where the others are merely busy or others come first."""
        fitting = [worker for worker in self.workers if fits(worker, job.builder_class)]
        if not fitting:
            return nobody_fits(job.builder_class)
        taking = [worker for worker in fitting if worker.state.takes_builds]
        if not taking:
            return _all_absent(fitting, job.builder_class)
        free = {worker.name: self._free(worker, running) for worker in taking}
        open_ = [worker for worker in taking if free[worker.name] > 0 and not self._gives_way(job, worker, running)]
        if not open_:
            return None
        # Of as many free slots fewer slots are a larger share.
        best = min(open_, key=lambda one: (-free[one.name], one.builder_class, one.slots, one.name))
        return Place(worker=best.name)

    def _free(self, worker: Worker, running: Collection[Job]) -> int:
        """Its slots without those that jobs begun in this very decision take."""
        known = set(worker.running)
        new = sum(1 for job in running if job.worker == worker.name and (self.repository, job.number) not in known)
        return worker.free - new

    def _gives_way(self, job: Job, worker: Worker, running: Collection[Job]) -> bool:
        own = (sum(1 for other in running if other.worker is not None), self.turns.get(self.repository, 0))
        for repository, wishes in self.wishes.items():
            running_there = sum(1 for one in self.workers for name, _ in one.running if name == repository)
            beside = (running_there, self.turns.get(repository, 0))
            for wish in wishes:
                if fits(worker, wish.builder_class) and (wish.priority, *own) > (job.priority, *beside):
                    return True
        return False


def fits(worker: Worker, builder_class: str | None) -> bool:
    """Whether jobs of a class, or of a name, are for this worker at all."""
    own = builder_class or str(LOWEST_CLASS)
    if own.isdecimal():
        return worker.builder_class >= int(own)
    return worker.name == own


def nobody_fits(builder_class: str | None) -> str:
    """Why nothing is ever going to happen to a job of that class, or for a worker of that name."""
    own = builder_class or str(LOWEST_CLASS)
    return f"no worker of class {own}" if own.isdecimal() else f"no worker is called {own}"


def _all_absent(workers: Iterable[Worker], builder_class: str | None) -> str:
    """Why none of the workers that are meant takes anything."""
    said = ", ".join(f"{worker.name} is {_word(worker)}" for worker in workers)
    return f"of the workers for class {builder_class or LOWEST_CLASS}, {said}"


def _word(worker: Worker) -> str:
    return worker.state.value if worker.state is not WorkerState.UNFIT else f"unfit ({worker.reason})"
