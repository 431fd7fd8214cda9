"""A PostgreSQL that lives as long as the story, in a folder of its own."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tests.support.postgres import Postgres

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def foreground_postgres() -> Iterator[str]:
    """Its URL; it is ended, also when the story is killed, and its data removed."""
    # The story's own folder may be closed to the user that runs the database.
    place = Path(tempfile.mkdtemp(prefix="ci-toolkit-farm-demo-", dir="/var/tmp"))
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
