"""A farm without machines: real job databases, real HTTP, and a stand-in for whatever builds."""

from __future__ import annotations

import hmac
import threading
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import requests
from twisted.internet.epollreactor import EPollReactor

from ci_toolkit.backends.buildbot import SCHEDULE_TYPE
from ci_toolkit.backends.handed_schedule import HandedSchedule, format_handed
from ci_toolkit.backends.job_database import JobDatabase
from ci_toolkit.backends.job_logs import JobLogs
from ci_toolkit.backends.local_folder import LocalFolder
from ci_toolkit.effects.clock import SystemClock
from ci_toolkit.effects.redaction import Redactor
from ci_toolkit.errors import RefusedError
from ci_toolkit.farm.metrics import FarmMetrics
from ci_toolkit.farm.pipeline_book import PipelineBook
from ci_toolkit.farm.spec import Client, FarmRepository
from ci_toolkit.farm.web.app import end_app, farm_app
from ci_toolkit.farm.web.site import farm_site, listen
from ci_toolkit.formats.key_value import KeyValueFile
from ci_toolkit.model.settings import parse_settings
from ci_toolkit.model.worker import Worker, WorkerState
from tests.support.jobs import bring, folders

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from flask import Flask

    from ci_toolkit.effects.clock import Clock
    from ci_toolkit.model.job import Job, JobState
    from ci_toolkit.scheduling.schedule import Schedule

TOKEN, OPERATOR, STRANGER = "token-of-the-pipelines", "token-of-the-operator", "token-of-another-repository"
CANARY = "canary-in-the-farms-own-environment"


@dataclass
class QuietFarm:
    """Publishes `samples` of the sources `samples` and `more`, and `other` of `other`."""

    folder: Path
    url: str = "https://farm.example.org"
    is_public: bool = True
    woken: list[str] = field(default_factory=list)
    broken: dict[str, str] = field(default_factory=dict)
    machines: dict[str, Worker] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.pipelines = PipelineBook(self.folder / "pipelines.json")
        settings = parse_settings(KeyValueFile.parse(b"", file=".ci/config"), {})
        self.repositories = {
            name: FarmRepository(
                name=name,
                sources=sources,
                place=LocalFolder(top=self.folder / name, repository=self.folder / name / "repository"),
                settings=replace(settings, repo_name=name),
            )
            for name, sources in (("samples", ("samples", "more")), ("other", ("other",)))
        }
        self._clients = {
            TOKEN: _client("pipelines", {"samples"}, {"samples", "more"}),
            OPERATOR: _client("operator", {"samples", "other"}, {"samples", "more", "other"}, operates=True),
            STRANGER: _client("stranger", {"other"}, {"other"}),
        }

    def client_of(self, token: str) -> Client | None:
        found = [client for own, client in self._clients.items() if hmac.compare_digest(own, token)]
        return found[0] if found else None

    def workers(self) -> tuple[Worker, ...]:
        return tuple(worker for _, worker in sorted(self.machines.items()))

    def drain(self, worker: str, reason: str) -> None:
        self._change(worker, WorkerState.DRAINING, reason)

    def resume(self, worker: str) -> None:
        self._change(worker, WorkerState.IDLE, "")

    def wake(self, repository: str) -> None:
        self.woken.append(repository)

    def faults(self) -> dict[str, str]:
        return self.broken

    # what tests do with it

    def add_worker(self, name: str, state: WorkerState = WorkerState.IDLE, **more: Any) -> None:
        values: dict[str, Any] = {"builder_class": 3, "slots": 1, "reason": "", "since_s": 1_763_700_000.0, **more}
        self.machines[name] = Worker(name=name, state=state, **values)

    @contextmanager
    def database(self, repository: str = "samples") -> Iterator[JobDatabase]:
        with closing(JobDatabase(self.repositories[repository].place.jobs)) as opened:
            yield opened

    def bring(
        self, job: Job, state: JobState, *, repository: str = "samples", now_s: float = 200.0, **facts: Any
    ) -> Job:
        """Take a job to a state; one that is begun has a log of its own from then on."""
        with self.database(repository) as database:
            return bring(database, job, state, now_s=now_s, **facts)

    def write_log(self, job: Job, text: str, *, repository: str = "samples") -> Path:
        """Add to a job's log, which is there before the job's record names it."""
        path = JobLogs(folder=self.repositories[repository].place.logs).path(job.pkgbase, job.number)
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a") as file:
            file.write(text)
        return path

    def _change(self, worker: str, state: WorkerState, reason: str) -> None:
        if worker not in self.machines:
            raise RefusedError(f"there is no worker {worker}")
        self.machines[worker] = replace(self.machines[worker], state=state, reason=reason)


