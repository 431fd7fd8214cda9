"""One run at a time on a folder: the second waits, and when it gives up it names the first."""

from __future__ import annotations

import fcntl
import logging
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ci_toolkit.errors import NotReadyError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ci_toolkit.effects.clock import Clock

log = logging.getLogger(__name__)

_LOOK_S = 0.05


@contextmanager
def exclusive(path: Path, *, who: str, wait_s: float, clock: Clock, hint: str | None = None) -> Iterator[None]:
    """Hold a lock that the system drops when the process ends, however it ends; NotReadyError after `wait_s` seconds.

    `who` is what the file tells others, such as `publish add`; `hint` says what to do for who waited in vain.
    """
    descriptor = _open(path)
    try:
        _take(descriptor, path, wait_s, clock, hint)
        _sign(descriptor, who)
        yield
    finally:
        os.close(descriptor)


def hold_to_the_end(path: Path, *, who: str) -> None:
    """Hold the lock for as long as this process runs, also as another program that it becomes; NotReadyError at once.

    Unlike a file with a number of a process in it, what a killed process or another container left stops nobody.
    """
    descriptor = _open(path)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = _holder(descriptor)
        os.close(descriptor)
        raise NotReadyError(f"is used by {holder}", key=str(path.parent)) from None
    _sign(descriptor, who)
    os.set_inheritable(descriptor, True)


def _open(path: Path) -> int:
    path.parent.mkdir(parents=True, exist_ok=True)
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def _sign(descriptor: int, who: str) -> None:
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"process {os.getpid()} ({who})".encode(), 0)


def _holder(descriptor: int) -> str:
    return os.pread(descriptor, 200, 0).decode(errors="replace") or "another process"


def _take(descriptor: int, path: Path, wait_s: float, clock: Clock, hint: str | None) -> None:
    end_s = clock.monotonic() + wait_s
    told = False
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = _holder(descriptor)
            if clock.monotonic() >= end_s:
                raise NotReadyError(f"is used by {holder}", key=str(path.parent), hint=hint) from None
            if not told:
                log.info("waiting for %s, which uses %s", holder, path.parent)
                told = True
            clock.sleep(_LOOK_S)
        else:
            return
