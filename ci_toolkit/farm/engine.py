"""Buildbot as the farm uses it: one builder a slot of a worker, and a request only for what can begin at once.

So Buildbot never has to choose between requests or workers, and asks nobody while it does. What a request was for is
kept in memory: one that an earlier master left finds nobody who wants it, and ends without doing anything.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from twisted.internet import defer

from ci_toolkit.building.workplace import WorkerLostError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from ci_toolkit.farm.attempts import Attempt
    from ci_toolkit.farm.open_attempts import OpenAttempts

log = logging.getLogger(__name__)

SCHEDULER = "ci-toolkit"
_SOURCE = "ci-toolkit"  # where Buildbot says that a property comes from


def builder_names(worker: str, slots: int) -> list[str]:
    """One a slot, as a builder does one build at a time on a worker."""
    return [f"{worker}-{number}" for number in range(1, slots + 1)]


@dataclass(slots=True)
class _Slot:
    builder: str
    attempt: Attempt | None = None
    request: int | None = None


class BuildbotEngine:
    """Runs attempts; `master` is Buildbot's, which has to be running.

    `cut_off` ends the connection to a worker, which makes Buildbot forget what it thought of that: one that does not
    begin within `patience_s` may be stuck after a fault of Buildbot's database.
    """

    def __init__(
        self,
        master: Any,  # noqa: ANN401 - Buildbot has no types
        attempts: OpenAttempts,
        *,
        patience_s: float,
        cut_off: Callable[[str, str], None],
    ) -> None:
        self._master, self._attempts = master, attempts
        self._patience_s, self._cut_off = patience_s, cut_off
        self._slots: dict[str, list[_Slot]] = {}

    def configure(self, worker: str, slots: int) -> None:
        """A worker has so many slots."""
        known = {slot.builder: slot for slot in self._slots.get(worker, ())}
        self._slots[worker] = [known.get(name, _Slot(name)) for name in builder_names(worker, slots)]

    def begin(self, attempt: Attempt) -> None:
        """Have it built; its result comes in any case."""
        self._soon(self._begin(attempt), attempt)

    def end(self, attempt: Attempt, reason: str) -> None:
        """Have it end; its result comes soon."""
        self._soon(self._end(attempt, reason), attempt)

    def _soon(self, work: Coroutine[Any, Any, None], attempt: Attempt) -> None:
        def start() -> None:
            defer.ensureDeferred(work).addErrback(failed)

        def failed(failure: Any) -> None:  # noqa: ANN401 - Twisted's
            error = (type(failure.value), failure.value, failure.getTracebackObject())
            log.error("job %d of %s on %s", attempt.job.number, attempt.repository, attempt.worker, exc_info=error)
            why = f"Buildbot refused it: {failure.getErrorMessage()}"
            self._attempts.fail(attempt, WorkerLostError(why, begun=False))

        self._master.reactor.callFromThread(start)

    async def _begin(self, attempt: Attempt) -> None:
        self._attempts.add(attempt)
        slot = self._free_slot(attempt)
        slot.attempt, slot.request = attempt, None
        builder = await self._master.data.updates.findBuilderId(slot.builder)
        job = attempt.job
        properties = {
            "attempt": attempt.order.attempt,
            "job": job.number,
            "package": job.pkgbase,
            "repository": attempt.repository,
            # Builds are listed by what they are for, and not by the slot that happened to be free.
            "virtual_builder_name": attempt.repository,
        }
        _, requests = await self._master.data.updates.addBuildset(
            waited_for=False,
            scheduler=SCHEDULER,
            sourcestamps=[
                {
                    "codebase": "",
                    "repository": "",
                    "branch": None,
                    "revision": job.commit,
                    "project": attempt.repository,
                }
            ],
            reason=f"job {job.number}: {job.pkgbase}",
            properties={name: (value, _SOURCE) for name, value in properties.items()},
            builderids=[builder],
        )
        slot.request = requests[builder]
        self._master.reactor.callLater(self._patience_s, self._give_up_unclaimed, attempt)

    def _give_up_unclaimed(self, attempt: Attempt) -> None:
        if self._attempts.is_open(attempt) and self._attempts.step_of(attempt) is None:
            self._cut_off(attempt.worker, f"it did not begin a build within {self._patience_s:g} s")

    async def _end(self, attempt: Attempt, reason: str) -> None:
        step = self._attempts.step_of(attempt)
        if step is not None:
            await step.build.stopBuild(reason)
            return
        slots = (slot for slots in self._slots.values() for slot in slots)
        slot = next((slot for slot in slots if slot.attempt is attempt), None)
        self._attempts.fail(attempt, WorkerLostError(reason, begun=False))
        if slot is not None and slot.request is not None:
            place = ("buildrequests", str(slot.request))
            await self._master.data.control("cancel", {"reason": reason}, place)

    def _free_slot(self, attempt: Attempt) -> _Slot:
        for slot in self._slots[attempt.worker]:
            if slot.attempt is None or not self._attempts.is_open(slot.attempt):
                return slot
        raise WorkerLostError(f"worker {attempt.worker} has no slot left", begun=False)
