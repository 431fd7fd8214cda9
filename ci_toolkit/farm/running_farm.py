"""A farm that runs: its repositories, workers and clients, put together for Buildbot's side and the web side."""

from __future__ import annotations

import hashlib
import hmac
import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from functools import partial
from typing import TYPE_CHECKING

from ci_toolkit.backends.job_database import JobDatabase
from ci_toolkit.effects.downloads import Downloads
from ci_toolkit.effects.git_command import upstream_environment
from ci_toolkit.effects.process import Processes
from ci_toolkit.effects.web import Web, WebManners
from ci_toolkit.errors import RefusedError, ToolkitError
from ci_toolkit.farm.metrics import FarmMetrics
from ci_toolkit.farm.open_attempts import OpenAttempts
from ci_toolkit.farm.pipeline_book import PipelineBook
from ci_toolkit.farm.repository_service import RepositoryService
from ci_toolkit.farm.sick_hosts import FailedBuild, SickHosts
from ci_toolkit.farm.web.app import farm_app
from ci_toolkit.farm.worker_pool import WorkerPool
from ci_toolkit.model.job import Job, JobFilter
from ci_toolkit.recipes.build_sources import SourceFetcher

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flask import Flask

    from ci_toolkit.effects.clock import Clock
    from ci_toolkit.effects.redaction import Redactor
    from ci_toolkit.farm.attempts import Engine
    from ci_toolkit.farm.farm_file import FarmFile
    from ci_toolkit.farm.spec import Client, FarmRepository
    from ci_toolkit.farm.worker_pool import WorkerFacts
    from ci_toolkit.model.worker import Worker

log = logging.getLogger(__name__)

_MEMORY_FILE = "workers.json"
_PIPELINES_FILE = "pipelines.json"
_STOP_S = 45.0


