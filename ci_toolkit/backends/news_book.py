"""What is to be told of jobs, and how far each listener has got, in the database of jobs itself.

Steps of jobs and happenings have numbers that only grow, and a listener has told everything up to a number of each.
What it is about to send is held in the file first, so that after a process was killed the very same is sent again.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ci_toolkit.backends.job_database import job_of_row
from ci_toolkit.backends.job_schema import FORM, REMOVED, SCHEMA, STEPS, WORKER
from ci_toolkit.backends.schedule_intake import marks
from ci_toolkit.effects.sqlite_file import open_sqlite, transaction
from ci_toolkit.model.job import JobState
from ci_toolkit.model.news import JobNews, WorkerNews

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable
    from pathlib import Path

ENDED = frozenset(state for state in JobState if state.is_over)
_FAILED = frozenset(state for state in JobState if state.is_failure)
_OF_THEIR_OWN = tuple(state.value for state in JobState if state.is_good or state.is_failure)


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """The number of the last step, and of the last happening, that is behind."""

    step: int
    happening: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Cursor:
    """How far a listener has got, and what it was about to send: everything up to `held`.

    `sent_at_s` is when it sent something the last time, `not_before_s` until when its service wants to be left alone;
    both in seconds since 1970.
    """

    name: str
    identity: str
    told: Position
    held: Position | None
    sent_at_s: float
    not_before_s: float

    def message_id(self, until: Position) -> str:
        """What a message about everything up to there is known by; the same when it is sent again."""
        text = f"{self.identity} {self.told.step}-{until.step} {self.told.happening}-{until.happening}"
        return hashlib.sha256(text.encode()).hexdigest()[:32]


class NewsBook:
    """One open file; every method is one transaction."""

    def __init__(self, path: Path) -> None:
        """Open or make it; MachineError or NotReadyError when that is impossible."""
        self._connection = open_sqlite(path, schema=SCHEMA, form=FORM, steps=STEPS)

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()

    def changes(self) -> int:
        """A number that differs once another connection has written something."""
        return int(self._connection.execute("PRAGMA data_version").fetchone()[0])

    # cursors

    def begin(self, names: Iterable[str]) -> None:
        """Have cursors for these listeners; those that are new begin at the present."""
        with transaction(self._connection):
            now = self.end()
            rows = [(name, secrets.token_hex(16), now.step, now.happening) for name in names]
            self._connection.executemany(
                "INSERT OR IGNORE INTO listeners (name, identity, step, happening) VALUES (?, ?, ?, ?)", rows
            )

    def cursor(self, name: str) -> Cursor:
        """That of a listener that has begun."""
        row = self._connection.execute("SELECT * FROM listeners WHERE name = ?", (name,)).fetchone()
        held = None
        if row["held_step"] is not None:
            held = Position(step=row["held_step"], happening=row["held_happening"])
        return Cursor(
            name=name,
            identity=row["identity"],
            told=Position(step=row["step"], happening=row["happening"]),
            held=held,
            sent_at_s=row["sent_at"],
            not_before_s=row["not_before"],
        )

    def end(self) -> Position:
        """Where everything is behind."""
        rows = self._connection.execute("SELECT name, seq FROM sqlite_sequence")
        last = {row["name"]: row["seq"] for row in rows}
        return Position(step=last.get("transitions", 0), happening=last.get("happenings", 0))

    def hold(self, cursor: Cursor, until: Position) -> None:
        """Note that everything up to there is about to be sent."""
        self._set(cursor, held_step=until.step, held_happening=until.happening)

    def advance(self, cursor: Cursor, until: Position, *, sent_at_s: float | None = None) -> None:
        """Note that everything up to there is behind, by a message that was sent then, or because it is no news."""
        sent = {} if sent_at_s is None else {"sent_at": sent_at_s}
        self._set(cursor, step=until.step, happening=until.happening, held_step=None, held_happening=None, **sent)

    def postpone(self, cursor: Cursor, until_s: float) -> None:
        """Note that the service wants to be left alone."""
        self._set(cursor, not_before=until_s)

    def _set(self, cursor: Cursor, **columns: float | None) -> None:
        assignments = ", ".join(f"{column} = ?" for column in columns)
        with transaction(self._connection):
            self._connection.execute(
                f"UPDATE listeners SET {assignments} WHERE name = ?", (*columns.values(), cursor.name)
            )

    # news

    def next_position(self, told: Position, states: frozenset[JobState], most: int) -> Position:
        """Where a message ends that has at most so many steps to one of these states, and as many happenings."""
        end = self.end()
        step = self._connection.execute(
            f"SELECT number FROM transitions WHERE number > ? AND new IN ({marks(states)})"
            " ORDER BY number LIMIT 1 OFFSET ?",
            (told.step, *_values(states), most - 1),
        ).fetchone()
        happening = self._connection.execute(
            "SELECT number FROM happenings WHERE number > ? ORDER BY number LIMIT 1 OFFSET ?",
            (told.happening, most - 1),
        ).fetchone()
        return Position(
            step=step["number"] if step else end.step, happening=happening["number"] if happening else end.happening
        )

    def jobs(self, told: Position, until: Position, states: frozenset[JobState]) -> tuple[JobNews, ...]:
        """The jobs that came to one of these states in between, each once, in the order in which they did."""
        rows = self._connection.execute(
            "SELECT max(transitions.number) AS step, jobs.*, commit_id, source FROM transitions"
            " JOIN jobs ON jobs.number = transitions.job JOIN requests ON requests.id = jobs.request"
            f" WHERE transitions.number > ? AND transitions.number <= ? AND new IN ({marks(states)})"
            " GROUP BY jobs.number ORDER BY step",
            (told.step, until.step, *_values(states)),
        ).fetchall()
        return tuple(map(self._news, rows))

    def _news(self, row: sqlite3.Row) -> JobNews:
        job = job_of_row(row)
        before = self._before(job.pkgbase, row["step"]) if job.state.value in _OF_THEIR_OWN else None
        return JobNews(
            job=job,
            source=row["source"],
            is_first_failure=job.state in _FAILED and before not in _FAILED,
            is_recovery=job.state.is_good and before in _FAILED,
        )

    def _before(self, pkgbase: str, step: int) -> JobState | None:
        """How the package's job before that step ended, of those that came to an end of their own."""
        row = self._connection.execute(
            "SELECT new FROM transitions JOIN jobs ON jobs.number = transitions.job"
            f" WHERE pkgbase = ? AND transitions.number < ? AND new IN ({marks(_OF_THEIR_OWN)})"
            " ORDER BY transitions.number DESC LIMIT 1",
            (pkgbase, step, *_OF_THEIR_OWN),
        ).fetchone()
        return JobState(row["new"]) if row else None

    def removed(self, told: Position, until: Position) -> dict[str, float]:
        """The packages that were removed in between, with when they were for the last time, in seconds since 1970."""
        return {row["subject"]: row["at"] for row in self._happenings(told, until, REMOVED)}

    def troubles(self, told: Position, until: Position) -> tuple[WorkerNews, ...]:
        """What was noted of workers in between."""
        return tuple(
            WorkerNews(worker=row["subject"], text=row["text"], at_s=row["at"])
            for row in self._happenings(told, until, WORKER)
        )

    def _happenings(self, told: Position, until: Position, kind: str) -> list[sqlite3.Row]:
        return self._connection.execute(
            "SELECT * FROM happenings WHERE number > ? AND number <= ? AND kind = ? ORDER BY number",
            (told.happening, until.happening, kind),
        ).fetchall()


def _values(states: Iterable[JobState]) -> tuple[str, ...]:
    return tuple(sorted(state.value for state in states))
