"""The master and the workers of the story: processes on this machine, ended by their numbers."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Self

import requests

from ci_toolkit.formats.job_record import parse_job_record
from ci_toolkit.model.job import Job, JobState
from tests.support.farm_stand import free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path
    from types import TracebackType

_SOON_S = 30.0
_LONGEST_S = 150.0
_LOOK_S = 0.1
_FILE = """\
url = "{url}"
web = "tcp:{web}:interface=127.0.0.1"
workers_listen = "tcp:{workers}:interface=127.0.0.1"

[buildbot]
url = "http://127.0.0.1:{buildbot}/"
web = "tcp:{buildbot}:interface=127.0.0.1"

[repositories.samples]
sources = ["samples"]
key_file = "{key}"

[repositories.samples.config]
GIT_AUTHOR_NAME = "samples bot"
GIT_AUTHOR_EMAIL = "bot@samples.invalid"
CI_ALLOW_LOCAL_UPSTREAMS = true
"""


class Machines:
    """Processes by name; nothing of them is left afterwards, not even when the story itself is killed."""

    def __init__(self, folder: Path, env: Mapping[str, str]) -> None:
        self.folder, self._env = folder, env
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self.workers_port, self._web_port, self._buildbot_port = free_port(), free_port(), free_port()
        self.url = f"http://127.0.0.1:{self._web_port}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for process in self._processes.values():
            if process.poll() is None:
                process.kill()
            process.wait()

    def farm_file(self, *, key: Path) -> str:
        """What the master is."""
        return _FILE.format(
            url=self.url,
            web=self._web_port,
            workers=self.workers_port,
            buildbot=self._buildbot_port,
            key=key,
        )

    def start_master(self) -> None:
        """Until it says that schedules are taken."""
        self._start("master", "ci-toolkit", "farm", "master", "run", "master")
        self.wait("the master is ready", self._is_ready)

    def start_program(self, name: str, *words: str) -> None:
        """A program that is not ours, whose log is beside the others'."""
        self._start(name, *words)

    def start_worker(self, name: str) -> None:
        """Until the master has it."""
        self._start(name, "ci-toolkit", "farm", "worker", "run", name)
        self.wait(f"worker {name} is there", lambda: self._worker_state(name) == "idle")

    def number(self, name: str) -> int:
        """Of a process."""
        return self._processes[name].pid

    def is_stopped_while_building(self, name: str) -> Job | None:
        """What a worker builds that has been stopped, and that can therefore not be finished; None: it goes on."""
        found = self._built_by(name)
        if found is None or not self._log(found):
            return None
        os.kill(self.number(name), signal.SIGSTOP)
        time.sleep(0.5)  # what it had sent before may be on its way
        now = self._built_by(name)
        if now is not None and now.number == found.number:
            return now
        os.kill(self.number(name), signal.SIGCONT)
        return None

    def end(self, name: str, number: int) -> int:
        """Send a signal, and wait; its exit status."""
        process = self._processes[name]
        process.send_signal(number)
        return process.wait(_SOON_S)

    def jobs(self) -> dict[str, Job]:
        """The last job of every package, as anybody may ask for them."""
        answer = requests.get(f"{self.url}/api/repositories/samples/jobs?newest=1", timeout=10)
        answer.raise_for_status()
        return {str(job.pkgbase): job for job in map(parse_job_record, answer.json()["jobs"])}

    def wait(self, what: str, holds: Callable[[], object], *, within_s: float = _LONGEST_S) -> None:
        """Until something holds; the story ends if it does not, or if a process has ended that nobody ended."""
        end = time.monotonic() + within_s
        while not holds():
            for name, process in self._processes.items():
                if process.poll() not in (None, -signal.SIGKILL):
                    sys.exit(f"{name} has ended; {self.folder / name}.log says why")
            if time.monotonic() > end:
                sys.exit(f"the demo waited {within_s:.0f} s in vain: {what}; logs are in {self.folder}")
            time.sleep(_LOOK_S)

    def _start(self, name: str, *words: str) -> None:
        with (self.folder / f"{name}.log").open("wb") as log:
            self._processes[name] = subprocess.Popen(
                ("setpriv", "--pdeathsig=KILL", *words),
                cwd=self.folder,
                env=self._env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                process_group=0,  # Ctrl-C is for the story, which then ends them
            )

    def _is_ready(self) -> bool:
        with contextlib.suppress(requests.ConnectionError):
            return requests.get(f"{self.url}/readyz", timeout=10).ok
        return False

    def _worker_state(self, name: str) -> str:
        workers = requests.get(f"{self.url}/api/workers", timeout=10).json()["workers"]
        return next(str(worker["state"]) for worker in workers if worker["name"] == name)

    def _log(self, job: Job) -> bytes:
        return requests.get(f"{self.url}/api/repositories/samples/jobs/{job.number}/log", timeout=10).content

    def _built_by(self, name: str) -> Job | None:
        found = (job for job in self.jobs().values() if job.worker == name and job.state is JobState.BUILDING)
        return next(found, None)