@dataclass(frozen=True)
class ServedFarm:
    """A farm that is served at `url`."""

    farm: QuietFarm
    metrics: FarmMetrics
    app: Flask
    url: str


@contextmanager
def quiet_app(farm: QuietFarm, *, clock: Clock | None = None) -> Iterator[tuple[Flask, FarmMetrics]]:
    """The application, without a server."""
    metrics = FarmMetrics()
    app = farm_app(farm, metrics, clock or SystemClock(), Redactor({"CI_FARM_TOKEN": CANARY}))
    try:
        yield app, metrics
    finally:
        end_app(app)


@contextmanager
def served(farm: QuietFarm, *, clock: Clock | None = None, port: int = 0) -> Iterator[ServedFarm]:
    """The application behind a server of its own, on loopback."""
    with ExitStack() as stack:
        app, metrics = stack.enter_context(quiet_app(farm, clock=clock))
        bound = stack.enter_context(serving(app, port))
        yield ServedFarm(farm=farm, metrics=metrics, app=app, url=f"http://127.0.0.1:{bound}")


@contextmanager
def serving(app: Flask, port: int = 0) -> Iterator[int]:
    """Its port on loopback, where the application is served."""
    # A reactor of its own, as one that was stopped cannot be started again.
    reactor: Any = EPollReactor()
    found: list[int] = []
    is_up = threading.Event()

    def begin() -> None:
        listening: Any = listen(farm_site(app, reactor), f"tcp:{port}:interface=127.0.0.1", reactor)
        listening.addCallback(lambda bound: found.append(bound.getHost().port))
        listening.addBoth(lambda _: is_up.set())

    reactor.callWhenRunning(begin)
    thread = threading.Thread(target=reactor.run, kwargs={"installSignalHandlers": False}, daemon=True)
    thread.start()
    assert is_up.wait(20)
    try:
        yield found[0]
    finally:
        reactor.callFromThread(reactor.stop)
        thread.join(20)
        assert not thread.is_alive()


def _client(name: str, repositories: set[str], sources: set[str], *, operates: bool = False) -> Client:
    return Client(name=name, repositories=frozenset(repositories), sources=frozenset(sources), operates=operates)


def bearer(token: str) -> dict[str, str]:
    """The header that a client sends."""
    return {"Authorization": f"Bearer {token}"}


def handed(made: Schedule, text: str = "") -> bytes:
    """A schedule as it is sent, with folders of that content."""
    contents = folders((build.pkgbase for build in made.builds), text)
    return format_handed(HandedSchedule(schedule=made, at_s=1.0, folders=contents))


def hand_in(
    url: str,
    content: bytes,
    *,
    token: str = TOKEN,
    repository: str = "samples",
    source: str = "samples",
    **headers: str,
) -> requests.Response:
    """Send a schedule."""
    own = {
        "Content-Type": SCHEDULE_TYPE,
        **bearer(token),
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    return requests.post(
        f"{url}/api/repositories/{repository}/schedules",
        params={"source": source},
        data=content,
        headers=own,
        timeout=60,
    )
