"""A schedule is handed over, with a boundary before every statement of SQL (`killed_everywhere`)."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

from ci_toolkit.backends.job_database import JobDatabase
from tests.support.jobs import folders, schedule

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.killable import Boundaries

SCHEDULE = schedule("r2", "a", "b", "new", there="d", removed=True)


def story(folder: Path, boundaries: Boundaries) -> None:
    """Replaces one job, has one end, cancels one, adds one, and removes a package."""
    watch_statements(boundaries)
    with closing(JobDatabase(folder / "jobs.sqlite")) as database:
        database.submit(SCHEDULE, folders(("a", "b", "new"), "new"), source="pkgs", now_s=9.0)


def watch_statements(boundaries: Boundaries, *, only: str = "") -> None:
    """Cross a boundary before every statement that this process runs from now on, or those alone that begin so."""
    sqlite3.connect = _watched(sqlite3.connect, boundaries, only)  # type: ignore[assignment]  # this process is made for it


def _watched(
    connect: Callable[..., sqlite3.Connection], boundaries: Boundaries, only: str
) -> Callable[..., sqlite3.Connection]:
    """A connection that tells every statement before it runs it, and every repetition of one."""

    def tell(statement: str) -> None:
        if statement.startswith(only):
            boundaries.cross()

    def connected(*arguments: Any, **options: Any) -> sqlite3.Connection:
        connection = connect(*arguments, **options)
        connection.set_trace_callback(tell)
        return connection

    return connected
