"""How Buildbot's own database is opened: its history and logs, none of which a farm goes by.

Buildbot opens SQLite anew for every statement, and waits for the disk at each of several dozen transactions a build.
Here one connection stays open, and a power cut may cost the last seconds of what Buildbot's pages show; what is to be
built, and what became of it, is in the job databases. Source: sqlite.org/pragma.html#pragma_synchronous.
"""

from __future__ import annotations

import sqlite3
from typing import Any

from sqlalchemy.pool import QueuePool


class _HistoryConnection(sqlite3.Connection):
    """Writes to the log of the database, and leaves it to the system when that reaches the disk."""

    def __init__(self, *arguments: Any, **settings: Any) -> None:  # noqa: ANN401 - as the class above takes them
        super().__init__(*arguments, **settings)
        self.execute("PRAGMA synchronous = NORMAL")


def engine_settings(url: str) -> dict[str, Any]:
    """What SQLAlchemy is told beside the URL; a server of databases may have been restarted since it was used last."""
    if not url.startswith("sqlite"):
        return {"pool_pre_ping": True}
    connection = {"check_same_thread": False, "factory": _HistoryConnection}
    return {"poolclass": QueuePool, "pool_size": 1, "max_overflow": 4, "connect_args": connection}
