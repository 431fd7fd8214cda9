"""A rendering that is killed at any moment leaves old or new files, never half of one, and the next one does the rest."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.stack_folders import files_below, stack_folder, toolkit
from tests.support.stacks import FARM

_CHILD = """\
import os, signal, sys
from pathlib import Path
from ci_toolkit.effects import files
from ci_toolkit.stack import writing
from ci_toolkit.stack.validating import all_checks
from tests.support.stack_folders import toolkit

steps = int(sys.argv[2])

def counted(function):
    def call(*words, **more):
        global steps
        steps -= 1
        if steps < 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*words, **more)
    return call

# Everything that makes something of a rendering appear on disk.
for name in ("replace", "chmod", "fsync", "rmdir"):
    setattr(os, name, counted(getattr(os, name)))
os.unlink = counted(os.unlink)
all_checks._BY_PROGRAMS = ()
status, said = toolkit(Path(sys.argv[1]), "render")
sys.stdout.write(said)
sys.exit(status)
"""
_INSTALLING = """\
from importlib.metadata import EntryPoint
from ci_toolkit import plugins
entry = EntryPoint("finder", "tests.stack.test_stack_folder:FinderPlugin", "ci_toolkit.stack_fragments")
plugins._installed = lambda: (entry,)
"""
_ROOT = Path(__file__).parents[2]


def killed_after(folder: Path, steps: int, before: str = "") -> bool:
    """Render in a process of its own that is killed before so many steps on disk; whether it was."""
    done = subprocess.run(
        (sys.executable, "-c", before + _CHILD, str(folder), str(steps)),
        cwd=_ROOT,
        env={**os.environ, "PYTHONPATH": str(_ROOT)},
        capture_output=True,
        check=False,
    )
    assert done.returncode in (0, -signal.SIGKILL), done.stderr.decode()
    return done.returncode != 0


@pytest.mark.parametrize("steps", [0, 1, 2, 7, 11, 12, 13, 10_000])
def test_every_file_is_old_or_new_and_the_next_run_completes_it(
    tmp_path: Path, steps: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ci_toolkit.stack.validating.all_checks._BY_PROGRAMS", ())
    changed = FARM.replace("farm.example.org", "other.example.org").replace("8010", "8011")
    new = stack_folder(tmp_path / "new", farm=changed)
    assert toolkit(new, "render")[0] == 0
    top = stack_folder(tmp_path / "top")
    assert toolkit(top, "render")[0] == 0
    before, after = files_below(top), files_below(new)
    (top / "master/farm.toml").write_text(changed)
    was_killed = killed_after(top, steps)
    assert was_killed is (steps < 10_000)
    for path, content in files_below(top).items():
        if path in before and not path.startswith(("secrets/", "master/")):
            assert content in (before[path], after[path]), path
    assert toolkit(top, "render")[0] == 0
    left = {path: content for path, content in files_below(top).items() if not path.startswith("secrets/")}
    assert left == {path: content for path, content in after.items() if not path.startswith("secrets/")}


@pytest.mark.parametrize("steps", range(0, 24, 3))
def test_nothing_is_left_of_a_plugin_whose_removal_was_killed(
    tmp_path: Path, steps: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ci_toolkit.stack.validating.all_checks._BY_PROGRAMS", ())
    without = stack_folder(tmp_path / "without")
    assert toolkit(without, "render")[0] == 0
    top = stack_folder(tmp_path / "top")
    assert not killed_after(top, 10_000, _INSTALLING)
    assert (top / "plugins/finder/compose.yml").exists()
    killed_after(top, steps)
    assert toolkit(top, "render")[0] == 0
    here, there = ({str(path.relative_to(one)) for path in one.rglob("*")} for one in (top, without))
    assert here == there
