"""What every view is handed: the farm, its databases and logs, and who calls."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ci_toolkit.backends.job_logs import JobLogs
from ci_toolkit.errors import shortened
from ci_toolkit.farm.web.answers import RequestError
from ci_toolkit.model.job import JobFilter
from ci_toolkit.model.names import nearest

if TYPE_CHECKING:
    from flask import Request

    from ci_toolkit.effects.clock import Clock
    from ci_toolkit.effects.redaction import Redactor
    from ci_toolkit.farm.metrics import FarmMetrics
    from ci_toolkit.farm.spec import Client, Farm, FarmRepository
    from ci_toolkit.farm.web.databases import JobDatabases
    from ci_toolkit.farm.web.estimates import QueuePlace
    from ci_toolkit.farm.web.page_templates import Pages
    from ci_toolkit.model.job import Job

MOST_FOLLOWERS = 8
"""Readers who hold a thread each as long as a build takes; all others ask again and again, which holds none."""


@dataclass(slots=True)
class KnownQueues:
    """The queues that somebody looked at last: when, on the clock that only goes forward, and what there was."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    by_repository: dict[str, tuple[float, tuple[QueuePlace, ...]]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """The web side of one farm; `ends` is set once it has to come to an end.

    What takes memory or time by the thousands of jobs is done for a few at a time: the farm itself has work to do.
    """

    farm: Farm
    metrics: FarmMetrics
    clock: Clock
    redactor: Redactor
    databases: JobDatabases
    pages: Pages
    queues: KnownQueues = field(default_factory=KnownQueues)
    ends: threading.Event = field(default_factory=threading.Event)
    followers: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(MOST_FOLLOWERS))
    unpacking: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(2))
    listing: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(2))

    def repository(self, name: str) -> FarmRepository:
        """A repository that the farm publishes; RequestError 404 for another one."""
        found = self.farm.repositories.get(name)
        if found is None:
            hint = nearest(name, self.farm.repositories) or f"it publishes {', '.join(self.farm.repositories)}"
            raise RequestError(404, f"this farm does not publish {shortened(name)!r}", hint=hint)
        return found

    def job(self, repository: FarmRepository, number: int) -> Job:
        """A job as it is now; RequestError 404 when there is none."""
        # SQLite takes no larger numbers.
        found: tuple[Job, ...] = ()
        if number < 1 << 63:
            with self.databases.opened(repository) as database:
                found = database.jobs(JobFilter(numbers=frozenset({number})))
        if not found:
            raise RequestError(
                404, f"{repository.name} has no job {number}", hint="old ones are forgotten after a time"
            )
        return found[0]

    def logs(self, repository: FarmRepository) -> JobLogs:
        """The logs of a repository's jobs."""
        return JobLogs(folder=repository.place.logs)


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request; `client` is None for a reader of what anybody may read."""

    request: Request
    client: Client | None
