"""The machines of a farm as they are now, which the threads of all repositories, the engine and the web side share."""

from __future__ import annotations

import json
import threading
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ci_toolkit.effects.files import write_file
from ci_toolkit.errors import RefusedError
from ci_toolkit.model.names import nearest
from ci_toolkit.model.worker import Worker, WorkerState
from ci_toolkit.scheduling.placement import FarmPlaces, Wish, fits

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from ci_toolkit.effects.clock import Clock
    from ci_toolkit.farm.farm_file import WorkerEntry
    from ci_toolkit.model.job import Job
    from ci_toolkit.model.root_identity import RootIdentity

_AWAY = "it is not connected"


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerFacts:
    """What a worker says of itself when it connects; `fault` is why it cannot be used, if so."""

    version: str | None = None
    machine: str | None = None
    root: RootIdentity | None = None
    program: tuple[str, ...] = ()
    fault: str | None = None


@dataclass(slots=True)
class _Known:
    entry: WorkerEntry
    facts: WorkerFacts | None = None  # None while it is not connected
    drained: str | None = None
    quarantined: str | None = None
    is_leaving: bool = False
    running: list[tuple[str, int]] = field(default_factory=list)
    since_s: float = 0.0


class WorkerPool:
    """Everything may be called by any thread. What people decided is kept in `memory`, over restarts."""

    def __init__(self, entries: Mapping[str, WorkerEntry], clock: Clock, memory: Path) -> None:
        self._lock = threading.RLock()
        self._clock, self._memory = clock, memory
        self._changes = 0
        self._own_changes: Counter[str] = Counter()
        self._known = {name: _Known(entry, since_s=clock.now()) for name, entry in sorted(entries.items())}
        self._wishes: dict[str, frozenset[Wish]] = {}
        self._turns: dict[str, int] = {}
        self._recall()

    # as the engine sees them

    def connected(self, name: str, facts: WorkerFacts) -> None:
        """A worker is there, or says something new of itself."""
        with self._lock:
            known = self._known[name]
            if known.facts is None:
                known.since_s = self._clock.now()
            known.facts = facts
            self._changed()

    def disconnected(self, name: str) -> None:
        """A worker is gone."""
        with self._lock:
            self._known[name].facts = None
            self._known[name].is_leaving = False
            self._known[name].since_s = self._clock.now()
            self._changed()

    def leaving(self, name: str) -> None:
        """A worker wants nothing more, until it is connected anew."""
        with self._lock:
            self._known[name].is_leaving = True
            self._changed()

    def facts(self, name: str) -> WorkerFacts | None:
        """What a worker said of itself, None while it is not connected."""
        with self._lock:
            return self._known[name].facts

    # as people see them

    def workers(self) -> tuple[Worker, ...]:
        """Every machine, by name."""
        with self._lock:
            return tuple(map(_worker, self._known.values()))

    def drain(self, name: str, reason: str) -> None:
        """A worker takes nothing more until somebody says otherwise."""
        with self._lock:
            self._require(name).drained = reason
            self._keep(name)

    def quarantine(self, name: str, reason: str) -> None:
        """Likewise, because of what it does to builds."""
        with self._lock:
            self._require(name).quarantined = reason
            self._keep(name)

    def resume(self, name: str) -> None:
        """A worker takes builds again."""
        with self._lock:
            known = self._require(name)
            known.drained = known.quarantined = None
            self._keep(name)

    def has_other(self, name: str, builder_class: str | None) -> bool:
        """Whether another worker than this one takes builds of a class now."""
        with self._lock:
            others = [one for one in self.workers() if one.name != name and one.state.takes_builds]
            return any(fits(one, builder_class) for one in others)

    # as runs of builds see them

    def changes(self, repository: str = "") -> int:
        """Differs once anything has changed that this repository has not done itself."""
        with self._lock:
            return self._changes - self._own_changes[repository]

    @property
    def most(self) -> int:
        """The slots of all workers."""
        return sum(known.entry.slots for known in self._known.values())

    def places(self, repository: str) -> FarmPlaces:
        """Where jobs of a repository can be begun now."""
        with self._lock:
            others = {name: wishes for name, wishes in self._wishes.items() if name != repository and wishes}
            turns = dict(self._turns)
            return FarmPlaces(workers=self.workers(), repository=repository, wishes=others, turns=turns)

    def take(self, repository: str, job: Job) -> bool:
        """Take a slot of the worker that was found for a job; False when there is none any more."""
        with self._lock:
            known = self._known.get(job.worker or "")
            if known is None or _worker(known).free <= 0:
                return False
            known.running.append((repository, job.number))
            self._turns[repository] = max(self._turns.values(), default=0) + 1
            self._changed(repository)
            return True

    def leave(self, repository: str, job: Job) -> None:
        """The job needs its slot no longer."""
        with self._lock:
            for known in self._known.values():
                if (repository, job.number) in known.running:
                    known.running.remove((repository, job.number))
                    self._changed(repository)

    def want(self, repository: str, jobs: Iterable[Job]) -> None:
        """What a repository found no place for; nothing, when it is not going to take any."""
        highest: dict[str | None, int] = {}
        for job in jobs:
            highest[job.builder_class] = max(job.priority, highest.get(job.builder_class, job.priority))
        wishes = frozenset(Wish(builder_class=name, priority=priority) for name, priority in highest.items())
        with self._lock:
            if self._wishes.get(repository, frozenset()) != wishes:
                self._wishes[repository] = wishes
                self._changed(repository)

    # what outlives a restart

    def _keep(self, name: str) -> None:
        self._known[name].since_s = self._clock.now()
        kept = {
            one: {"drained": known.drained, "quarantined": known.quarantined}
            for one, known in self._known.items()
            if known.drained or known.quarantined
        }
        write_file(self._memory, json.dumps(kept, indent=1).encode() + b"\n")
        self._changed()

    def _recall(self) -> None:
        if not self._memory.exists():
            return
        for name, record in json.loads(self._memory.read_bytes()).items():
            if name in self._known:
                self._known[name].drained = record["drained"]
                self._known[name].quarantined = record["quarantined"]

    def _require(self, name: str) -> _Known:
        if name not in self._known:
            hint = nearest(name, self._known) or f"there are: {', '.join(self._known)}"
            raise RefusedError("is no worker of this farm", key=name, hint=hint)
        return self._known[name]

    def _changed(self, repository: str | None = None) -> None:
        self._changes += 1
        if repository is not None:
            self._own_changes[repository] += 1


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolPlaces:
    """The pool as the run of one repository uses it."""

    pool: WorkerPool
    repository: str

    @property
    def most(self) -> int:
        """As many as all workers have."""
        return max(1, self.pool.most)

    def now(self) -> FarmPlaces:
        """Workers and what others wish for."""
        return self.pool.places(self.repository)

    def take(self, job: Job) -> bool:
        """Take a slot of `job.worker`."""
        return self.pool.take(self.repository, job)

    def leave(self, job: Job) -> None:
        """Give it back."""
        self.pool.leave(self.repository, job)

    def want(self, jobs: Iterable[Job]) -> None:
        """Have others give way in their turn."""
        self.pool.want(self.repository, jobs)

    def changes(self) -> int:
        """The pool's, but for what this repository does."""
        return self.pool.changes(self.repository)


def _worker(known: _Known) -> Worker:
    state, reason = _state(known)
    facts = known.facts or WorkerFacts()
    return Worker(
        name=known.entry.name,
        builder_class=known.entry.builder_class,
        slots=known.entry.slots,
        state=state,
        reason=reason,
        since_s=known.since_s,
        running=tuple(known.running),
        version=facts.version,
        machine=facts.machine,
    )


def _state(known: _Known) -> tuple[WorkerState, str]:
    if known.quarantined is not None:
        return WorkerState.QUARANTINED, known.quarantined
    if known.facts is None:
        return WorkerState.AWAY, _AWAY
    if known.facts.fault is not None:
        return WorkerState.UNFIT, known.facts.fault
    if known.drained is not None or known.is_leaving:
        return WorkerState.DRAINING, known.drained or "it is being stopped"
    return (WorkerState.BUSY, "it builds") if known.running else (WorkerState.IDLE, "it is free")
