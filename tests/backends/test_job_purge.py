"""Jobs that are purged: what is kept, what goes with them, and what a machine that refuses leaves."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from ci_toolkit.backends.job_logs import JobLogs
from ci_toolkit.backends.job_purge import purge_jobs
from ci_toolkit.errors import MachineError, RefusedError
from ci_toolkit.model.job import JobState
from tests.support.jobs import bring, submit

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ci_toolkit.backends.job_database import JobDatabase
    from ci_toolkit.model.job import Job


@dataclass(frozen=True)
class Kept:
    """A database with the logs of its jobs."""

    database: JobDatabase
    logs: JobLogs

    def ended(self, package: str, state: JobState, at_s: float, **facts: float | str) -> Job:
        """A new job of a package that ended then, with a log of its own."""
        [job] = submit(self.database, f"{package} at {at_s}", package, text=str(at_s), now_s=at_s)
        path = self.logs.path(package, job.number)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("built\n")
        return bring(self.database, job, state, now_s=at_s, **{"log_of": job.number, **facts})

    def purge(self, before_s: float, *, dry_run: bool = False) -> list[int]:
        gone = purge_jobs(self.database, self.logs, before_s=before_s, now_s=1_000.0, dry_run=dry_run)
        return [job.number for job in gone]

    def numbers(self) -> list[int]:
        return [job.number for job in self.database.jobs()]

    def logged(self) -> list[int]:
        return sorted(int(path.stem) for path in self.logs.folder.glob("*/*.log"))


@pytest.fixture
def kept(database: JobDatabase, tmp_path: Path) -> Kept:
    return Kept(database=database, logs=JobLogs(folder=tmp_path / "logs"))


def test_the_last_one_stays_and_the_last_that_came_to_an_end_of_its_own_and_whose_log_is_pointed_to(
    kept: Kept,
) -> None:
    kept.ended("a", JobState.FAILED, 1.0)
    good = kept.ended("a", JobState.SUCCEEDED, 2.0)
    kept.ended("a", JobState.CANCELLED, 3.0)
    last = kept.ended("a", JobState.CANCELLED, 4.0)
    origin = kept.ended("b", JobState.SUCCEEDED, 1.0)
    again = kept.ended("b", JobState.ALREADY_BUILT, 2.0, log_of=origin.number)
    [waits] = submit(kept.database, "r", "c", now_s=1.0)
    assert kept.purge(900.0, dry_run=True) == kept.purge(900.0) == [1, 3]
    stay = [job.number for job in (good, last, origin, again, waits)]
    assert kept.numbers() == stay
    assert kept.logged() == sorted(set(stay) - {waits.number})
    assert kept.database.transitions(1) == ()


def test_only_what_ended_before_goes(kept: Kept) -> None:
    for at_s in (1.0, 2.0, 3.0):
        kept.ended("a", JobState.FAILED, at_s)
    assert kept.purge(2.0) == [1]
    assert kept.purge(2.1) == [2]
    assert kept.numbers() == kept.logged() == [3]


def test_a_time_to_come_is_refused(kept: Kept) -> None:
    kept.ended("a", JobState.FAILED, 1.0)
    kept.ended("a", JobState.FAILED, 2.0)
    for dry_run in (True, False):
        with pytest.raises(RefusedError, match=r"still to come \(name one that is over"):
            kept.purge(1_000.1, dry_run=dry_run)
    assert kept.numbers() == [1, 2]


def test_a_log_that_cannot_be_removed_keeps_every_job_and_doing_it_again_completes_it(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    for at_s in (1.0, 2.0, 3.0):
        kept.ended("a", JobState.FAILED, at_s)

    def failing(remove: Callable[[JobLogs, list[Job]], None], jobs: list[Job]) -> None:
        remove(kept.logs, jobs[:1])
        raise OSError(5, "Input/output error")

    real = JobLogs.remove
    monkeypatch.setattr(JobLogs, "remove", lambda _, jobs: failing(real, jobs))
    with pytest.raises(MachineError, match=r"Input/output error \(nothing was forgotten"):
        kept.purge(900.0)
    assert kept.numbers() == [1, 2, 3], "no log is without its job"
    assert kept.logged() == [2, 3]
    monkeypatch.undo()
    assert kept.purge(900.0) == [1, 2]
    assert kept.numbers() == kept.logged() == [3]


def test_nothing_points_to_a_log_that_is_about_to_go(kept: Kept, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for at_s in (1.0, 2.0):
        kept.ended("a", JobState.FAILED, at_s)
    tried: list[str] = []
    real = JobLogs.remove

    def removing(logs: JobLogs, jobs: list[Job]) -> None:
        with closing(sqlite3.connect(path, timeout=0.05)) as other:
            try:
                other.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError as error:
                tried.append(str(error))
        real(logs, jobs)

    monkeypatch.setattr(JobLogs, "remove", removing)
    assert kept.purge(900.0) == [1]
    assert tried == ["database is locked"], "nobody writes in between"
