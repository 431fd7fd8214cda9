"""The one place where programs are started."""

from __future__ import annotations

import logging
import os
import signal
import subprocess  # the only import of it: every other module is handed a `Processes`
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ci_toolkit.errors import ProcessError

if TYPE_CHECKING:
    from collections.abc import Container, Mapping, Sequence
    from pathlib import Path

    from ci_toolkit.effects.redaction import Redactor

log = logging.getLogger(__name__)

_KILL_GRACE_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Completed:
    """A program that has ended: its arguments, exit status and what it wrote."""

    argv: tuple[str, ...]
    status: int
    stdout: bytes
    stderr: bytes

    @property
    def complaint(self) -> str:
        """The last lines of what it wrote to stderr, in one line."""
        lines = self.stderr.decode(errors="replace").split("\n")
        return "; ".join([line.strip() for line in lines if line.strip()][-3:])


@dataclass(slots=True, kw_only=True)
class Processes:
    """Starts programs: an argument tuple and never a shell, explicit environment and time limit, output captured."""

    redactor: Redactor
    started: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def run(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str],
        timeout_s: float,
        cwd: Path | None = None,
        stdin: bytes = b"",
        statuses: Container[int] = (0,),
        pass_fds: tuple[int, ...] = (),
    ) -> Completed:
        """Run a program to its end.

        Raises ProcessError when it cannot be started, exceeds `timeout_s` seconds (its whole process group is then
        killed) or ends with a status that is not among `statuses`.
        """
        with self._lock:
            self.started += 1
        log.debug("running %s", self.redactor.clean(" ".join(argv)))
        try:
            child = subprocess.Popen(
                tuple(argv),
                cwd=cwd,
                env=dict(env),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
                pass_fds=pass_fds,
            )
        except OSError as error:
            raise ProcessError(f"{argv[0]} cannot be started: {error.strerror}") from error
        with child:
            try:
                stdout, stderr = child.communicate(stdin, timeout=timeout_s)
            except subprocess.TimeoutExpired as error:
                end_group(child)
                raise ProcessError(f"{self._brief(argv)} did not end within {timeout_s:g} s") from error
            except BaseException:
                end_group(child)
                raise
        done = Completed(argv=tuple(argv), status=child.returncode, stdout=stdout, stderr=stderr)
        if child.returncode not in statuses:
            text = self.redactor.clean(done.complaint) or "it said nothing"
            raise ProcessError(f"{self._brief(argv)} ended with status {child.returncode}: {text}", said=text)
        return done

    def _brief(self, argv: Sequence[str]) -> str:
        return self.redactor.clean(" ".join(argv[:12]))


def end_group(child: subprocess.Popen[bytes]) -> None:
    """Kill a program and everything it started."""
    try:
        os.killpg(child.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
    child.communicate(timeout=_KILL_GRACE_S)
