"""SIGKILL at every write of a run of the local backend: one more run ends where an undisturbed one would have ended."""

from __future__ import annotations

import re
import shutil
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.instant_recipe import FOLDER
from tests.support.local_builds import LocalBuilds, Tiny

if TYPE_CHECKING:
    from tests.support.built import BuiltPackages
    from tests.support.world import World

TOP = str(Path(__file__).parents[2])
WRAPPER = ("-m", "tests.support.killable_builds")
SHARDS = 2
ALPHA = Tiny(name="alpha")


class Prepared:
    """A repository with an update and a removal queued, which can be put back to that moment."""

    def __init__(self, world: World, built: BuiltPackages) -> None:
        self.world = world
        for base, version in (("alpha", "1.0"), ("alpha", "1.1")):
            built.files(base, version)
        self.packages = str(built.folder)
        self.local = LocalBuilds(world, ALPHA, Tiny(name="gone"))
        self.local.schedule()
        world.run("builds", "cancel", "gone")
        assert self.run(0)[0] == 0
        self.local.push(Tiny(name="alpha", version="1.1"), remove=("gone",))
        self.saved = world.folder / "saved"
        shutil.copytree(self.local.top, self.saved, symlinks=True)

    def rewind(self) -> None:
        shutil.rmtree(self.local.top)
        shutil.copytree(self.saved, self.local.top, symlinks=True)

    def run(self, number: int) -> tuple[int, str]:
        words = (str(number), "builds", "run", "--demo-key")
        child = self.world.spawn(*words, wrapper=WRAPPER, PYTHONPATH=TOP, **{FOLDER: self.packages})
        _, stderr = child.communicate(timeout=60)
        return child.returncode, stderr

    def result(self) -> dict[str, object]:
        """What people and clients see, but for times."""
        local = self.local
        states = {name: (job["state"], job["version"]) for name, job in local.jobs().items()}
        served = {path.name: path.is_file() for path in local.served.glob("*.pkg.tar.zst")}
        leftovers = [path.name for path in (local.top / "work").glob("*")]
        return {
            "states": {
                name: ("is there", version) if state in _GOOD else state for name, (state, version) in states.items()
            },
            "published": local.published(),
            "files": served,
            "store": self.world.run("store", "check", "--json").json["faults"],
            "check": self.world.run("publish", "check", "--demo-key").status,
            "leftovers": leftovers,
            "logs": self.world.run("logs", "alpha").stdout,
        }


_GOOD = ("succeeded", "already built")


@pytest.fixture
def prepared(world: World, built: BuiltPackages) -> Prepared:
    return Prepared(world, built)


@pytest.mark.parametrize("shard", range(SHARDS))
def test_killed_at_any_write_and_run_again(prepared: Prepared, shard: int) -> None:
    status, said = prepared.run(0)
    assert status == 0, said
    expected = prepared.result()
    assert expected["published"] == {"alpha": "1.1-1"}
    assert expected["check"] == 0
    count = int(re.search(r"boundaries: (\d+)", said)[1])  # type: ignore[index]  # it ended well, so it says so
    for number in range(1 + shard, count + 1, SHARDS):
        prepared.rewind()
        status, said = prepared.run(number)
        assert status == -signal.SIGKILL, said
        status, said = prepared.run(0)
        assert status == 0, (number, said)
        assert prepared.result() == expected, number
