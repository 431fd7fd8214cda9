"""Which processes there are, by their command lines."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


def left_behind(text: str) -> list[str]:
    """Processes whose command line begins with a text."""
    return [line for line in _command_lines() if line.startswith(text)]


def running_with(text: str) -> list[str]:
    """Processes whose command line has a text in it."""
    return [line for line in _command_lines() if text in line]


def _command_lines() -> Iterator[str]:
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            try:
                yield Path(entry.path, "cmdline").read_bytes().decode(errors="replace")
            except OSError:  # it has ended
                continue
