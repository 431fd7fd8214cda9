"""The jobs of the local backend in one SQLite file, which processes that submit, cancel, build and list share."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ci_toolkit.backends.job_schema import FORM, REMOVED, SCHEMA, STEPS, WORKER
from ci_toolkit.backends.schedule_intake import (
    OPEN,
    Submission,
    end_job,
    marks,
    repeat_job,
    require_known,
    take_schedule,
)
from ci_toolkit.backends.spec import PackageFolder
from ci_toolkit.effects.sqlite_file import open_sqlite, transaction
from ci_toolkit.errors import FormatError, RefusedError
from ci_toolkit.formats.artifact_record import parse_artifacts
from ci_toolkit.formats.deptree import parse_deptree
from ci_toolkit.formats.packed_folder import parse_folder
from ci_toolkit.model.build_statistics import JobSample
from ci_toolkit.model.job import FOLLOWING, Job, JobFilter, JobState, Transition
from ci_toolkit.model.names import Pkgbase

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from ci_toolkit.formats.deptree import DeptreeRecord
    from ci_toolkit.model.artifact import Artifact
    from ci_toolkit.scheduling.schedule import Schedule

_FACTS = frozenset(
    {
        "waits_for",
        "version",
        "phase",
        "status",
        "phases",
        "interference",
        "log_of",
        "build",
        "started_at",
        "ended_at",
        "worker",
        "losses",
        "recipe",
        "size_bytes",
        "artifacts",
    }
)
# The last job of each package that came to an end of its own.
_LAST_OF_THEIR_OWN = "SELECT max(number) FROM jobs WHERE state IN ({}) GROUP BY pkgbase".format(
    ", ".join(f"'{state.value}'" for state in JobState if state.is_good or state.is_failure)
)
_STATES = {state.value: state for state in JobState}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How a job that is being built has to end, because somebody wants that."""

    state: JobState
    reason: str


