"""Schedules on their way into the job database: parts of one transaction each."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ci_toolkit.errors import FormatError, RefusedError
from ci_toolkit.formats.deptree import format_deptree
from ci_toolkit.formats.packed_folder import format_folder
from ci_toolkit.formats.srcinfo import SrcInfo
from ci_toolkit.model.job import JobState
from ci_toolkit.scheduling.dependencies import dependency_name
from ci_toolkit.scheduling.schedule import INTERACTIVE

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Mapping

    from ci_toolkit.backends.spec import PackageFolder
    from ci_toolkit.model.job import Job
    from ci_toolkit.model.names import Pkgbase
    from ci_toolkit.scheduling.schedule import Schedule

OPEN = tuple(state for state in JobState if not state.is_over)
_ENDABLE = (JobState.QUEUED, JobState.WAITING, JobState.BUILDING)


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """What became of a schedule: new jobs, jobs that they replaced, or nothing, because it was taken before."""

    jobs: tuple[int, ...] = ()
    replaced: int = 0
    taken_before: bool = False


def take_schedule(
    connection: sqlite3.Connection,
    schedule: Schedule,
    folders: Mapping[Pkgbase, PackageFolder],
    *,
    source: str,
    now_s: float,
) -> Submission:
    """Store jobs and removals; one that was taken before, and is not finished, adds nothing."""
    _require_same_source(connection, schedule, source)
    unfinished = f"SELECT 1 FROM jobs WHERE request = ? AND state IN ({marks(OPEN)})"
    if connection.execute(unfinished, (schedule.request, *_values(OPEN))).fetchone():
        return Submission(taken_before=True)
    connection.execute(
        "INSERT INTO requests (id, source, commit_id, submitted_at, deptree) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT (id) DO UPDATE SET submitted_at = excluded.submitted_at",
        (schedule.request, source, schedule.commit, now_s, format_deptree(schedule.deptree)),
    )
    _note_removals(connection, schedule, source, now_s)
    replaced, numbers = 0, []
    for build in schedule.builds:
        folder = folders[build.pkgbase]
        why = f"replaced by schedule {schedule.request}"
        replaced += _end_all(connection, build.pkgbase, JobState.REPLACED, why, now_s)
        connection.execute("INSERT OR IGNORE INTO folders VALUES (?, ?)", (folder.tree, format_folder(folder.files)))
        cursor = connection.execute(
            "INSERT INTO jobs"
            " (request, pkgbase, tree, epoch_s, also_needs, builder_class, priority, state, reason, changed_at,"
            " queued_at) VALUES (?, ?, ?, ?, ?, ?, ?, 'queued', 'it was scheduled', ?, ?)",
            (
                schedule.request,
                build.pkgbase,
                folder.tree,
                folder.epoch_s,
                _check_needs(folder),
                build.builder_class,
                schedule.priority,
                now_s,
                now_s,
            ),
        )
        numbers.append(_inserted(cursor))
    return Submission(jobs=tuple(numbers), replaced=replaced)


def _require_same_source(connection: sqlite3.Connection, schedule: Schedule, source: str) -> None:
    """One repository must not answer for another's schedule, which would never be built then."""
    row = connection.execute("SELECT source FROM requests WHERE id = ?", (schedule.request,)).fetchone()
    if row is not None and row["source"] != source:
        problem = f"schedule {schedule.request} is one of {row['source']}, and not of {source}"
        raise RefusedError(problem, hint="give schedules of different repositories different names")


def repeat_job(connection: sqlite3.Connection, job: Job, *, now_s: float) -> int:
    """A new job for the folder of an earlier one; RefusedError while one of the package is not over, or without it."""
    require_known(connection, job)
    unfinished = f"SELECT number, state FROM jobs WHERE pkgbase = ? AND state IN ({marks(OPEN)})"
    found = connection.execute(unfinished, (job.pkgbase, *_values(OPEN))).fetchone()
    if found:
        problem, hint = f"job {found['number']} of it is {found['state']}", "wait until it is over, or cancel it first"
        raise RefusedError(problem, package=job.pkgbase, hint=hint)
    there = (
        "SELECT 1 FROM known_packages JOIN requests USING (source) JOIN jobs ON jobs.request = requests.id"
        " WHERE jobs.number = ? AND known_packages.pkgbase = jobs.pkgbase"
    )
    if not connection.execute(there, (job.number,)).fetchone():
        hint = "add it to the repository again, and it is built"
        raise RefusedError("its folder is gone, and it would be published again", package=job.pkgbase, hint=hint)
    cursor = connection.execute(
        "INSERT INTO jobs"
        " (request, pkgbase, tree, epoch_s, also_needs, builder_class, priority, state, reason, changed_at, queued_at)"
        " SELECT request, pkgbase, tree, epoch_s, also_needs, builder_class, ?, 'queued', ?, ?, ?"
        " FROM jobs WHERE number = ?",
        (INTERACTIVE, f"job {job.number} is tried again", now_s, now_s, job.number),
    )
    return _inserted(cursor)


