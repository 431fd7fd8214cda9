"""The one place where programs are started."""

from __future__ import annotations

import logging
import os
import select
import selectors
import signal
import subprocess  # the only import of it: every other module is handed a `Processes`
import threading
import time
import tty
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ci_toolkit.errors import ProcessError

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Mapping, Sequence
    from pathlib import Path

    from ci_toolkit.effects.redaction import Redactor

log = logging.getLogger(__name__)

_KILL_GRACE_S = 5.0
_CHUNK = 1 << 16
_LOOK_S = 0.05
_WATCH_S = 0.25
# What git adds to every failure of ssh, and what would crowd out the reason, which ssh gave before.
_ADVICE = ("Please make sure you have the correct access rights", "and the repository exists.")


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
        lines = (line.strip() for line in self.stderr.decode(errors="replace").split("\n"))
        return "; ".join([line for line in lines if line and line not in _ADVICE][-3:])


@dataclass(frozen=True, slots=True, kw_only=True)
class Streamed:
    """How a program ended: with a status (negative: a signal), or, without one, `late`, or for `reason`."""

    status: int | None
    late: bool = False
    reason: str = ""


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
        output_limit: int | None = None,
    ) -> Completed:
        """Run a program to its end.

        Raises ProcessError when it cannot be started, exceeds `timeout_s` seconds or writes more than `output_limit`
        bytes (its whole process group is then killed), or ends with a status that is not among `statuses`. With an
        output limit nobody waits for what a program leaves behind: once it has ended, its output is complete.
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
                if output_limit is None:
                    stdout, stderr = child.communicate(stdin, timeout=timeout_s)
                else:
                    stdout, stderr = _limited_output(child, timeout_s, output_limit)
            except subprocess.TimeoutExpired as error:
                end_group(child)
                raise ProcessError(f"{self._brief(argv)} did not end within {timeout_s:g} s") from error
            except _TooMuchOutputError as error:
                end_group(child)
                raise ProcessError(f"{self._brief(argv)} wrote more than {output_limit} bytes") from error
            except BaseException:
                end_group(child)
                raise
        done = Completed(argv=tuple(argv), status=child.returncode, stdout=stdout, stderr=stderr)
        if child.returncode not in statuses:
            text = self.redactor.clean(done.complaint) or "it said nothing"
            raise ProcessError(f"{self._brief(argv)} ended with status {child.returncode}: {text}", said=text)
        return done

    def stream(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str],
        timeout_s: float,
        take: Callable[[bytes], None],
        watch: Callable[[], str | None],
        cwd: Path | None = None,
    ) -> Streamed:
        """Run a program on a terminal of its own, as colours are for terminals, and hand on what it writes as it comes.

        It is killed after `timeout_s` seconds, and as soon as `watch`, asked a few times a second, gives a reason.
        ProcessError when it cannot be started.
        """
        with self._lock:
            self.started += 1
        log.debug("running %s", self.redactor.clean(" ".join(argv)))
        master, slave = os.openpty()
        try:
            # Line ends stay as they are written, and nothing that is written is taken for a key.
            tty.setraw(slave)
            child = subprocess.Popen(
                tuple(argv),
                cwd=cwd,
                env=dict(env),
                stdin=subprocess.DEVNULL,
                stdout=slave,
                stderr=slave,
                start_new_session=True,
            )
        except OSError as error:
            os.close(master)
            raise ProcessError(f"{argv[0]} cannot be started: {error.strerror}") from error
        finally:
            os.close(slave)
        with child:
            try:
                return _streamed(child, master, time.monotonic() + timeout_s, take, watch)
            finally:
                end_group(child)
                os.close(master)

    def _brief(self, argv: Sequence[str]) -> str:
        return self.redactor.clean(" ".join(argv[:12]))


def _streamed(
    child: subprocess.Popen[bytes],
    terminal: int,
    deadline: float,
    take: Callable[[bytes], None],
    watch: Callable[[], str | None],
) -> Streamed:
    looked = 0.0
    while True:
        ended = child.poll() is not None
        ready, _, _ = select.select([terminal], [], [], 0 if ended else _LOOK_S)
        chunk = _read_terminal(terminal) if ready else b""
        if chunk:
            take(chunk)
        elif ended:
            return Streamed(status=child.returncode)
        elif ready:
            # Nobody has the terminal any more: the program ends just now, or goes on.
            with suppress(subprocess.TimeoutExpired):
                child.wait(_LOOK_S)
        now = time.monotonic()
        if now > deadline:
            return Streamed(status=None, late=True)
        if now - looked > _WATCH_S:
            looked = now
            if reason := watch():
                return Streamed(status=None, reason=reason)


def _read_terminal(terminal: int) -> bytes:
    try:
        return os.read(terminal, _CHUNK)
    except OSError:  # what a terminal says when its last user is gone
        return b""


class _TooMuchOutputError(Exception):
    """A program writes without end."""


def _limited_output(child: subprocess.Popen[bytes], timeout_s: float, limit: int) -> tuple[bytes, bytes]:
    """What a program writes until it ends, whoever still holds its output open then; nothing is written to it."""
    if child.stdin is None or child.stdout is None or child.stderr is None:
        raise AssertionError(child.args)
    child.stdin.close()
    child.stdin = None
    parts: dict[int, bytearray] = {child.stdout.fileno(): bytearray(), child.stderr.fileno(): bytearray()}
    deadline = time.monotonic() + timeout_s
    with selectors.DefaultSelector() as waiting:
        for descriptor in parts:
            os.set_blocking(descriptor, False)
            waiting.register(descriptor, selectors.EVENT_READ)
        ended = False
        while waiting.get_map():
            ready = waiting.select(0 if ended else _LOOK_S)
            for key, _ in ready:
                chunk = os.read(key.fd, _CHUNK)
                parts[key.fd] += chunk
                if not chunk:
                    waiting.unregister(key.fd)
            if sum(map(len, parts.values())) > limit:
                raise _TooMuchOutputError
            if time.monotonic() > deadline:
                raise subprocess.TimeoutExpired(child.args, timeout_s)
            if ended and not ready:
                break
            ended = child.poll() is not None
    child.wait(max(0.0, deadline - time.monotonic()))
    stdout, stderr = parts.values()
    return bytes(stdout), bytes(stderr)


def end_group(child: subprocess.Popen[bytes]) -> None:
    """Kill a program and everything it started."""
    try:
        os.killpg(child.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
    child.communicate(timeout=_KILL_GRACE_S)