class RunningFarm:
    """What everything shares; `attempts` and `pool` are there from the beginning, services once it is started."""

    def __init__(self, file: FarmFile, *, environ: Mapping[str, str], clock: Clock, redactor: Redactor) -> None:
        self.file = file
        self.url, self.is_public = file.layout.url, file.layout.is_public
        self._environ, self._clock, self._redactor = environ, clock, redactor
        self.pool = WorkerPool(file.workers, clock, file.top / _MEMORY_FILE)
        self.attempts = OpenAttempts(self.pool)
        self.metrics = FarmMetrics()
        for name, repository in file.repositories.items():
            self.metrics.begin(name, repository.settings.notifiers)
        self.pipelines = PipelineBook(file.top / _PIPELINES_FILE)
        self._faults: dict[str, str] = {}
        self._sick = SickHosts()
        self._sick_lock = threading.Lock()
        self._services: dict[str, RepositoryService] = {}
        self._open = ExitStack()
        self._notes = ThreadPoolExecutor(1, thread_name_prefix="notes")

    # from Buildbot's side

    def start(self, engine: Engine) -> None:
        """Serve every repository."""
        processes = Processes(redactor=self._redactor)
        for name, repository in self.file.repositories.items():
            service = RepositoryService(
                repository=repository,
                key=self.file.keys[name],
                pool=self.pool,
                engine=engine,
                fetcher=self._fetcher(repository, processes),
                listener=_Listener(self, name),
                faults=self,
                watch_sending=partial(self.metrics.notified, name),
                url=self.url,
                top=self.file.top,
                environ=self._environ,
                clock=self._clock,
                redactor=self._redactor,
                processes=processes,
            )
            self._services[name] = service
            service.start()

    def app(self) -> Flask:
        """What serves its pages and its API."""
        return farm_app(self, self.metrics, self._clock, self._redactor)

    def begin_to_stop(self) -> None:
        """Begin nothing more, and hold nothing that ends now against packages or workers; returns at once."""
        for service in self._services.values():
            service.stop()

    def stop(self) -> None:
        """End all of it; what is built is queued again."""
        self.begin_to_stop()
        for name, service in self._services.items():
            if not service.join(_STOP_S):
                log.error("%s: what it does did not end within %g s", name, _STOP_S)
        self._notes.shutdown()
        self._open.close()

    def worker_there(self, name: str, facts: WorkerFacts) -> None:
        """A worker is connected, or says something new of itself."""
        before = self.pool.facts(name)
        if facts.fault is not None and (before is None or before.fault != facts.fault):
            self._tell_of(name, f"is unfit: {facts.fault}")
        self.pool.connected(name, facts)

    def worker_gone(self, name: str, why: str) -> None:
        """A worker is not connected any more."""
        builds = next((worker.running for worker in self.workers() if worker.name == name), ())
        self.attempts.lose(name, why)
        self.pool.disconnected(name)
        if builds:
            self._tell_of(name, f"was lost while it built: {why}")

    def worker_leaves(self, name: str) -> None:
        """A worker finishes what it builds, and stops; once it is back it takes builds again."""
        self.pool.leaving(name)

    # for the web side: ci_toolkit.farm.spec.Farm

    @property
    def repositories(self) -> Mapping[str, FarmRepository]:
        """Those that it publishes, by name."""
        return self.file.repositories

    def client_of(self, token: str) -> Client | None:
        """Whose token that is."""
        digest = hashlib.sha256(token.encode()).hexdigest()
        found = None
        for entry in self.file.clients:
            if hmac.compare_digest(entry.token_sha256, digest):
                found = entry.client
        return found

    def workers(self) -> tuple[Worker, ...]:
        """Every machine, by name."""
        return self.pool.workers()

    def drain(self, worker: str, reason: str) -> None:
        """Have a worker finish what it builds and take nothing more."""
        self.pool.drain(worker, reason)

    def resume(self, worker: str) -> None:
        """Have a worker take builds again."""
        self.pool.resume(worker)

    def wake(self, repository: str) -> None:
        """Nothing: its thread looks several times a second whether somebody wrote to its jobs."""

    def faults(self) -> Mapping[str, str]:
        """Repositories in which nothing is begun or published at the moment, each with the reason."""
        return dict(self._faults)

    # from the repositories' threads

    def fault(self, repository: str, reason: str | None) -> None:
        """Nothing is begun or published there because of that; None: no longer."""
        if reason is None:
            self._faults.pop(repository, None)
        else:
            self._faults[repository] = reason

    def moved(self, repository: str, job: Job) -> None:
        """A job came to another state."""
        log.info("%s: job %d %s is %s: %s", repository, job.number, job.pkgbase, job.state.value, job.reason)
        self.metrics.moved(repository, job)
        if job.state.is_over:
            self._ended(repository, job)

    def _ended(self, repository: str, job: Job) -> None:
        """Its worker may be sick, or another one cleared."""
        if job.worker is None or job.log_of != job.number:
            return
        with self._sick_lock:
            if job.state.is_good:
                self._sick.succeeded(job.worker, repository, job.pkgbase)
            elif job.state.is_failure and job.losses == 0:
                self._judge_host(job.worker, FailedBuild(repository, job.pkgbase, job.number), job)

    def _judge_host(self, worker: str, build: FailedBuild, job: Job) -> None:
        cleared = self._sick.cleared_by(worker, build)
        if cleared is not None:
            self.pool.resume(cleared)
            self._tell_of(cleared, f"is trusted again: what it failed fails on {worker}, too")
        if not self.pool.has_other(worker, job.builder_class):
            return
        again = self._sick.failed(worker, build)
        if not again:
            return
        names = ", ".join(one.pkgbase for one in again)
        self.pool.quarantine(worker, f"it failed {names} one after the other")
        self._tell_of(worker, f"is in quarantine: it failed {names} one after the other; they are built elsewhere")
        for one in again:
            self._retry(one)

    def _retry(self, build: FailedBuild) -> None:
        try:
            with closing(JobDatabase(self.repositories[build.repository].place.jobs)) as database:
                found = database.jobs(JobFilter(numbers=frozenset({build.number})))
                if found:
                    database.retry(found[0], now_s=self._clock.now())
        except RefusedError as error:  # a newer one is on its way already
            log.info("%s", error)
        except ToolkitError as error:
            log.error("%s: %s", build.repository, error)  # noqa: TRY400 - a message for people, not a traceback

    def _tell_of(self, worker: str, text: str) -> None:
        """Have everybody told who wants to hear of workers, without waiting for any database here."""
        log.warning("worker %s %s", worker, text)
        self._notes.submit(self._note_trouble, worker, text)

    def _note_trouble(self, worker: str, text: str) -> None:
        for name, repository in self.repositories.items():
            try:
                with closing(JobDatabase(repository.place.jobs)) as database:
                    database.note_trouble(worker, text, now_s=self._clock.now())
            except ToolkitError as error:
                log.error("%s: %s", name, error)  # noqa: TRY400 - a message for people, not a traceback

    def _fetcher(self, repository: FarmRepository, processes: Processes) -> SourceFetcher:
        settings, cache = repository.settings, self.file.top / "cache"
        manners = WebManners(allow_local=settings.allow_local_upstreams, delay_s=settings.clone_delay_s)
        web = self._open.enter_context(closing(Web(clock=self._clock, manners=manners)))
        return SourceFetcher(
            downloads=Downloads(folder=cache / "downloads", web=web),
            processes=processes,
            env=upstream_environment(self._environ, allow_local=settings.allow_local_upstreams),
            cache=cache / "sources",
        )


class _Listener:
    """Hears what happens in one repository."""

    def __init__(self, farm: RunningFarm, repository: str) -> None:
        self._farm, self._repository = farm, repository

    def moved(self, job: Job) -> None:
        """A job came to another state."""
        self._farm.moved(self._repository, job)

    def published(self, outcome: str) -> None:
        """What is published was changed, or could not be."""
        self._farm.metrics.published(self._repository, outcome)

    def phase(self, job: Job, phase: str) -> None:
        """Phases are read off the database."""

    def left(self, *, queued: int, waiting: int) -> None:
        """So is what is left."""

    def note(self, text: str) -> None:
        """Something that belongs to no single job."""
        log.warning("%s: %s", self._repository, text)
