"""`make farm-demo`, with fewer packages: a farm that loses a worker publishes what the local backend does."""

from __future__ import annotations

import contextlib
import re
import subprocess
import sys
from pathlib import Path

from tests.farm_demo.watchers import Watchers
from tests.support.tools import needs_makepkg

TOP = Path(__file__).parents[2]
# A chain of three, and two that need nobody.
PACKAGES = ("libtally", "tally", "tally-report", "lsdup", "keyval")


@needs_makepkg
def test_the_farm_publishes_the_same_and_nothing_of_it_is_left_running(tmp_path: Path) -> None:
    argv = (sys.executable, "-m", "tests.farm_demo", "--folder", str(tmp_path / "demo"), "--only", *PACKAGES)
    done = subprocess.run(argv, cwd=TOP, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert re.findall(r"^ +(\d+) (.+?) +all the same$", done.stdout, re.MULTILINE) == [
        ("7", "package files"),
        ("7", "signatures of packages"),
        ("7", "entries of samples.db"),
        ("14", "entries of samples.files"),
        ("1", "the public key"),
    ]
    assert "kill -9" in done.stdout
    assert "was lost while it built" in done.stdout
    if not Watchers.missing():
        assert "Prometheus asks master, one, two, and has answers" in done.stdout
        assert "Alertmanager was told: The worker one went away while it built." in done.stdout
        assert not _running_below(tmp_path)
    numbers = re.findall(r"^   (?:master|one|two) +process (\d+)", done.stdout, re.MULTILINE)
    assert len(numbers) == 3
    assert not [number for number in numbers if _is_of_a_farm(number)]


def _running_below(folder: Path) -> list[str]:
    """Processes that name a place in it."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if str(folder).encode() in path.read_bytes():
                found.append(path.parent.name)
    return found


def _is_of_a_farm(number: str) -> bool:
    path = Path("/proc", number, "cmdline")
    return path.exists() and (b"farm" in path.read_bytes() or b"twistd" in path.read_bytes())
