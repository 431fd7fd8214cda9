"""Everything that a report shows of builds, gathered once: jobs, their steps, packages and logs, and who needs whom."""

from __future__ import annotations

from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ci_toolkit.backends.job_database import JobDatabase
from ci_toolkit.backends.job_logs import JobLogs
from ci_toolkit.effects.build_slots import build_slots
from ci_toolkit.errors import NotReadyError
from ci_toolkit.scheduling.dependencies import edges
from ci_toolkit.store.store_reader import read_store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from ci_toolkit.backends.local_folder import LocalFolder
    from ci_toolkit.model.job import Job, Transition
    from ci_toolkit.model.names import Pkgbase
    from ci_toolkit.model.settings import Settings
    from ci_toolkit.store.index import StoredBuild
    from ci_toolkit.store.store_reader import StoreReader


@dataclass(frozen=True, slots=True, kw_only=True)
class MadePackage:
    """A package file that a job made, or found made."""

    file: str
    size_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildRecord:
    """One job with all that is known of it; `built_with` are names and versions of what was installed for it."""

    job: Job
    steps: tuple[Transition, ...]
    packages: tuple[MadePackage, ...]
    built_with: tuple[tuple[str, str], ...]
    has_log: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildHistory:
    """All jobs of one published repository, newest first; `log` gives the pieces of a job's log.

    What ended `kept_days` ago may be forgotten; `slots` is how many builds this machine has room for at once.
    """

    repository: str
    as_of_s: float
    records: tuple[BuildRecord, ...]
    needs: Mapping[Pkgbase, frozenset[Pkgbase]]
    log: Callable[[Job], Iterator[str]]
    kept_days: int
    slots: int

    @property
    def newest(self) -> dict[Pkgbase, BuildRecord]:
        """The last job of each package, by name."""
        found: dict[Pkgbase, BuildRecord] = {}
        for record in self.records:
            found.setdefault(record.job.pkgbase, record)
        return dict(sorted(found.items()))


@contextmanager
def opened_history(place: LocalFolder, settings: Settings, *, now_s: float) -> Iterator[BuildHistory]:
    """The history of the local backend; NotReadyError when nothing was ever scheduled there."""
    if not place.jobs.exists():
        raise NotReadyError("no builds were ever scheduled here", hint="ci-toolkit on-commit, with CI_BACKEND=local")
    logs = JobLogs(folder=place.logs)
    with ExitStack() as opened:
        database = opened.enter_context(closing(JobDatabase(place.jobs)))
        store = opened.enter_context(read_store(place.store))
        sizes = store.sizes()
        records = [_record(job, database, store, sizes, logs) for job in reversed(database.jobs())]
        yield BuildHistory(
            repository=settings.repo_name,
            as_of_s=now_s,
            records=tuple(records),
            needs=edges(database.deptree().values()),
            log=logs.read,
            kept_days=settings.log_days,
            slots=build_slots(settings.build_slots),
        )


def _record(
    job: Job, database: JobDatabase, store: StoreReader, sizes: Mapping[str, int], logs: JobLogs
) -> BuildRecord:
    identity = database.build_of(job.number)
    build = store.known(identity) if identity else None
    return BuildRecord(
        job=job,
        steps=database.transitions(job.number),
        packages=_packages(build, sizes),
        built_with=() if build is None else tuple((name, version) for _, name, version in build.built_with),
        has_log=logs.is_there(job),
    )


def _packages(build: StoredBuild | None, sizes: Mapping[str, int]) -> tuple[MadePackage, ...]:
    if build is None:
        return ()
    return tuple(
        MadePackage(file=one.file, size_bytes=sizes.get(one.sha256, 0), sha256=one.sha256) for one in build.packages
    )