def require_known(connection: sqlite3.Connection, job: Job) -> sqlite3.Row:
    """The row of a job; RefusedError when it was forgotten since somebody looked."""
    row: sqlite3.Row | None = connection.execute("SELECT * FROM jobs WHERE number = ?", (job.number,)).fetchone()
    if row is None:
        hint = "it was forgotten meanwhile; ci-toolkit builds list --all shows those that are kept"
        raise RefusedError(f"job {job.number} is not known any more", package=job.pkgbase, hint=hint)
    return row


def end_job(
    connection: sqlite3.Connection, number: int, old: JobState, new: JobState, reason: str, now_s: float
) -> None:
    """End a job at once or, where it is being built, note that it has to end."""
    if old is JobState.BUILDING:
        connection.execute(
            "UPDATE jobs SET ending = ?, ending_reason = ? WHERE number = ?", (new.value, reason, number)
        )
        return
    connection.execute(
        "UPDATE jobs SET state = ?, reason = ?, changed_at = ?, ended_at = ?, waits_for = NULL WHERE number = ?",
        (new.value, reason, now_s, now_s, number),
    )


def marks(values: Iterable[object]) -> str:
    """A question mark for every value."""
    return ", ".join("?" for _ in values)


def _note_removals(connection: sqlite3.Connection, schedule: Schedule, source: str, now_s: float) -> None:
    """Note which packages a repository has, and which it has no longer where the schedule says so."""
    if schedule.remaining is not None:
        known = connection.execute("SELECT pkgbase FROM known_packages WHERE source = ?", (source,))
        gone = sorted({row["pkgbase"] for row in known} - set(schedule.remaining))
        rows = [(source, pkgbase) for pkgbase in gone]
        connection.executemany("DELETE FROM known_packages WHERE source = ? AND pkgbase = ?", rows)
        elsewhere = {row["pkgbase"] for row in connection.execute("SELECT pkgbase FROM known_packages")}
        for pkgbase in gone:
            _end_all(connection, pkgbase, JobState.CANCELLED, "its folder is gone", now_s, source=source)
        rows = [row for row in rows if row[1] not in elsewhere]
        connection.executemany("INSERT OR IGNORE INTO removals VALUES (?, ?)", rows)
    there = [(source, record.pkgbase) for record in schedule.deptree]
    connection.executemany("INSERT OR IGNORE INTO known_packages VALUES (?, ?)", there)
    # Whichever repository it was gone from, it is published.
    connection.executemany("DELETE FROM removals WHERE pkgbase = ?", [(pkgbase,) for _, pkgbase in there])


def _end_all(
    connection: sqlite3.Connection,
    pkgbase: str,
    state: JobState,
    reason: str,
    now_s: float,
    *,
    source: str | None = None,
) -> int:
    """End a package's jobs, or those that a source repository asked for; how many there were."""
    found = connection.execute(
        "SELECT jobs.number, state FROM jobs JOIN requests ON requests.id = jobs.request"
        f" WHERE pkgbase = ? AND state IN ({marks(_ENDABLE)}) AND source = coalesce(?, source)",
        (pkgbase, *_values(_ENDABLE), source),
    ).fetchall()
    for row in found:
        end_job(connection, row["number"], JobState(row["state"]), state, reason, now_s)
    return len(found)


def _check_needs(folder: PackageFolder) -> str:
    """What a package needs to be checked, as JSON: no artifact of a schedule tells of that."""
    try:
        srcinfo = SrcInfo.parse(folder.files[".SRCINFO"].content, file=".SRCINFO")
    except (FormatError, KeyError):
        return "[]"
    return json.dumps(sorted({dependency_name(text) for text in srcinfo.base.values("checkdepends")}))


def _inserted(cursor: sqlite3.Cursor) -> int:
    if cursor.lastrowid is None:
        raise AssertionError(cursor)
    return cursor.lastrowid


def _values(states: Iterable[JobState]) -> tuple[str, ...]:
    return tuple(state.value for state in states)
