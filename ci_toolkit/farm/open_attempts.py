"""The attempts that are going on, by their names: what connects repositories' threads with Buildbot's builds.

All of it happens in the reactor's thread.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary, WeakValueDictionary

from twisted.internet.defer import DeferredLock

from ci_toolkit.building.workplace import WorkerLostError

if TYPE_CHECKING:
    from ci_toolkit.farm.attempts import Attempt
    from ci_toolkit.farm.handed_build import HandedResult
    from ci_toolkit.farm.worker_pool import WorkerPool


@dataclass(slots=True)
class _Open:
    attempt: Attempt
    step: Any = None  # Buildbot's, once it runs


class OpenAttempts:
    """Each is added before Buildbot hears of it, claimed by its build, and over when it has a result."""

    def __init__(self, pool: WorkerPool) -> None:
        self._pool = pool
        self._open: dict[str, _Open] = {}
        self._sending: WeakValueDictionary[tuple[str, str], DeferredLock] = WeakValueDictionary()
        self._slots_used: WeakKeyDictionary[Any, set[str]] = WeakKeyDictionary()

    def add(self, attempt: Attempt) -> None:
        """From now on its build may claim it."""
        self._open[attempt.order.attempt] = _Open(attempt)

    def claim(self, name: str, step: Any) -> Attempt | None:  # noqa: ANN401 - Buildbot's
        """The attempt that a build is for; None when it is over, so that the build does nothing."""
        found = self._open.get(name)
        if found is None or found.step is not None or found.attempt.worker != step.worker.workername:
            return None
        found.step = step
        return found.attempt

    def step_of(self, attempt: Attempt) -> Any:  # noqa: ANN401 - Buildbot's
        """The step that runs it, None while none does."""
        found = self._open.get(attempt.order.attempt)
        return None if found is None else found.step

    def is_open(self, attempt: Attempt) -> bool:
        """Whether it has no result yet."""
        return attempt.order.attempt in self._open

    def sending(self, worker: str, sha256: str) -> DeferredLock:
        """To be held while a package is sent to a worker: two that do so at once would write to one file there."""
        return self._sending.setdefault((worker, sha256), DeferredLock())

    def is_first(self, connection: Any, slot: str) -> bool:  # noqa: ANN401 - Buildbot's
        """Whether nothing was built in a slot over this connection: there may be leftovers of builds over another."""
        used = self._slots_used.setdefault(connection, set())
        if slot in used:
            return False
        used.add(slot)
        return True

    def finish(self, attempt: Attempt, result: HandedResult) -> None:
        """It is over, with what the worker says."""
        if self._open.pop(attempt.order.attempt, None) is not None:
            attempt.result.set_result(result)

    def fail(self, attempt: Attempt, error: WorkerLostError) -> None:
        """It is over, with nothing."""
        if self._open.pop(attempt.order.attempt, None) is not None:
            attempt.result.set_exception(error)

    def lose(self, worker: str, why: str) -> None:
        """All that were on a worker are over."""
        for one in [one for one in self._open.values() if one.attempt.worker == worker]:
            what = "while it built" if one.step is not None else "before it began"
            error = WorkerLostError(f"worker {worker} was lost {what}: {why}", begun=one.step is not None)
            self.fail(one.attempt, error)

    def program(self, worker: str) -> tuple[str, ...]:
        """How ci-toolkit is called on a worker."""
        facts = self._pool.facts(worker)
        if facts is None:
            raise WorkerLostError(f"worker {worker} is not connected")
        return facts.program
