"""The embedded backend: jobs in a database of this machine, built by `ci-toolkit builds run`."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, ClassVar

from ci_toolkit.backends.job_database import JobDatabase
from ci_toolkit.backends.job_logs import JobLogs
from ci_toolkit.backends.job_purge import purge_jobs
from ci_toolkit.backends.job_statistics import statistics_of
from ci_toolkit.backends.local_folder import LocalFolder, local_folder
from ci_toolkit.effects.build_slots import build_slots
from ci_toolkit.errors import HandOverError, ToolkitError
from ci_toolkit.model.build_statistics import summarise
from ci_toolkit.model.job import Job, JobFilter, JobState
from ci_toolkit.model.statistics_window import window_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ci_toolkit.backends.spec import BackendTools, FolderReader
    from ci_toolkit.model.artifact import Artifact
    from ci_toolkit.model.build_statistics import BuildStatistics
    from ci_toolkit.model.job import Transition
    from ci_toolkit.model.names import Pkgbase
    from ci_toolkit.model.statistics_window import StatisticsWish
    from ci_toolkit.scheduling.schedule import Schedule

_LOOK_S = 0.2


class LocalBackend:
    """Keeps jobs, with the folders that they build, below the user's data directory."""

    name: ClassVar[str] = "local"
    keeps_order: ClassVar[bool] = True
    builds_described: ClassVar[bool] = True

    def name_fault(self, pkgbase: Pkgbase) -> str | None:  # noqa: ARG002 - every name of a package will do
        """None: it builds whatever a package can be called."""
        return None

    def submit(self, schedule: Schedule, folders: FolderReader, tools: BackendTools) -> str:
        """Store jobs and removals; they are built by the next, or the running, `ci-toolkit builds run`."""
        try:
            read = folders(build.pkgbase for build in schedule.builds)
            with closing(self._database(tools)) as database:
                done = database.submit(schedule, read, source=tools.settings.build_repo, now_s=tools.clock.now())
        except (ToolkitError, OSError) as error:
            what = error.what if isinstance(error, ToolkitError) else f"{error.filename}: {error.strerror}"
            raise HandOverError(f"the schedule cannot be stored: {what}") from error
        if done.taken_before:
            return "the local backend has this schedule already"
        count = len(done.jobs)
        said = [f"{count} build{'' if count == 1 else 's'} queued on this machine"] if count else []
        said += [f"{done.replaced} older replaced"] if done.replaced else []
        said += ["packages that are gone will be removed"] if schedule.remaining is not None else []
        return f"{', '.join(said)}; ci-toolkit builds run does it"

    def jobs(self, wanted: JobFilter, tools: BackendTools) -> tuple[Job, ...]:
        """The jobs that are meant, oldest first."""
        if not self._folder(tools).jobs.exists():
            return ()
        with closing(self._database(tools)) as database:
            return database.jobs(wanted)

    def transitions(self, job: Job, tools: BackendTools) -> tuple[Transition, ...]:
        """Every step of a job."""
        with closing(self._database(tools)) as database:
            return database.transitions(job.number)

    def cancel(self, job: Job, reason: str, tools: BackendTools) -> None:
        """End a waiting job at once; a build is ended by the process that builds it, within a second."""
        with closing(self._database(tools)) as database:
            database.cancel(job, reason, now_s=tools.clock.now())

    def retry(self, job: Job, tools: BackendTools) -> int:
        """The number of a new job for the same folder."""
        with closing(self._database(tools)) as database:
            return database.retry(job, now_s=tools.clock.now())

    def log(self, job: Job, tools: BackendTools, *, follow: bool) -> Iterator[str]:
        """The log in pieces, with `follow` until the job is over."""
        logs = JobLogs(folder=self._folder(tools).logs)
        if not follow or job.state.is_over:
            return logs.read(job)
        return self._followed(job, logs, tools)

    def statistics(self, wish: StatisticsWish, tools: BackendTools) -> BuildStatistics:
        """What the database tells of a time; the slots of this machine are those that a run would have now."""
        slots: dict[str | None, int] = {None: build_slots(tools.settings.build_slots)}
        now_s, kept_days = tools.clock.now(), tools.settings.log_days
        if not self._folder(tools).jobs.exists():
            return summarise((), window_of(wish, now_s=now_s, kept_days=kept_days), by=wish.by, slots=slots)
        with closing(self._database(tools)) as database:
            return statistics_of(database, wish, now_s=now_s, kept_days=kept_days, slots=slots)

    def artifacts(self, job: Job, tools: BackendTools) -> tuple[Artifact, ...]:
        """What a job made."""
        with closing(self._database(tools)) as database:
            return database.artifacts(job.number)

    def purge(self, before_s: float, tools: BackendTools, *, dry_run: bool) -> tuple[Job, ...]:
        """Forget jobs, also while others are built."""
        if not self._folder(tools).jobs.exists():
            return ()
        logs = JobLogs(folder=self._folder(tools).logs)
        with closing(self._database(tools)) as database:
            return purge_jobs(database, logs, before_s=before_s, now_s=tools.clock.now(), dry_run=dry_run)

    def _followed(self, job: Job, logs: JobLogs, tools: BackendTools) -> Iterator[str]:
        with closing(self._database(tools)) as database:

            def now() -> Job:
                return database.jobs(JobFilter(numbers=frozenset({job.number})))[0]

            begun = (JobState.QUEUED, JobState.WAITING)
            while (current := now()).log_of is None and current.state in begun:
                tools.clock.sleep(_LOOK_S)
            yield from logs.follow(now(), lambda: now().state.is_over, tools.clock)

    def _folder(self, tools: BackendTools) -> LocalFolder:
        return local_folder(tools.settings, tools.environ)

    def _database(self, tools: BackendTools) -> JobDatabase:
        return JobDatabase(self._folder(tools).jobs)
