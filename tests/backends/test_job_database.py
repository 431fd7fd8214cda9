"""One file that several processes share: killed in the middle, full, damaged, newer, and long in use."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ci_toolkit.backends.job_database import JobDatabase
from ci_toolkit.errors import FormatError, MachineError, NotReadyError
from ci_toolkit.model.job import JobState
from tests.support.jobs import bring, folder, folders, job_of, schedule, submit
from tests.support.killed_submission import SCHEDULE
from tests.support.killings import killed_everywhere

if TYPE_CHECKING:
    from collections.abc import Mapping

TOP = str(Path(__file__).parents[2])
OTHER = """
import sys
from contextlib import closing
from pathlib import Path
from ci_toolkit.backends.job_database import JobDatabase
from tests.support.jobs import submit
with closing(JobDatabase(Path(sys.argv[1]))) as database:
    print("ready", flush=True)
    sys.stdin.readline()
    for number in range(20):
        submit(database, f"{sys.argv[2]} {number}", "shared", sys.argv[2])
"""
LARGE = """
import sys
from contextlib import closing
from pathlib import Path
from ci_toolkit.backends.job_database import JobDatabase
from ci_toolkit.errors import MachineError
from tests.support.jobs import submit
with closing(JobDatabase(Path(sys.argv[1]))) as database:
    try:
        submit(database, "r2", "a", "b", "c", text="".join(map(chr, range(0x100, 0x9000))))
    except MachineError as error:
        print(error)
