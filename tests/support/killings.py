"""What is left of a story that was killed everywhere (`killed_everywhere`)."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

_TOP = str(Path(__file__).parents[2])


def killed_everywhere(module: str, folder: Path) -> tuple[list[Path], Path]:
    """The folders that killed processes left, first to last, and the one that a process came to its end in."""
    argv = [sys.executable, "-m", "tests.support.killed_everywhere", module, str(folder)]
    env = {**os.environ, "PYTHONPATH": _TOP}
    done = subprocess.run(argv, cwd=folder, env=env, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    numbers = sorted(int(path.name) for path in folder.iterdir() if path.name.isdecimal())
    *killed, last = (folder / str(number) for number in numbers)
    return killed, last
