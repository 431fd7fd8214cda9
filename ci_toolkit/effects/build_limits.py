"""What one build may use."""

from __future__ import annotations

from dataclasses import dataclass


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
