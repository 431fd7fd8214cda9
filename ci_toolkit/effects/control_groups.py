"""Limits on all processes of a sandbox together, where the system lets us make control groups (cgroup v1 or v2)."""

from __future__ import annotations

import os
import secrets
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_ROOT = Path("/sys/fs/cgroup")
_RETRIES = 200
_DYING_S = 0.01  # processes that were killed leave their group a little later


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlGroups:
    """Groups of one sandbox: `entrances` are the files that a process writes its number to; `limits` are in force."""

    entrances: tuple[Path, ...] = ()
    limits: tuple[str, ...] = ()


@contextmanager
def control_groups(*, memory_bytes: int, processes: int, root: Path = _ROOT) -> Iterator[ControlGroups]:
    """New groups with these limits, or with those of them that can be had here; gone afterwards."""
    name = f"ci-toolkit-{secrets.token_hex(6)}"
    wanted = {
        "memory": (("memory.limit_in_bytes", "memory.max"), memory_bytes),
        "processes": (("pids.max", "pids.max"), processes),
    }
    folders: dict[Path, None] = {}
    limits = []
    for limit, ((old, new), value) in wanted.items():
        for parent, file in ((_own_group(root, old.partition(".")[0]), old), (_own_group(root, None), new)):
            if parent is not None and _limited(parent / name, file, value):
                folders[parent / name] = None
                limits.append(limit)
                break
    try:
        yield ControlGroups(entrances=tuple(folder / "cgroup.procs" for folder in folders), limits=tuple(limits))
    finally:
        for folder in folders:
            _close(folder)


def _own_group(root: Path, controller: str | None) -> Path | None:
    """The group this process is in: of a v1 controller, or (None) in the unified hierarchy."""
    try:
        lines = Path("/proc/self/cgroup").read_text().splitlines()
    except OSError:
        return None
    for line in lines:
        number, names, path = line.split(":", 2)
        if controller is None and number == "0" and (root / "cgroup.controllers").exists():
            return root / path.lstrip("/")
        if controller is not None and controller in names.split(","):
            return root / controller / path.lstrip("/")
    return None


def _limited(folder: Path, file: str, value: int) -> bool:
    made = False
    try:
        if not folder.exists():
            folder.mkdir()
            made = True
        (folder / file).write_text(str(value))
    except OSError:
        if made:
            with suppress(OSError):
                folder.rmdir()
        return False
    return True


def _close(folder: Path) -> None:
    """End what is left in a group and remove it."""
    for _ in range(_RETRIES):
        with suppress(OSError):
            for number in (folder / "cgroup.procs").read_text().split():
                with suppress(ProcessLookupError):
                    os.kill(int(number), 9)
        try:
            folder.rmdir()
        except FileNotFoundError:
            return
        except OSError:
            time.sleep(_DYING_S)
        else:
            return
