"""A PostgreSQL of a test's own, on loopback, run by a user without rights."""

from __future__ import annotations

import os
import shlex
import shutil
import socket
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.farm_stand import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

_NOBODY = 65534
_AS_OTHER = ("setpriv", f"--reuid={_NOBODY}", f"--regid={_NOBODY}", "--clear-groups") if os.getuid() == 0 else ()
_OPTIONS = ("-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "fsync=off")


class Postgres:
    """`url` is for SQLAlchemy; `restart` ends all connections."""

    def __init__(self, top: Path) -> None:
        self._data, self.port = top / "data", free_port()
        self.url = f"postgresql+psycopg://farm@127.0.0.1:{self.port}/postgres"
        self._bin = _programs()
        top.mkdir(parents=True, exist_ok=True)
        if os.getuid() == 0:
            os.chown(top, _NOBODY, _NOBODY)
        self._options = ("-p", str(self.port), *_OPTIONS)
        self._run("initdb", "-D", str(self._data), "-U", "farm", "-A", "trust", "--no-sync")

    def start(self) -> None:
        """Until it takes connections."""
        log = str(self._data / "log")
        self._run("pg_ctl", "-D", str(self._data), "-o", shlex.join(self._options), "-l", log, "-w", "start")

    def command(self) -> tuple[str, ...]:
        """What serves it as a process of the caller's, and is killed when that ends; `wait_for` it."""
        begun = (*(_AS_OTHER or ("setpriv",)), "--pdeathsig=KILL")
        return (*begun, str(self._bin / "postgres"), "-D", str(self._data), *self._options)

    def wait_for(self, process: subprocess.Popen[bytes]) -> None:
        """Until it takes connections."""
        while process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", self.port), 5).close()
            except ConnectionRefusedError:
                time.sleep(0.1)
            else:
                return
        raise AssertionError(f"PostgreSQL ended with status {process.returncode}")

    def stop(self) -> None:
        """As a server is stopped that does not wait for anybody."""
        self._run("pg_ctl", "-D", str(self._data), "-m", "fast", "-w", "stop")

    def _run(self, program: str, *words: str) -> None:
        argv = (*_AS_OTHER, str(self._bin / program), *words)
        done = subprocess.run(argv, capture_output=True, text=True, check=False, cwd="/", env={"LC_ALL": "C.UTF-8"})
        assert done.returncode == 0, done.stdout + done.stderr


def _programs() -> Path:
    """Debian keeps them beside no others."""
    found = shutil.which("initdb")
    places = [Path(found).resolve().parent] if found else sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    if not places:
        pytest.skip("there is no PostgreSQL here")
    return places[-1]


@contextmanager
def running_postgres(top: Path) -> Iterator[Postgres]:
    """Started, and ended."""
    postgres = Postgres(top)
    postgres.start()
    try:
        yield postgres
    finally:
        postgres.stop()
