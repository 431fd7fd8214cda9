"""SQLite files that outlive a killed process: write-ahead log, foreign keys, short transactions.

Source: sqlite.org/wal.html, pragma.html and lang_transaction.html; SQLite 3.40.
"""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Self

from ci_toolkit.errors import MachineError, NotReadyError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

_WAIT_S = 30.0


def open_sqlite(
    path: Path, *, schema: str, form: int, steps: Mapping[int, Sequence[str]] | None = None
) -> sqlite3.Connection:
    """A connection to the file at `path`, made with `schema` where there is none.

    One of an earlier form is brought up to this one by the statements that `steps` has for each form before.

    NotReadyError for a file of a newer form or no database at all, MachineError when it cannot be opened; so does every
    statement later on. Several processes may have it open; one that writes makes the others wait for at most 30 s.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with _errors_of(path):
        # Threads are kept apart by whoever holds the connection.
        connection = sqlite3.connect(
            path, timeout=_WAIT_S, isolation_level=None, check_same_thread=False, factory=_Connection
        )
    try:
        connection.path = path
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA foreign_keys = ON")
        _prepare(connection, schema, form, steps or {})
    except BaseException:
        connection.close()
        raise
    return connection


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """All or nothing of what is written inside; MachineError when the disk is full or the file cannot be written."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # some faults, such as a full disk, have ended it already
            connection.execute("ROLLBACK")
        raise


def _prepare(connection: _Connection, schema: str, form: int, steps: Mapping[int, Sequence[str]]) -> None:
    """Make the tables of a file that is new, or bring those of an older one up to date."""
    with transaction(connection):
        found = int(connection.execute("PRAGMA user_version").fetchone()[0])
        if found == 0:
            for statement in schema.split(";;"):
                connection.execute(statement)
        else:
            for step in range(found, form):
                for statement in steps[step]:
                    connection.execute(statement)
        if found < form:
            connection.execute(f"PRAGMA user_version = {form:d}")
    if found > form:
        hint = "update ci-toolkit on this machine"
        raise NotReadyError("was written by a newer ci-toolkit", key=str(connection.path), hint=hint)


class _Connection(sqlite3.Connection):
    """One whose errors say which file cannot be read or written."""

    path: Path

    def execute(self, *question: Any) -> _Cursor:  # noqa: ANN401 - as the library declares it
        return self.cursor(_Cursor).execute(*question)

    def executemany(self, *question: Any) -> _Cursor:  # noqa: ANN401 - as the library declares it
        return self.cursor(_Cursor).executemany(*question)


class _Cursor(sqlite3.Cursor):
    """Likewise: rows are read from the file when they are asked for, and not before."""

    connection: _Connection

    def execute(self, *question: Any) -> Self:  # noqa: ANN401 - as the library declares it
        with _errors_of(self.connection.path):
            return super().execute(*question)

    def executemany(self, *question: Any) -> Self:  # noqa: ANN401 - as the library declares it
        with _errors_of(self.connection.path):
            return super().executemany(*question)

    def fetchone(self) -> Any:  # noqa: ANN401 - likewise
        with _errors_of(self.connection.path):
            return super().fetchone()

    def fetchall(self) -> list[Any]:
        with _errors_of(self.connection.path):
            return super().fetchall()

    def __next__(self) -> Any:  # noqa: ANN401 - likewise
        with _errors_of(self.connection.path):
            return super().__next__()


@contextmanager
def _errors_of(path: Path) -> Iterator[None]:
    """What is wrong with the machine or the file is said; what is wrong with a statement stays as it is."""
    try:
        yield
    except sqlite3.OperationalError as error:
        raise MachineError(f"{path} cannot be read or written: {error}") from error
    except sqlite3.DatabaseError as error:
        if type(error) is not sqlite3.DatabaseError:  # a constraint or a misuse
            raise
        hint = f"move it out of the way, and what it knew of is taken for new: mv {path.name} {path.name}.damaged"
        raise NotReadyError(f"is damaged: {error}", key=str(path), hint=hint) from error
