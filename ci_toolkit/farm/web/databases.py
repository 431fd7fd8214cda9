"""The job databases of a farm's repositories, open for as many threads as need them at once."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ci_toolkit.backends.job_database import JobDatabase

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ci_toolkit.farm.spec import FarmRepository


class JobDatabases:
    """Lends open databases, and keeps those that are given back: opening one takes its writers' lock for a moment."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._idle: dict[Path, list[JobDatabase]] = {}

    @contextmanager
    def opened(self, repository: FarmRepository) -> Iterator[JobDatabase]:
        """The database of a repository, for one thread; MachineError or NotReadyError when it cannot be opened.

        What is written there is on disk when the method that writes it returns.
        """
        path = repository.place.jobs
        with self._lock:
            idle = self._idle.setdefault(path, [])
            database = idle.pop() if idle else None
        if database is None:
            database = JobDatabase(path, durable=True)
        try:
            yield database
        except BaseException:
            database.close()
            raise
        with self._lock:
            idle.append(database)

    def close(self) -> None:
        """Close those that nobody uses."""
        with self._lock:
            for idle in self._idle.values():
                while idle:
                    idle.pop().close()
