"""The SQLite file of a store's index, for several threads."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ci_toolkit.effects.sqlite_file import open_sqlite, transaction
from ci_toolkit.store.schema import FORM, SCHEMA, STEPS

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator
    from pathlib import Path


class IndexFile:
    """One open file; a statement, or all that is done within `writing`, is one transaction."""

    def __init__(self, path: Path) -> None:
        """Open or make it, or bring it up to date."""
        self._open = open_sqlite(path, schema=SCHEMA, form=FORM, steps=STEPS)
        self._lock = threading.Lock()

    def close(self) -> None:
        """Let go of the file."""
        self._open.close()

    def read(self, question: str, *values: str | float) -> list[sqlite3.Row]:
        """All rows that answer a question."""
        with self._lock:
            return self._open.execute(question, values).fetchall()

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """A transaction."""
        with self._lock, transaction(self._open):
            yield self._open
