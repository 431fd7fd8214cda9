"""A run of builds put together: its folder locked, its database, store and publisher open, and a place to build."""

from __future__ import annotations

import logging
import platform
from contextlib import ExitStack, closing, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ci_toolkit.announcing.pages import report_pages
from ci_toolkit.announcing.while_building import announcing
from ci_toolkit.backends.job_database import JobDatabase
from ci_toolkit.backends.job_logs import JobLogs
from ci_toolkit.backends.local_folder import local_folder
from ci_toolkit.building.builder import opened_builder
from ci_toolkit.building.local_builds import LocalBuilds
from ci_toolkit.building.one_job import JobMaker
from ci_toolkit.building.publishing_places import FIRST_PUBLISHER, PublishingPlaces
from ci_toolkit.building.what_is_kept import kept_objects, publisher_tools
from ci_toolkit.building.workplace import PlacesHere, ThisMachine
from ci_toolkit.effects.build_slots import build_slots
from ci_toolkit.effects.exclusive_lock import exclusive
from ci_toolkit.errors import FormatError, ToolkitError
from ci_toolkit.plugins import load_publisher, load_recipes, registered
from ci_toolkit.scheduling.queue import Capacity
from ci_toolkit.store.object_store import open_store

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterator, Mapping
    from contextlib import AbstractContextManager
    from pathlib import Path

    from ci_toolkit.backends.local_folder import LocalFolder
    from ci_toolkit.building.build_listener import Listener, RunSummary
    from ci_toolkit.building.workplace import BuildPlaces, Workplace
    from ci_toolkit.effects.clock import Clock
    from ci_toolkit.effects.process import Processes
    from ci_toolkit.effects.redaction import Redactor
    from ci_toolkit.model.settings import Settings
    from ci_toolkit.publishers.signing_key import SigningKey
    from ci_toolkit.publishers.spec import OpenPublisher, PublisherTools
    from ci_toolkit.store.object_store import ObjectStore

log = logging.getLogger(__name__)

_DAY_S = 86_400.0
_WAIT_S = 2.0  # one that is about to end is waited for


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildsRun:
    """Everything a run needs from outside: `place` is where all is kept, and `workplace` builds in `places`.

    `announcing` lasts as long as anything is built: whoever is told of that is told meanwhile.
    """

    settings: Settings
    place: LocalFolder
    environ: Mapping[str, str]
    clock: Clock
    processes: Processes
    open_key: Callable[[], AbstractContextManager[SigningKey]]
    workplace: Workplace
    places: BuildPlaces
    announcing: Callable[[], AbstractContextManager[object]] = nullcontext

    def run(self, listener: Listener, stop: threading.Event | None = None) -> RunSummary:
        """Build and publish everything that can be; with `stop`, until that is set, or this machine is at fault.

        NotReadyError while another process does, or without a key.
        """
        with ExitStack() as open_:
            open_.enter_context(exclusive(self.place.lock, who="builds run", wait_s=_WAIT_S, clock=self.clock))
            open_.enter_context(self.announcing())
            database = open_.enter_context(closing(JobDatabase(self.place.jobs)))
            store = open_.enter_context(open_store(self.place.store, who="builds run", clock=self.clock))
            maker = JobMaker(
                workplace=self.workplace,
                recipes=load_recipes(),
                publishers=frozenset(registered("publishers")),
                store=store,
                now=self.clock.now,
            )
            published = PublishingPlaces(self._opened_publisher, open_)
            for name in self._used_publishers(database, maker):
                published.open(name)
            builds = LocalBuilds(
                place=self.place,
                database=database,
                logs=JobLogs(folder=self.place.logs),
                published=published,
                maker=maker,
                places=self.places,
                clock=self.clock,
                listener=listener,
                tidy=lambda: self._tidy(database, store),
                stop=stop,
            )
            return builds.run()

    def _used_publishers(self, database: JobDatabase, maker: JobMaker) -> Iterator[str]:
        """Those that have published here, and those that what is queued goes to: the others need not be ready."""
        used: set[str | None] = {name for name in registered("publishers") if self.place.of_publisher(name).exists()}
        for job in database.unfinished():
            with suppress(FormatError):  # the job says so when its turn comes
                used.add(maker.publisher_of(database.folder(job.number)))
        yield from sorted(maker.publishers & used or {FIRST_PUBLISHER})

    def _opened_publisher(self, name: str) -> AbstractContextManager[OpenPublisher]:
        folder = self.place.of_publisher(name)
        if folder != self.place.repository:
            # It shows the next run that something was published, wherever that is.
            folder.mkdir(parents=True, exist_ok=True)
        return load_publisher(name).opened(self._tools_of(name))

    def _tools_of(self, name: str) -> PublisherTools:
        return publisher_tools(
            name,
            place=self.place,
            settings=self.settings,
            environ=self.environ,
            clock=self.clock,
            processes=self.processes,
            open_key=self.open_key,
        )

    def _tidy(self, database: JobDatabase, store: ObjectStore) -> None:
        """Remove what has been kept for long enough."""
        now_s = self.clock.now()
        before_s = now_s - self.settings.log_days * _DAY_S
        database.forget(before_s=before_s, let_go=JobLogs(folder=self.place.logs).remove)
        database.forget_happenings(before_s=before_s)
        try:
            kept = kept_objects(self.place, store, self._tools_of)
        except ToolkitError as error:
            log.warning("nothing leaves the store, as nobody can tell what is needed of it: %s", error)
        else:
            store.collect(before_s=now_s - self.settings.archive_days * _DAY_S, referenced=kept)


def capacity_of(settings: Settings) -> Capacity:
    """How many builds at once on this machine, as configured or as it has room for."""
    return Capacity(slots=build_slots(settings.build_slots), classes=settings.class_limits, host=platform.node())


@contextmanager
def opened_here(
    settings: Settings,
    *,
    environ: Mapping[str, str],
    clock: Clock,
    redactor: Redactor,
    processes: Processes,
    cache: Path,
    top: Path,
    open_key: Callable[[], AbstractContextManager[SigningKey]],
) -> Iterator[BuildsRun]:
    """A run that builds on this machine; MachineError when there is no such build root as the settings ask for.

    `top` is the folder that paths in the settings begin at.
    """
    capacity = capacity_of(settings)
    place = local_folder(settings, environ)
    with opened_builder(
        settings,
        environ=environ,
        clock=clock,
        redactor=redactor,
        processes=processes,
        cache=cache,
        slots=capacity.slots,
    ) as builder:
        yield BuildsRun(
            settings=settings,
            place=place,
            environ=environ,
            clock=clock,
            processes=processes,
            open_key=open_key,
            workplace=ThisMachine(builder=builder),
            places=PlacesHere(capacity=capacity),
            announcing=lambda: announcing(
                place,
                settings,
                environ=environ,
                clock=clock,
                redactor=redactor,
                pages=report_pages(settings.builds_url),
                top=top,
            ),
        )
