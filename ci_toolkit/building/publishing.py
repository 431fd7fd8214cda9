"""What was built gets published: as much at once as there is, by a thread of its own, while other things are built."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ci_toolkit.building.one_job import available_packages
from ci_toolkit.building.publishing_batch import Batch, publish_batch
from ci_toolkit.model.job import JobState

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Executor
    from pathlib import Path

    from ci_toolkit.building.build_listener import Listener
    from ci_toolkit.building.job_book import JobBook
    from ci_toolkit.building.packages_at_hand import PackagesAtHand
    from ci_toolkit.building.publishing_batch import BatchEnd, ReadyJob
    from ci_toolkit.building.publishing_places import PublishingPlaces
    from ci_toolkit.effects.clock import Clock
    from ci_toolkit.errors import PublishError
    from ci_toolkit.store.object_store import ObjectStore

_EVERY_S = 5.0  # while something is built: nothing waits for it, and a publication takes half of a short build
_AGAIN_S = 300.0  # a place that could not be had


class Publishing:
    """The publishing side of a run; all but what `tell` is called with happens in the thread of the run.

    `tell` gets the end of every publication, which `handle` is then to be called with. `fault` is why something is
    not published that could be, if so, and `removed` names packages that are published no longer.
    """

    def __init__(
        self,
        places: PublishingPlaces,
        *,
        book: JobBook,
        at_hand: PackagesAtHand,
        store: ObjectStore,
        folder: Path,
        clock: Clock,
        listener: Listener,
        tell: Callable[[BatchEnd], None],
    ) -> None:
        self._places, self._book, self._at_hand, self._store = places, book, at_hand, store
        self._folder, self._clock, self._listener, self._tell = folder, clock, listener, tell
        self._ready: list[ReadyJob] = []
        self._held: list[ReadyJob] = []
        self._leaving: list[str] = []
        self._next_s = clock.monotonic()
        self._again_s = clock.monotonic()
        self.is_going = False
        self.fault: PublishError | None = None
        self.removed: list[str] = []

    def add(self, ready: ReadyJob) -> None:
        """This is to be published."""
        self._ready.append(ready)

    def begin(self, press: Executor, *, is_building: bool) -> None:
        """Publish all there is, unless there was a publication just now and something is built meanwhile."""
        for ready in [ready for ready in self._ready if ready.bases & self._at_hand.refused]:
            self._ready.remove(ready)
            self._refuse(ready, f"it was built against {min(ready.bases & self._at_hand.refused)}, which is not")
        waiting = {ready.stored.pkgbase for ready in self._held}
        for ready in [ready for ready in self._ready if ready.bases & waiting]:
            self._ready.remove(ready)
            self._hold(ready, f"{min(ready.bases & waiting)} is not published yet")
        now_s = self._clock.monotonic()
        if self.fault is not None and now_s >= self._again_s:
            self._take_up_held()
        gone = self._book.gone if self.fault is None else frozenset()
        if self.is_going or not (self._ready or gone) or (is_building and now_s < self._next_s):
            return
        for ready in [ready for ready in self._ready if ready.job.pkgbase in gone]:
            self._ready.remove(ready)
            queued = self._book.move(ready.job, JobState.QUEUED, "it is not published")
            if queued is not None:
                self._book.move(queued, JobState.CANCELLED, "its folder is gone")
        # From now on it is not there, so that what comes back meanwhile is published again.
        self._leaving = sorted(base for base in gone if self._at_hand.remove(base))
        batch, self._ready, self.is_going = Batch(jobs=tuple(self._ready), gone=gone), [], True
        press.submit(self._publish, batch)

    def _publish(self, batch: Batch) -> None:
        self._tell(publish_batch(batch, store=self._store, places=self._places, folder=self._folder))

    def handle(self, end: BatchEnd) -> BaseException | None:
        """A publication has ended; what ended it, where that is no fault of a place or package."""
        self.is_going = False
        self._next_s = self._clock.monotonic() + _EVERY_S
        is_failure = end.error is not None or bool(end.failed)
        self._listener.published("failed" if is_failure else "published")
        if end.error is not None:
            return end.error
        if not end.failed:
            self._book.removed(end.batch.gone)
            self.removed += self._leaving
        for name, error in end.failed.items():
            self.fault, self._again_s = error, self._clock.monotonic() + _AGAIN_S
            self._listener.note(f"{name} is left as it was: {error}")
        for ready in end.batch.jobs:
            self._handle_job(ready, end)
        return None

    def _handle_job(self, ready: ReadyJob, end: BatchEnd) -> None:
        base = ready.stored.pkgbase
        if ready.job.number in end.lost:
            self._at_hand.drop_built(base)
            self._book.move(ready.job, JobState.QUEUED, "its packages were damaged in the store")
        elif base in end.refused:
            self._refuse(ready, end.refused[base])
        elif base in end.held:
            self._hold(ready, f"{ready.publisher} cannot take it: {end.held[base].what}")
        else:
            self._at_hand.publish(base, available_packages(ready.stored, self._store))
            is_own = ready.job.log_of == ready.job.number
            state = JobState.SUCCEEDED if is_own else JobState.ALREADY_BUILT
            self._book.move(ready.job, state, f"{ready.job.version} is published")

    def _hold(self, ready: ReadyJob, why: str) -> None:
        """It stays what is to be published; other things go on."""
        self._held.append(ready)
        self._book.explain(ready.job, f"it is built, and {why}")

    def _take_up_held(self) -> None:
        """What still waits to be published, as nothing newer has taken its place."""
        waiting = {job.number: job for job in self._book.jobs if job.state is JobState.PUBLISHING}
        self._ready += [
            replace(ready, job=waiting[ready.job.number]) for ready in self._held if ready.job.number in waiting
        ]
        self._held, self.fault = [], None

    def _refuse(self, ready: ReadyJob, why: str) -> None:
        self._listener.published("refused")
        self._at_hand.refuse(ready.stored.pkgbase)
        self._book.move(ready.job, JobState.FAILED, f"it is not published: {why}")