"""


def everything(path: Path) -> Mapping[str, object]:
    """What somebody sees of a database."""
    with closing(JobDatabase(path)) as database:
        jobs = database.jobs()
        return {
            "jobs": jobs,
            "steps": [database.transitions(job.number) for job in jobs],
            "folders": [database.folder(job.number).files for job in jobs],
            "endings": database.endings(),
            "removals": database.removals(),
            "needs": database.deptree(),
        }


def test_killed_at_any_statement_a_schedule_is_taken_whole_or_not_at_all(tmp_path: Path) -> None:
    before = tmp_path / "before"
    before.mkdir()
    with closing(JobDatabase(before / "jobs.sqlite")) as database:
        jobs = submit(database, "r1", "a", "b", "gone", "d")
        bring(database, jobs[1], JobState.BUILDING)
    killed, whole = killed_everywhere("tests.support.killed_submission", tmp_path)
    assert len(killed) > 25
    old, new = everything(before / "jobs.sqlite"), everything(whole / "jobs.sqlite")
    assert (old["removals"], new["removals"]) == (frozenset(), {"gone"})
    seen = []
    for place in killed:
        found = everything(place / "jobs.sqlite")
        assert found in (old, new), place.name
        seen.append(found == new)
        # It is handed over again, as whoever was killed has not noted that it was taken.
        with closing(JobDatabase(place / "jobs.sqlite")) as database:
            database.submit(SCHEDULE, folders(("a", "b", "new"), "new"), source="pkgs", now_s=9.0)
        assert everything(place / "jobs.sqlite") == new
    assert seen == sorted(seen)
    assert not seen[0]


def test_two_processes_submit_at_once_and_nothing_is_lost(path: Path) -> None:
    JobDatabase(path).close()
    env = {"PYTHONPATH": TOP, "PATH": "/usr/bin"}
    children = [
        subprocess.Popen(
            [sys.executable, "-c", OTHER, str(path), name],
            env=env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for name in ("one", "two")
    ]
    for child in children:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
    for child in children:
        child.communicate("go\n", timeout=60)
        assert child.returncode == 0
    with closing(JobDatabase(path)) as database:
        jobs = database.jobs()
        assert len(jobs) == 80
        assert sorted(job.pkgbase for job in jobs if job.state is JobState.QUEUED) == ["one", "shared", "two"]
        assert all(job.state in (JobState.QUEUED, JobState.REPLACED) for job in jobs)


def test_one_that_builds_sees_what_another_submits_and_only_then(path: Path, database: JobDatabase) -> None:
    with closing(JobDatabase(path)) as other:
        seen = database.changes()
        submit(database, "own", "a")
        assert database.changes() == seen
        submit(other, "others", "b")
        assert database.changes() != seen
        assert [job.request for job in database.unfinished()] == ["own", "others"]


def test_one_job_is_begun_once_by_whoever_is_first(path: Path, database: JobDatabase) -> None:
    [job] = submit(database, "r", "a")
    start, begun = threading.Barrier(4), list[bool]()

    def begin() -> None:
        with closing(JobDatabase(path)) as own:
            start.wait()
            begun.append(own.move(job, JobState.BUILDING, "its turn", now_s=1.0))

    threads = [threading.Thread(target=begin) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(begun) == [False, False, False, True]
    assert len(database.transitions(job.number)) == 2


def test_a_full_disk_takes_nothing_of_a_schedule(path: Path, database: JobDatabase) -> None:
    [job] = submit(database, "r1", "a")
    bring(database, job, JobState.BUILDING)
    before = everything(path)
    pages = database._connection.execute("PRAGMA page_count").fetchone()[0]
    database._connection.execute(f"PRAGMA max_page_count = {pages + 5}")
    large = folder("b", "".join(map(chr, range(0x100, 0x9000))))
    content = {**folders(("a", "c")), **dict.fromkeys(folders("b"), large)}
    with pytest.raises(MachineError, match=f"{path} .*full"):
        database.submit(schedule("r2", "a", "c", "b"), content, source="pkgs", now_s=9.0)
    assert everything(path) == before
    assert submit(database, "r3", "c")


def test_a_file_that_cannot_grow_takes_nothing_of_a_schedule_and_says_so(path: Path, database: JobDatabase) -> None:
    """Likewise, refused by the operating system while the log of changes is written."""
    submit(database, "r1", "a")
    before = everything(path)
    # Without files of its own: Python does not notice that one is cut off.
    argv = ["prlimit", "--fsize=30000", "--", sys.executable, "-B", "-c", LARGE, str(path)]
    env = {"PYTHONPATH": TOP, "PATH": os.environ["PATH"]}
    done = subprocess.run(argv, env=env, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"{path} cannot be read or written: ")
    assert everything(path) == before
    assert submit(database, "r3", "b")


def test_a_newer_file_is_refused_by_its_name(path: Path) -> None:
    JobDatabase(path).close()
    with closing(sqlite3.connect(path)) as newer:
        newer.execute("PRAGMA user_version = 99")
    with pytest.raises(NotReadyError, match="newer ci-toolkit") as caught:
        JobDatabase(path)
    assert caught.value.key == str(path)


def test_a_damaged_folder_is_blamed_on_its_package(database: JobDatabase) -> None:
    one, two = submit(database, "r1", "a", "b")
    database._connection.execute("UPDATE folders SET files = x'00' WHERE tree = ?", (folder("a").tree,))
    with pytest.raises(FormatError, match="is damaged") as caught:
        database.folder(one.number)
    assert caught.value.package == "a"
    assert database.folder(two.number) == folder("b")


def test_a_job_that_is_not_there_has_nothing_to_tell(database: JobDatabase) -> None:
    submit(database, "r1", "a")
    assert database.transitions(99) == ()
    assert database.build_of(99) is None
    assert job_of(database, 1).log_of is None


def test_a_file_of_the_first_form_becomes_as_a_new_one_is_and_keeps_its_jobs(path: Path) -> None:
    with closing(JobDatabase(path)) as database:
        [job] = submit(database, "r1", "a")
    with closing(sqlite3.connect(path)) as raw:
        fresh = columns(raw)
        for statement in (
            "DROP TABLE happenings",
            "DROP TABLE listeners",
            *(
                f"ALTER TABLE jobs DROP COLUMN {name}"
                for name in ("priority", "worker", "losses", "recipe", "size_bytes", "artifacts")
            ),
            "DROP INDEX jobs_by_end",
            "PRAGMA user_version = 1",
        ):
            raw.execute(statement)
        assert columns(raw) != fresh
    with closing(JobDatabase(path)) as database:
        assert database.jobs() == (job,)
    with closing(sqlite3.connect(path)) as raw:
        assert columns(raw) == fresh


def columns(raw: sqlite3.Connection) -> dict[str, set[tuple[object, ...]]]:
    """Name, type, whether it may be missing, default and place in the key of every column."""
    tables = [row[0] for row in raw.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    return {name: {row[1:] for row in raw.execute(f"PRAGMA table_info({name})")} for name in tables}
