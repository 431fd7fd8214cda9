"""One run of the local backend: everything queued is built in order, stored, and published, until nothing can be begun.

One thread, this one, moves jobs and holds the database. A thread a slot makes packages, and one publishes: whatever
was built since it published the last time, some seconds ago, goes into one generation. A dependant begins when what it
needs is in the store. Killed at any moment, the next run goes on: a build that was running is queued again, packages
that were stored are found by their identity or published, and a publication that was not complete is undone or
completed by the publisher.
"""

from __future__ import annotations

import queue
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ci_toolkit.building.build_listener import RunSummary
from ci_toolkit.building.build_order import Order
from ci_toolkit.building.job_book import JobBook
from ci_toolkit.building.job_facts import facts_of, reason_after, state_after
from ci_toolkit.building.one_job import JobEnd, Made, NotMade, StillPublished, available_packages
from ci_toolkit.building.packages_at_hand import PackagesAtHand
from ci_toolkit.building.publishing import Publishing
from ci_toolkit.building.publishing_batch import BatchEnd, ReadyJob
from ci_toolkit.building.workplace import WorkerLostError
from ci_toolkit.errors import FormatError, ToolkitError
from ci_toolkit.formats.artifact_record import format_artifacts
from ci_toolkit.model.job import Job, JobState
from ci_toolkit.scheduling.queue import next_turns

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable

    from ci_toolkit.backends.job_database import JobDatabase
    from ci_toolkit.backends.job_logs import JobLogs
    from ci_toolkit.backends.local_folder import LocalFolder
    from ci_toolkit.building.build_listener import Listener
    from ci_toolkit.building.one_job import JobMaker
    from ci_toolkit.building.publishing_places import PublishingPlaces
    from ci_toolkit.building.workplace import BuildPlaces
    from ci_toolkit.effects.clock import Clock

_LOOK_S = 0.25
_TIDY_EVERY_S = 6 * 3600.0
_STOPPED = "the backend was stopped while it was being built"
_MOST_LOSSES = 3  # of workers while one job is built: it may be what kills them


@dataclass(frozen=True, slots=True, kw_only=True)
class _Began:
    number: int
    recipe: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Phase:
    number: int
    phase: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ended:
    number: int
    end: JobEnd | BaseException


class StoppedError(Exception):
    """Leaves a run that serves for ever."""


@dataclass(slots=True)
class _InHand:
    job: Job
    ending: str | None = None


