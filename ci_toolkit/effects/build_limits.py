"""What one build may use."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ci_toolkit.effects.control_groups import ControlGroups


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildLimits:
    """What one build may use: seconds, processes, and bytes of memory, of output and of disk.

    `most_time_s` are the seconds that a package may ask for by itself.
    """

    time_s: float = 1_800.0
    most_time_s: float = 3_600.0
    memory_bytes: int = 8 << 30
    processes: int = 4_096
    output_bytes: int = 64 << 20
    disk_bytes: int = 32 << 30


def limit_words(limits: BuildLimits, groups: ControlGroups) -> list[str]:
    """A prefix with limits that hold for each process; memory only where no control group counts it for all."""
    words = ["prlimit", f"--fsize={limits.disk_bytes}", "--core=0", f"--nproc={limits.processes}"]
    if "memory" not in groups.limits:
        words.append(f"--as={limits.memory_bytes}")
    return [*words, "--"]


def user_words(owner: int | None) -> list[str]:
    """A prefix that makes a program the lent user's, and lets it gain no rights; None: it stays whose it is."""
    words = ["setpriv", "--no-new-privs"]
    if owner is not None:
        words += [f"--reuid={owner}", f"--regid={owner}", "--clear-groups"]
        words += ["--inh-caps=-all", "--ambient-caps=-all", "--bounding-set=-all"]
    return [*words, "--"]
