"""Users that own nothing, each lent to one sandbox of this machine at a time.

Two sandboxes of one user would count each other's processes as their own, and the one that ends would end the other's.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import struct
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from ci_toolkit.errors import MachineError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# Users that systemd hands out for a moment and that own nothing.
FIRST, LAST = 61_184, 65_519
# Only root can write there, so that nobody else can hold the locks.
_LOCKS = Path("/run/ci-toolkit-users.lock")
_DYING_S = 0.01


@contextmanager
def lent_user(locks: Path = _LOCKS) -> Iterator[int | None]:
    """A user who is nobody else's meanwhile; None where we may not choose one; MachineError when none is left."""
    if os.geteuid() != 0:
        yield None
        return
    with lent_number(locks, FIRST, LAST, lambda user: (user, user)) as user:
        if user is None:
            raise MachineError(f"every user from {FIRST} to {LAST} is in use, as {locks} says")
        yield user


@contextmanager
def lent_number(locks: Path, first: int, last: int, users: Callable[[int], tuple[int, int]]) -> Iterator[int | None]:
    """A number that is nobody else's meanwhile, none of whose users (from, to) runs anything; None without one."""
    try:
        descriptor = os.open(locks, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise MachineError(f"{locks} cannot be opened: {error.strerror}") from error
    try:
        span = last - first + 1
        # Containers share users, but not this file: they had better not all begin with the same.
        start = secrets.randbelow(span)
        numbers = (first + (start + step) % span for step in range(span))
        yield next((one for one in numbers if _lock(descriptor, one) and not _processes(*users(one))), None)
    finally:
        os.close(descriptor)  # which ends the lock, as the end of this process does


def _lock(descriptor: int, number: int) -> bool:
    """Lock the byte of a number for this descriptor alone, not for the whole process; False when it is locked."""
    # struct flock with 64-bit offsets: type, whence, start, length, process (0).
    wanted = struct.pack("@hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, number, 1, 0)
    try:
        fcntl.fcntl(descriptor, fcntl.F_OFD_SETLK, wanted)
    except (BlockingIOError, PermissionError):
        return False
    return True


def end_processes(user: int, last: int | None = None) -> None:
    """Kill what a lent user, or all from it to the last, still have running."""
    for _ in range(100):
        numbers = _processes(user, last)
        if not numbers:
            return
        for number in numbers:
            with suppress(ProcessLookupError):
                os.kill(number, 9)
        time.sleep(_DYING_S)


def _processes(first: int, last: int | None = None) -> list[int]:
    entries = [entry for entry in os.scandir("/proc") if entry.name.isdigit()]
    return [int(entry.name) for entry in entries if _is_of(entry.path, first, first if last is None else last)]


def _is_of(path: str, first: int, last: int) -> bool:
    """Whether a process is one of some users' and not dead yet."""
    try:
        status = Path(path, "status").read_text()
    except OSError:
        return False
    fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    user = int(fields.get("Uid", "-1").split("\t")[0])
    return first <= user <= last and not fields.get("State", "Z").startswith(("Z", "X"))
