"""Statistics of a real job database: what is read of it, how, and what an earlier version did not note."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from ci_toolkit.backends.job_database import JobDatabase
from ci_toolkit.backends.job_statistics import statistics_of
from ci_toolkit.errors import RefusedError
from ci_toolkit.model.job import JobState
from ci_toolkit.model.statistics_window import DAY_S, GroupBy, StatisticsWish
from tests.support.jobs import bring, job_of, submit

if TYPE_CHECKING:
    from pathlib import Path

    from ci_toolkit.model.build_statistics import BuildStatistics
    from ci_toolkit.model.job import Job

NOW_S = 100 * DAY_S
HOUR_AGO_S = NOW_S - 3_600


def told(database: JobDatabase, *packages: str, since_s: float = NOW_S - DAY_S, by: str = "package") -> BuildStatistics:
    wish = StatisticsWish(begin_s=since_s, by=GroupBy(by), packages=frozenset(packages))
    return statistics_of(database, wish, now_s=NOW_S, kept_days=30, slots={"w1": 2})


def built(database: JobDatabase, name: str, *, size_bytes: int = 4_096, ended_s: float = HOUR_AGO_S) -> Job:
    """A job that waited for 60 s and was built by w1 for 12.5 s."""
    [job] = submit(database, f"r of {name} {ended_s}", name, now_s=ended_s - 100)
    assert database.move(
        job,
        JobState.BUILDING,
        "its turn",
        now_s=ended_s - 40,
        started_at=ended_s - 40,
        log_of=job.number,
        worker="w1",
        recipe="makepkg",
    )
    phases = '[["build", 10.5], ["package", 2]]'
    building = job_of(database, job.number)
    assert database.move(building, JobState.PUBLISHING, "built", now_s=ended_s, phases=phases, size_bytes=size_bytes)
    assert database.move(job_of(database, job.number), JobState.SUCCEEDED, "published", now_s=ended_s)
    return job_of(database, job.number)


def test_what_jobs_noted_is_in_their_statistics(database: JobDatabase) -> None:
    job = built(database, "a")
    assert (job.recipe, job.size_bytes) == ("makepkg", 4_096)
    [failed] = submit(database, "r2", "b", now_s=HOUR_AGO_S)
    bring(database, failed, JobState.FAILED, now_s=HOUR_AGO_S + 5, recipe="other")
    submit(database, "r3", "c", now_s=HOUR_AGO_S + 1_800)
    found = told(database)
    assert dict(found.total.outcomes) == {JobState.SUCCEEDED: 1, JobState.FAILED: 1}
    assert found.total.success_rate == 0.5
    assert found.total.size_bytes == 4_096
    assert found.total.durations is not None
    assert found.total.durations.p95 == 12.5
    assert found.total.waits is not None
    assert found.total.waits.p50 == 60
    assert found.total.use == pytest.approx(12.5 / (2 * DAY_S))
    assert found.queue.at_end == 1
    assert found.queue.mean == pytest.approx((60 + 5 + 1_800) / DAY_S)
    assert [name for name, _ in told(database, by="recipe").groups] == ["other", "makepkg"]
    assert [name for name, _ in told(database, by="worker").groups] == [None, "w1"]


def test_what_an_earlier_job_built_is_no_build_of_the_one_that_found_it(database: JobDatabase) -> None:
    built(database, "a")
    [job] = submit(database, "r2", "a", now_s=HOUR_AGO_S + 60)
    # Its own build was lost before it was published, and another one's has taken its place.
    phases = '[["build", 900]]'
    bring(database, job, JobState.PUBLISHING, now_s=HOUR_AGO_S + 70, phases=phases, log_of=1, started_at=HOUR_AGO_S)
    assert database.move(job_of(database, job.number), JobState.ALREADY_BUILT, "published", now_s=HOUR_AGO_S + 80)
    found = told(database).total
    assert found.cache_hit_rate == 0.5
    assert found.durations is not None
    assert (found.durations.count, found.busy_s) == (1, 12.5)


def test_some_packages_or_a_time_are_a_part(database: JobDatabase) -> None:
    for name in ("a", "b", "c"):
        built(database, name)
    built(database, "old", ended_s=NOW_S - 3 * DAY_S)
    assert [name for name, _ in told(database, "a", "c", "no'ne").groups] == ["a", "c"]
    assert told(database).total.ended == 3
    assert told(database, since_s=NOW_S - 4 * DAY_S).total.ended == 4
    assert told(database, since_s=0.0).window.begin_s == NOW_S - 30 * DAY_S
    with pytest.raises(RefusedError):
        told(database, since_s=NOW_S)


def test_what_an_earlier_version_built_is_of_unknown_size_and_recipe(path: Path) -> None:
    with closing(JobDatabase(path)) as database:
        built(database, "a")
    with closing(sqlite3.connect(path)) as raw:
        for statement in (
            "DROP INDEX jobs_by_end",
            *(f"ALTER TABLE jobs DROP COLUMN {name}" for name in ("recipe", "size_bytes", "artifacts")),
            "PRAGMA user_version = 3",
        ):
            raw.execute(statement)
    with closing(JobDatabase(path)) as database:
        found = told(database, by="recipe")
        assert [name for name, _ in found.groups] == [None]
        assert (found.total.size_bytes, found.total.sizes_unknown) == (None, 1)
        built(database, "b", size_bytes=10)
        assert (told(database).total.size_bytes, told(database).total.sizes_unknown) == (10, 1)


@pytest.mark.parametrize("packages", [(), ("a", "b")])
def test_a_window_is_read_by_way_of_indices(path: Path, packages: tuple[str, ...]) -> None:
    """Whatever else there is, only the jobs of the window are looked at."""
    with closing(JobDatabase(path)) as database:
        asked: list[str] = []
        database._connection.set_trace_callback(asked.append)
        database.samples(since_s=5.0, packages=frozenset(packages))
        database._connection.set_trace_callback(None)
        assert len(asked) == 1
        plan = [row["detail"] for row in database._connection.execute(f"EXPLAIN QUERY PLAN {asked[0]}")]
    assert not [step for step in plan if step.startswith("SCAN")], plan
    assert [step for step in plan if "jobs_by_end" in step or "jobs_of_packages" in step], plan