class JobDatabase:
    """One open file; every method is one transaction."""

    def __init__(self, path: Path, *, durable: bool = False) -> None:
        """Open or make it; MachineError or NotReadyError when that is impossible.

        A durable one has what it writes on disk when a method returns, and not only safe from the end of processes.
        """
        self._connection = open_sqlite(path, schema=SCHEMA, form=FORM, steps=STEPS)
        if durable:
            self._connection.execute("PRAGMA synchronous = FULL")

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()

    def require_writable(self) -> None:
        """MachineError when nothing can be written: what is written here changes nothing."""
        with self._writing() as connection:
            connection.execute(f"PRAGMA user_version = {FORM:d}")

    # schedules

    def submit(
        self, schedule: Schedule, folders: Mapping[Pkgbase, PackageFolder], *, source: str, now_s: float
    ) -> Submission:
        """Take a schedule of repository `source` whole; once it returns, it is stored.

        A package's job that is not over is replaced: at once, or, while it is built, by whoever builds it.
        """
        with self._writing() as connection:
            return take_schedule(connection, schedule, folders, source=source, now_s=now_s)

    def retry(self, job: Job, *, now_s: float) -> int:
        """A new job for the same folder as an earlier one; RefusedError while one of the package is not over."""
        with self._writing() as connection:
            return repeat_job(connection, job, now_s=now_s)

    def set_phase(self, number: int, phase: str) -> None:
        """Note where a build is."""
        with self._writing() as connection:
            connection.execute("UPDATE jobs SET phase = ? WHERE number = ?", (phase, number))

    def deptree(self) -> dict[Pkgbase, DeptreeRecord]:
        """What the packages of every repository provide and need, by the last schedule of each."""
        rows = self._connection.execute(
            "SELECT deptree FROM requests WHERE number IN (SELECT max(number) FROM requests GROUP BY source)"
        )
        return {record.pkgbase: record for row in rows for record in parse_deptree(row["deptree"])}

    # jobs

    def jobs(self, wanted: JobFilter | None = None) -> tuple[Job, ...]:
        """The jobs that are meant, oldest first."""
        wanted = wanted or JobFilter()
        conditions, values = ["1"], list[Any]()
        if wanted.newest:
            conditions.append("jobs.number IN (SELECT max(number) FROM jobs GROUP BY pkgbase)")
        for column, chosen in (
            ("jobs.number", sorted(wanted.numbers)),
            ("pkgbase", sorted(wanted.packages)),
            ("state", [state.value for state in wanted.states]),
        ):
            if chosen:
                conditions.append(f"{column} IN ({marks(chosen)})")
                values += chosen
        rows = self._connection.execute(
            "SELECT jobs.*, commit_id FROM jobs JOIN requests ON requests.id = jobs.request"
            f" WHERE {' AND '.join(conditions)} ORDER BY jobs.number",
            values,
        )
        return tuple(map(job_of_row, rows))

    def unfinished(self) -> tuple[Job, ...]:
        """Every job that is not over, oldest first."""
        return self.jobs(JobFilter(states=frozenset(OPEN)))

    def failures(self) -> dict[Pkgbase, Job]:
        """Packages whose last job that came to an end of its own failed."""
        rows = self._connection.execute(
            "SELECT jobs.*, commit_id FROM jobs JOIN requests ON requests.id = jobs.request"
            f" WHERE jobs.number IN ({_LAST_OF_THEIR_OWN})"
        )
        return {job.pkgbase: job for job in map(job_of_row, rows) if job.state.is_failure}

    def source_of(self, number: int) -> str | None:
        """The package repository whose schedule a job belongs to; None for an unknown one."""
        row = self._connection.execute(
            "SELECT source FROM jobs JOIN requests ON requests.id = jobs.request WHERE jobs.number = ?", (number,)
        ).fetchone()
        return row["source"] if row else None

    def durations(self, *, most: int) -> dict[Pkgbase, tuple[float, ...]]:
        """How many seconds the last so many good builds took of each package that has a job which is not over."""
        rows = self._connection.execute(
            "SELECT pkgbase, phases FROM (SELECT pkgbase, phases,"
            " row_number() OVER (PARTITION BY pkgbase ORDER BY number DESC) AS place FROM jobs"
            " WHERE state = ? AND phases != '[]'"
            f" AND pkgbase IN (SELECT pkgbase FROM jobs WHERE state IN ({marks(OPEN)}))) WHERE place <= ?",
            (JobState.SUCCEEDED.value, *(state.value for state in OPEN), most),
        )
        found: dict[Pkgbase, tuple[float, ...]] = {}
        for row in rows:
            name = Pkgbase(row["pkgbase"])
            found[name] = (*found.get(name, ()), sum(seconds for _, seconds in json.loads(row["phases"])))
        return found

    def samples(self, *, since_s: float, packages: frozenset[str] = frozenset()) -> list[JobSample]:
        """What statistics need of every job that is not over, or ended since then; of all packages, or of some."""
        chosen = sorted(packages)
        some = f" AND pkgbase IN ({marks(chosen)})" if chosen else ""
        columns = (
            "SELECT pkgbase, recipe, worker, state, queued_at, started_at, ended_at,"
            " CASE WHEN log_of = number THEN phases END AS phases, size_bytes FROM jobs"
        )
        rows = self._connection.execute(
            f"{columns} WHERE ended_at >= ?{some} UNION ALL {columns} WHERE state IN ({marks(OPEN)}){some}",
            (since_s, *chosen, *(state.value for state in OPEN), *chosen),
        )
        return list(map(_sample_of_row, rows.fetchall()))

    def counts(self) -> dict[JobState, tuple[int, float]]:
        """How many jobs are in each state that is not the last, and when the oldest of them was queued."""
        rows = self._connection.execute(
            f"SELECT state, count(*) AS number, min(queued_at) AS oldest FROM jobs WHERE state IN ({marks(OPEN)})"
            " GROUP BY state",
            [state.value for state in OPEN],
        )
        return {JobState(row["state"]): (row["number"], row["oldest"]) for row in rows}

    def latest(self, states: Iterable[JobState], *, most: int, standing: bool = False) -> tuple[Job, ...]:
        """The last so many jobs that came into one of these states, newest first; `standing`: the package's last."""
        chosen = [state.value for state in states]
        rows = self._connection.execute(
            "SELECT jobs.*, commit_id FROM jobs JOIN requests ON requests.id = jobs.request"
            f" WHERE state IN ({marks(chosen)})"
            + (" AND jobs.number IN (SELECT max(number) FROM jobs GROUP BY pkgbase)" if standing else "")
            + " ORDER BY changed_at DESC LIMIT ?",
            (*chosen, most),
        )
        return tuple(map(job_of_row, rows))

    def transitions(self, number: int) -> tuple[Transition, ...]:
        """Every step of a job, in order."""
        rows = self._connection.execute("SELECT * FROM transitions WHERE job = ? ORDER BY number", (number,))
        return tuple(
            Transition(
                at_s=row["at"],
                old=JobState(row["old"]) if row["old"] else None,
                new=JobState(row["new"]),
                reason=row["reason"],
            )
            for row in rows
        )

    def folder(self, number: int) -> PackageFolder:
        """What a job builds; FormatError when that was damaged."""
        row = self._connection.execute(
            "SELECT pkgbase, tree, files, epoch_s FROM jobs JOIN folders USING (tree) WHERE number = ?", (number,)
        ).fetchone()
        try:
            files = parse_folder(row["files"])
        except FormatError as error:
            raise error.located(package=row["pkgbase"]) from error
        return PackageFolder(tree=row["tree"], epoch_s=row["epoch_s"], files=files)

    def build_of(self, number: int) -> str | None:
        """The identity of the build whose packages a job is about to publish, or has published."""
        row = self._connection.execute("SELECT build FROM jobs WHERE number = ?", (number,)).fetchone()
        return row["build"] if row else None

    def artifacts(self, number: int) -> tuple[Artifact, ...]:
        """What a job made or found made, by file; nothing where an earlier version built it, which noted nothing."""
        row = self._connection.execute("SELECT artifacts FROM jobs WHERE number = ?", (number,)).fetchone()
        return parse_artifacts(row["artifacts"]) if row else ()

    def move(self, job: Job, new: JobState, reason: str, *, now_s: float, **facts: float | str | None) -> bool:
        """Take a job one step on; False when it is not where it was any more, since somebody else moved it.

        A build that somebody wants to end goes nowhere else: it ends so here, and that is somebody else's step, too.
        `facts` are columns that change with it; `phases`, `interference` and `artifacts` as JSON.
        """
        if new not in FOLLOWING[job.state] or not facts.keys() <= _FACTS:
            raise ValueError(f"job {job.number}: {job.state.value} to {new.value} with {sorted(facts)}")
        if new.is_over:
            facts = {"waits_for": None, "ended_at": now_s, **facts}
        changes = {"state": new.value, "reason": reason, "changed_at": now_s, **facts}
        assignments = ", ".join(f"{column} = ?" for column in changes)
        with self._writing() as connection:
            if job.state is JobState.BUILDING:
                connection.execute(
                    "UPDATE jobs SET state = ending, reason = ending_reason, changed_at = ?, ended_at = ?"
                    " WHERE number = ? AND state = ? AND ending != ?",
                    (now_s, now_s, job.number, job.state.value, new.value),
                )
            cursor = connection.execute(
                f"UPDATE jobs SET {assignments} WHERE number = ? AND state = ?",
                (*changes.values(), job.number, job.state.value),
            )
        return cursor.rowcount == 1

    def explain(self, job: Job, reason: str) -> None:
        """Say something else of a job that stays where it is."""
        with self._writing() as connection:
            connection.execute(
                "UPDATE jobs SET reason = ? WHERE number = ? AND state = ?", (reason, job.number, job.state.value)
            )

    # endings that others ask for

    def cancel(self, job: Job, reason: str, *, now_s: float) -> None:
        """Have a job end: at once, or soon when it is being built. RefusedError when it is too late for that."""
        with self._writing() as connection:
            state = JobState(require_known(connection, job)["state"])
            if state.is_over or state is JobState.PUBLISHING:
                what = f"job {job.number} is {state.value}" + ("" if state.is_over else ", which is not interrupted")
                hint = "there is nothing to end" if state.is_over else "it is over in a moment"
                raise RefusedError(what, package=job.pkgbase, hint=hint)
            end_job(connection, job.number, state, JobState.CANCELLED, reason, now_s)

    def endings(self) -> dict[int, Ending]:
        """Jobs being built that somebody wants to end."""
        rows = self._connection.execute(
            "SELECT number, ending, ending_reason FROM jobs WHERE ending IS NOT NULL AND state = ?",
            (JobState.BUILDING.value,),
        )
        return {row["number"]: Ending(state=JobState(row["ending"]), reason=row["ending_reason"]) for row in rows}

    def changes(self) -> int:
        """A number that differs once another connection has written something."""
        return int(self._connection.execute("PRAGMA data_version").fetchone()[0])

    # removals

    def removals(self) -> frozenset[Pkgbase]:
        """Packages whose folder is gone and that are to be published no longer."""
        return frozenset(Pkgbase(row["pkgbase"]) for row in self._connection.execute("SELECT pkgbase FROM removals"))

    def removed(self, names: Iterable[str], *, now_s: float) -> None:
        """Those removals are done, which is to be told."""
        with self._writing() as connection:
            for name in sorted(names):
                if connection.execute("DELETE FROM removals WHERE pkgbase = ?", (name,)).rowcount:
                    _note_happening(connection, REMOVED, name, "", now_s)

    # what is to be told

    def note_trouble(self, worker: str, text: str, *, now_s: float) -> None:
        """Have it told that a worker was lost, is quarantined or unfit."""
        with self._writing() as connection:
            _note_happening(connection, WORKER, worker, text, now_s)

    # keeping it small

    def forget(self, *, before_s: float, let_go: Callable[[Sequence[Job]], None] = lambda _: None) -> tuple[Job, ...]:
        """Forget jobs that ended before; gives those that were forgotten.

        A package's last job is kept, also the last that failed or succeeded, and those whose log another one links to.
        `let_go` is called with the jobs before they are gone for others, and before anything can link to them.
        """
        with self._writing() as connection:
            jobs = self.forgettable(before_s=before_s)
            connection.executemany("DELETE FROM jobs WHERE number = ?", [(job.number,) for job in jobs])
            connection.execute("DELETE FROM folders WHERE tree NOT IN (SELECT tree FROM jobs)")
            connection.execute(
                "DELETE FROM requests WHERE id NOT IN (SELECT request FROM jobs)"
                " AND number NOT IN (SELECT max(number) FROM requests GROUP BY source)"
            )
            let_go(jobs)
        return jobs

    def forgettable(self, *, before_s: float) -> tuple[Job, ...]:
        """The jobs that `forget` would forget."""
        rows = self._connection.execute(
            "SELECT jobs.*, commit_id FROM jobs JOIN requests ON requests.id = jobs.request WHERE ended_at < ?"
            " AND jobs.number NOT IN (SELECT max(number) FROM jobs GROUP BY pkgbase)"
            f" AND jobs.number NOT IN ({_LAST_OF_THEIR_OWN})"
            " AND jobs.number NOT IN (SELECT log_of FROM jobs WHERE log_of IS NOT NULL AND log_of != number)"
            " ORDER BY jobs.number",
            (before_s,),
        )
        return tuple(map(job_of_row, rows))

    def forget_happenings(self, *, before_s: float) -> None:
        """Forget what has happened before beside steps of jobs, whether or not it was told."""
        with self._writing() as connection:
            connection.execute("DELETE FROM happenings WHERE at < ?", (before_s,))

    # parts of transactions

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with transaction(self._connection):
            yield self._connection


