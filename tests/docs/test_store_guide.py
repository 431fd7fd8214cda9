"""docs/store.md: its example runs, and its commands are those that there are."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ci_toolkit.store import api

if TYPE_CHECKING:
    from tests.support.world import World

TOP = Path(__file__).parents[2]
GUIDE = (TOP / "docs/store.md").read_text()


def test_the_example_runs(tmp_path: Path) -> None:
    [code] = re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL)
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={"PYTHONPATH": str(TOP)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stderr, done.stdout) == ("", "hello-1.0 is new\n1 object removed\n")
    assert (tmp_path / "copy/greeting").read_text() == "hello\n"


def test_every_verb_is_told_of_with_its_options(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    def said(*words: str) -> str:
        world.run("store", *words, "--help")
        return capsys.readouterr().out

    found = re.findall(r"^    ci-toolkit store (\w+) ([^#\n]*)", GUIDE, re.MULTILINE)
    told = dict(reversed(found))  # the list stands above the examples
    verbs = re.findall(r"^    (\w+) ", said(), re.MULTILINE)
    assert sorted(told) == sorted(verbs)
    for verb in verbs:
        usage = said(verb)
        assert all(option in usage for option in re.findall(r"--[a-z-]+", told[verb])), verb


def test_what_programs_may_use_is_there_and_nothing_else() -> None:
    assert sorted(name for name in vars(api) if not name.startswith("_") and name != "annotations") == sorted(
        api.__all__
    )
    assert all(name in GUIDE for name in ("open_store", "read_store", "ci_toolkit.store.api"))


@pytest.mark.parametrize("name", api.__all__)
def test_everything_that_programs_may_use_says_what_it_is(name: str) -> None:
    assert getattr(api, name).__doc__
