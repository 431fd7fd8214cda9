"""A job database with an announcer beside it, whose time stands still until a test moves it."""

from __future__ import annotations

from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ci_toolkit.announcing.announcer import Announcer
from ci_toolkit.announcing.pages import farm_pages
from ci_toolkit.backends.job_database import JobDatabase
from ci_toolkit.backends.job_logs import JobLogs
from ci_toolkit.backends.local_folder import LocalFolder
from ci_toolkit.effects.redaction import Redactor
from tests.support.forge_world import settings_from
from tests.support.http_service import FakeClock
from tests.support.jobs import bring, submit

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from ci_toolkit.announcing.sendings import Sending
    from ci_toolkit.model.job import Job, JobState


@dataclass
class Scene:
    """Jobs end, and whoever `keys` and `environ` name is told."""

    folder: Path
    keys: Mapping[str, str]
    environ: Mapping[str, str]
    clock: FakeClock = field(default_factory=FakeClock)
    count: int = 0
    sendings: list[Sending] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.path = self.folder / "jobs.sqlite"
        self.logs = JobLogs(folder=self.folder / "logs")

    def announcer(self, **keys: str) -> Announcer:
        """A new one, as a new process has it."""
        settings = settings_from({"REPO_NAME": "samples", "BUILD_REPO": "pkgs", **self.keys, **keys})
        return Announcer(
            LocalFolder(top=self.folder, repository=self.folder / "repository"),
            settings,
            environ=self.environ,
            clock=self.clock,
            redactor=Redactor(self.environ),
            pages=farm_pages(settings.builds_url, "samples"),
            top=self.folder,
            watch=self.sendings.append,
        )

    @contextmanager
    def announcing(self, **keys: str) -> Iterator[Announcer]:
        """Likewise, closed afterwards."""
        with closing(self.announcer(**keys)) as announcer:
            yield announcer

    @contextmanager
    def database(self) -> Iterator[JobDatabase]:
        with closing(JobDatabase(self.path)) as database:
            yield database

    def end(self, name: str, state: JobState, *, log: str | None = None, **facts: float | str) -> Job:
        """A job of a package that is queued and comes to that state."""
        self.count += 1
        with self.database() as database:
            now_s = self.clock.now()
            [job] = submit(database, f"request-{self.count}", name, now_s=now_s)
            if log is not None:
                path = self.logs.path(name, job.number)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(log)
                facts["log_of"] = job.number
            return bring(database, job, state, now_s=now_s, **facts)
