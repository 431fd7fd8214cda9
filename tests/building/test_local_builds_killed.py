"""SIGKILL at every write of a run of the local backend: one more run ends where an undisturbed one would have ended."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from tests.support.instant_recipe import FOLDER
from tests.support.local_builds import LocalBuilds, Tiny

if TYPE_CHECKING:
    from tests.support.built import BuiltPackages
    from tests.support.killable import Ended, Killables
    from tests.support.world import World

SHARDS = 2
ALPHA = Tiny(name="alpha")


class Prepared:
    """A repository with an update and a removal queued, which can be put back to that moment."""

    def __init__(self, world: World, built: BuiltPackages, killables: Killables) -> None:
        self.world, self.killables = world, killables
        for base, version in (("alpha", "1.0"), ("alpha", "1.1")):
            built.files(base, version)
        self.packages = str(built.folder)
        self.local = LocalBuilds(world, ALPHA, Tiny(name="gone"))
        self.local.schedule()
        world.run("builds", "cancel", "gone")
        assert self.run().status == 0
        self.local.push(Tiny(name="alpha", version="1.1"), remove=("gone",))
        self.saved = world.folder / "saved"
        shutil.copytree(self.local.top, self.saved, symlinks=True)

    def rewind(self) -> None:
        shutil.rmtree(self.local.top)
        shutil.copytree(self.saved, self.local.top, symlinks=True)

    def run(self, kill_at: int = 0) -> Ended:
        env = {**self.world.env, FOLDER: self.packages}
        return self.killables.run("builds", "run", "--demo-key", cwd=self.world.work, env=env, kill_at=kill_at)

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
            "store": self.world.run("store", "verify", "--json").json["faults"],
            "check": self.world.run("publish", "check", "--demo-key").status,
            "leftovers": leftovers,
            "logs": self.world.run("logs", "alpha").stdout,
        }


_GOOD = ("succeeded", "already built")


@pytest.fixture
def prepared(world: World, built: BuiltPackages, killables: Killables) -> Prepared:
    return Prepared(world, built, killables)


@pytest.mark.parametrize("shard", range(SHARDS))
def test_killed_at_any_write_and_run_again(prepared: Prepared, shard: int) -> None:
    undisturbed = prepared.run()
    assert undisturbed.boundaries is not None, undisturbed.stderr
    expected = prepared.result()
    assert expected["published"] == {"alpha": "1.1-1"}
    assert expected["check"] == 0
    for number in range(1 + shard, undisturbed.boundaries + 1, SHARDS):
        prepared.rewind()
        ended = prepared.run(kill_at=number)
        assert ended.was_killed, ended.stderr
        ended = prepared.run()
        assert ended.status == 0, (number, ended.stderr)
        assert prepared.result() == expected, number
