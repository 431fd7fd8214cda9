"""A PostgreSQL that lives as long as the story, in a folder of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tests.support.postgres import Postgres

if TYPE_CHECKING:
    from collections.abc import Iterator

_PLACE, _NAME = Path("/var/tmp"), "ci-toolkit-farm-demo-"


@contextmanager
def foreground_postgres() -> Iterator[str]:
    """Its URL; it is ended, also when the story is killed, and its data removed."""
    # The story's own folder may be closed to the user that runs the database.
    for left in _PLACE.glob(f"{_NAME}*"):
        if not Path("/proc", left.name.removeprefix(_NAME).partition("-")[0]).exists():
            shutil.rmtree(left, ignore_errors=True)  # of a story that was killed, perhaps somebody else's
    place = Path(tempfile.mkdtemp(prefix=f"{_NAME}{os.getpid()}-", dir=_PLACE))
    place.chmod(0o755)
    try:
        postgres = Postgres(place / "postgres")
        process = subprocess.Popen(postgres.command(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/")
        try:
            postgres.wait_for(process)
            print(f"PostgreSQL is process {process.pid}, on port {postgres.port}", flush=True)
            yield postgres.url
        finally:
            process.terminate()
            process.wait()
    finally:
        shutil.rmtree(place)