def job_of_row(row: sqlite3.Row) -> Job:
    """The job of a row of table jobs, joined with `requests` for its commit."""
    return Job(
        number=row["number"],
        pkgbase=Pkgbase(row["pkgbase"]),
        state=JobState(row["state"]),
        reason=row["reason"],
        request=row["request"],
        commit=row["commit_id"],
        builder_class=row["builder_class"],
        queued_at_s=row["queued_at"],
        started_at_s=row["started_at"],
        ended_at_s=row["ended_at"],
        waits_for=Pkgbase(row["waits_for"]) if row["waits_for"] else None,
        version=row["version"],
        phase=row["phase"],
        status=row["status"],
        phases=tuple((phase, seconds) for phase, seconds in json.loads(row["phases"])),
        interference=tuple(json.loads(row["interference"])),
        also_needs=tuple(json.loads(row["also_needs"])),
        log_of=row["log_of"],
        priority=row["priority"],
        worker=row["worker"],
        losses=row["losses"],
        recipe=row["recipe"],
        size_bytes=row["size_bytes"],
    )


def _sample_of_row(row: sqlite3.Row) -> JobSample:
    package, recipe, worker, state, queued_at, started_at, ended_at, phases, size_bytes = row
    build_s = None if phases in (None, "[]") else sum(seconds for _, seconds in json.loads(phases))
    return JobSample(package, recipe, worker, _STATES[state], queued_at, started_at, ended_at, build_s, size_bytes)


def _note_happening(connection: sqlite3.Connection, kind: str, subject: str, text: str, now_s: float) -> None:
    values = (now_s, kind, subject, text)
    connection.execute("INSERT INTO happenings (at, kind, subject, text) VALUES (?, ?, ?, ?)", values)