@dataclass(kw_only=True)
class LocalBuilds:
    """One run; use it once.

    With `stop` it serves until that is set, or the machine is at fault. `tidy` removes what has been kept for long
    enough: at the end of a run, and now and then while one serves.
    """

    place: LocalFolder
    database: JobDatabase
    logs: JobLogs
    published: PublishingPlaces
    maker: JobMaker
    places: BuildPlaces
    clock: Clock
    listener: Listener
    tidy: Callable[[], None]
    stop: threading.Event | None = None

    def __post_init__(self) -> None:
        self._events: queue.SimpleQueue[_Began | _Phase | _Ended | BatchEnd] = queue.SimpleQueue()
        self._in_hand: dict[int, _InHand] = {}
        self._fault: ToolkitError | OSError | None = None
        self._dirty = True
        self._places_seen = self.places.changes()
        self._next_tidying_s = self.clock.monotonic()
        self._at_hand = PackagesAtHand(self.published.available())
        self._book = JobBook(self.database, self.clock, self.listener)
        self._publishing = Publishing(
            self.published,
            book=self._book,
            at_hand=self._at_hand,
            store=self.maker.store,
            folder=self.place.work / "publish",
            clock=self.clock,
            listener=self.listener,
            tell=self._events.put,
        )

    def run(self) -> RunSummary:
        """Until nothing more can be begun; what the machine refuses ends it early, with all jobs kept."""
        self._recover()
        try:
            with (
                ThreadPoolExecutor(self.places.most, thread_name_prefix="build") as pool,
                ThreadPoolExecutor(1, thread_name_prefix="publish") as press,
            ):
                try:
                    while self._step(pool, press) or self._serves:
                        self._handle_next()
                except BaseException:
                    for hand in self._in_hand.values():
                        hand.ending = "the backend was stopped"
                    raise
        finally:
            for hand in self._in_hand.values():
                self.places.leave(hand.job)
            for hand in self._in_hand.values():
                if hand.job.state is JobState.BUILDING:
                    self._book.move(hand.job, JobState.QUEUED, _STOPPED)
        self.tidy()
        ended = tuple(self._book.ended[number] for number in sorted(self._book.ended))
        return RunSummary(
            ended=ended,
            waiting=self._book.jobs,
            removed=tuple(self._publishing.removed),
            fault=self._fault or self._publishing.fault,
        )

    @property
    def _serves(self) -> bool:
        return self.stop is not None and self._fault is None

    # what a killed run left

    def _recover(self) -> None:
        shutil.rmtree(self.place.work, ignore_errors=True)
        self.logs.pack_leftovers()
        endings = self.database.endings()
        self._book.refresh()
        for job in self._book.jobs:
            if job.state is JobState.BUILDING:
                ending = endings.get(job.number)
                if ending:
                    self._book.move(job, ending.state, ending.reason)
                else:
                    self._book.move(job, JobState.QUEUED, "the backend was killed while it was being built")
            elif job.state is JobState.PUBLISHING:
                self._recover_built(job)

    def _recover_built(self, job: Job) -> None:
        stored = self.maker.store.build(self.database.build_of(job.number) or "")
        try:
            publisher = self.maker.publisher_of(self.database.folder(job.number))
        except FormatError:
            publisher = None
        if stored is None or publisher is None:
            self._book.move(job, JobState.QUEUED, "its packages are not in the store any more")
            return
        self._publishing.add(ReadyJob(job=job, stored=stored, publisher=publisher))
        self._at_hand.take_up(available_packages(stored, self.maker.store))

    # one step

    def _step(self, pool: ThreadPoolExecutor, press: ThreadPoolExecutor) -> bool:
        """Begin what can be begun; False when nothing is going on after that."""
        if self._book.refresh():
            self._dirty = True
            for number, ending in self.database.endings().items():
                if number in self._in_hand:
                    self._in_hand[number].ending = ending.reason
        if self.stop is not None and self.stop.is_set():
            raise StoppedError
        if self._serves and not self._publishing.is_going and self.clock.monotonic() >= self._next_tidying_s:
            self._next_tidying_s = self.clock.monotonic() + _TIDY_EVERY_S
            self.tidy()
        if self._places_seen != (seen := self.places.changes()):
            self._places_seen, self._dirty = seen, True
        if self._fault is None:
            while self._dirty:
                self._dirty = False
                self._take_turns(pool)
            self._publishing.begin(press, is_building=bool(self._in_hand))
        return bool(self._in_hand) or self._publishing.is_going

    def _take_turns(self, pool: ThreadPoolExecutor) -> None:
        jobs = [
            replace(job, state=JobState.BUILDING) if job.number in self._in_hand else job for job in self._book.jobs
        ]
        turns = next_turns(
            jobs,
            self._book.needs,
            failures=self._book.failures,
            published=self._at_hand.published_bases,
            places=self.places.now(),
        )
        held = {hold.job.number for hold in turns.held}
        for hold in turns.held:
            if (hold.job.waits_for, hold.job.reason) != (hold.waits_for, hold.reason):
                self._book.move(hold.job, JobState.WAITING, hold.reason, waits_for=hold.waits_for)
        for job in jobs:
            if job.state is JobState.WAITING and job.number not in held:
                self._book.move(job, JobState.QUEUED, "what it needs is there", waits_for=None)
            refusal = turns.unplaced.get(job.number)
            if refusal is not None and job.reason != refusal:
                self._book.explain(replace(job, state=JobState.QUEUED), refusal)
        self.places.want(job for job in jobs if job.number in turns.unplaced)
        left = sum(1 for job in jobs if job.state in (JobState.QUEUED, JobState.WAITING)) - len(turns.begun)
        self.listener.left(queued=left - len(held), waiting=len(held))
        for job in turns.begun:
            if self.places.take(job):
                self._begin(replace(job, state=JobState.QUEUED), pool)
            else:
                self._dirty = True

    def _begin(self, job: Job, pool: ThreadPoolExecutor) -> None:
        try:
            folder = self.database.folder(job.number)
        except FormatError as error:
            self._dirty = True
            self.places.leave(job)
            self._book.move(job, JobState.FAILED, f"{error.what}: schedule it again")
            return
        hand = self._in_hand[job.number] = _InHand(job)
        order = Order(
            job=job,
            folder=folder,
            available=self._at_hand.available,
            published=self._at_hand.published,
            work=self.place.work / str(job.number),
            log=self.logs.path(job.pkgbase, job.number),
            begun=lambda recipe: self._events.put(_Began(number=job.number, recipe=recipe)),
            phase=lambda phase: self._events.put(_Phase(number=job.number, phase=phase)),
            ending=lambda: hand.ending,
        )
        pool.submit(self._work, order)

    def _work(self, order: Order) -> None:
        try:
            end: JobEnd | BaseException = self.maker.make(order)
        except BaseException as error:  # noqa: BLE001 - handed to the thread that can say it
            end = error
        self._events.put(_Ended(number=order.job.number, end=end))

    # what has happened

    def _handle_next(self) -> None:
        try:
            event = self._events.get(timeout=_LOOK_S)
        except queue.Empty:
            return
        match event:
            case _Began(number=number, recipe=recipe):
                self._handle_begun(self._in_hand[number], recipe)
            case _Phase(number=number, phase=phase):
                self.database.set_phase(number, phase)
                self.listener.phase(self._in_hand[number].job, phase)
            case _Ended(number=number, end=end):
                self._dirty = True
                job = self._in_hand.pop(number).job
                self.places.leave(job)
                self._handle_end(job, end)
            case BatchEnd():
                self._dirty = True
                error = self._publishing.handle(event)
                if error is not None:
                    self._blame_machine(error)

    def _handle_begun(self, hand: _InHand, recipe: str) -> None:
        moved = self._book.move(
            hand.job,
            JobState.BUILDING,
            "its turn has come",
            started_at=self.clock.now(),
            log_of=hand.job.number,
            worker=hand.job.worker,
            recipe=recipe,
        )
        if moved is None:
            hand.ending = "it was ended before it began"
        else:
            hand.job = moved

    def _handle_end(self, job: Job, end: JobEnd | BaseException) -> None:
        ending = self.database.endings().get(job.number)
        if ending is not None:
            self._book.move(job, ending.state, ending.reason)
        elif isinstance(end, WorkerLostError):
            self._handle_lost(job, end)
        elif isinstance(end, BaseException):
            self._blame_machine(end)
            if job.state is JobState.BUILDING:
                self._book.move(job, JobState.QUEUED, f"this machine could not go on: {end}")
        elif isinstance(end, Made):
            self._handle_made(job, end)
        elif isinstance(end, NotMade):
            facts = facts_of(end.result, end.outcome)
            self._book.move(job, state_after(end.outcome), reason_after(end.outcome), recipe=end.recipe, **facts)
        elif isinstance(end, StillPublished):
            self._book.move(job, JobState.ALREADY_BUILT, end.reason, version=end.version, recipe=end.recipe)
        self.logs.pack(job.pkgbase, job.number)

    def _handle_lost(self, job: Job, error: WorkerLostError) -> None:
        """It is built elsewhere, unless it has cost enough machines."""
        if job.state is not JobState.BUILDING:
            return
        if self.stop is not None and self.stop.is_set():
            self._book.move(job, JobState.QUEUED, _STOPPED)
            return
        losses = job.losses + error.begun
        if losses < _MOST_LOSSES:
            self._book.move(job, JobState.QUEUED, error.what, losses=losses)
        else:
            self._book.move(
                job, JobState.FAILED, f"{error.what}; {losses} workers were lost while it was built", losses=losses
            )

    def _handle_made(self, job: Job, made: Made) -> None:
        stored = made.stored
        version = stored.packages[0].version
        facts: dict[str, float | str | None] = {
            "version": version,
            "build": stored.identity,
            "recipe": made.recipe,
            "size_bytes": made.size_bytes,
            "artifacts": format_artifacts(made.artifacts),
            **facts_of(made.result),
        }
        new, why = JobState.PUBLISHING, "it is built"
        if made.result is None:
            facts["log_of"], why = stored.job, f"job {stored.job} built the same"
            if self._at_hand.are_published(made.packages):
                new = JobState.ALREADY_BUILT
        moved = self._book.move(job, new, why, **facts)
        if moved is None:  # nobody wants it any more, and nothing else is built with it
            return
        self._at_hand.take_up(made.packages)
        if new is JobState.PUBLISHING:
            self._publishing.add(ReadyJob(job=moved, stored=stored, publisher=made.publisher))

    def _blame_machine(self, error: BaseException) -> None:
        """The machine is at fault and no package: nothing more is begun, and every job is kept."""
        if not isinstance(error, ToolkitError | OSError):
            raise error
        self._fault = self._fault or error
