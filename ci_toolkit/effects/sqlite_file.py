"""SQLite files that outlive a killed process: write-ahead log, foreign keys, short transactions.

Source: sqlite.org/wal.html and pragma.html; SQLite 3.40.
"""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ci_toolkit.errors import MachineError, NotReadyError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_WAIT_S = 30.0


def open_sqlite(path: Path, *, schema: str, form: int) -> sqlite3.Connection:
    """A connection to the file at `path`, made with `schema` where there is none.

    NotReadyError for a file of a newer form or no database at all, MachineError when it cannot be opened. Several
    processes may have it open; one that writes makes the others wait for at most 30 s.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        # Threads are kept apart by whoever holds the connection.
        connection = sqlite3.connect(path, timeout=_WAIT_S, isolation_level=None, check_same_thread=False)
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA foreign_keys = ON")
        with transaction(connection):
            found = connection.execute("PRAGMA user_version").fetchone()[0]
            if found == 0:
                for statement in schema.split(";;"):
                    connection.execute(statement)
                connection.execute(f"PRAGMA user_version = {form:d}")
    except sqlite3.DatabaseError as error:
        raise _translated(error, path) from error
    if found > form:
        connection.close()
        raise NotReadyError(
            "was written by a newer ci-toolkit", key=str(path), hint="update ci-toolkit on this machine"
        )
    return connection


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """All or nothing of what is written inside; MachineError when the disk is full or the file cannot be written."""
    try:
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            connection.execute("ROLLBACK")
            raise
        connection.execute("COMMIT")
    except sqlite3.OperationalError as error:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise MachineError(f"a database cannot be written: {error}") from error


def _translated(error: sqlite3.DatabaseError, path: Path) -> MachineError | NotReadyError:
    if isinstance(error, sqlite3.OperationalError):
        return MachineError(f"{path} cannot be opened: {error}")
    hint = f"move it out of the way, and what it knew of is taken for new: mv {path.name} {path.name}.damaged"
    return NotReadyError(f"is damaged: {error}", key=str(path), hint=hint)
