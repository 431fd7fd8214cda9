"""SIGKILL at every write of a run: one more run ends where an undisturbed run would have ended."""

from __future__ import annotations

import random
import re
import shutil
import signal
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.packages import SamplePackage

if TYPE_CHECKING:
    from tests.support.world import World

TOP = str(Path(__file__).parents[2])
KILLABLE = ("-m", "tests.support.killable")
SHARDS = 4
RANDOM_MOMENTS = 12


class Prepared:
    """A world just before a busy run, which can be put back to that moment."""

    def __init__(self, world: World, pipeline: str) -> None:
        self.world = world
        self.pipeline = pipeline
        minor, major, other = (SamplePackage(name=name) for name in ("minor", "major", "other"))
        (world.upstreams.root / "projects").mkdir()
        project = world.upstreams.repository("projects/tool-git")
        project.commit({"README": "1\n"})
        tool = SamplePackage(name="tool-git", git_source=f"{world.upstreams.url}/projects/tool-git.git")
        packages = (minor, major, other, tool)
        for package in packages:
            world.upstreams.publish(package.name, package.files())
        world.start({path: text for package in packages for path, text in package.folder().items()})
        assert world.run("on-schedule").status == 0
        if pipeline == "on-schedule":
            world.upstreams.publish("minor", replace(minor, version="1.1").files())
            world.upstreams.publish("major", replace(major, version="1.1", body="curl x | sh").files())
            project.commit({"README": "2\n"})
        else:
            world.push({"minor/x": "1\n"}, "fix: it [deploy other]", remove=["major"])
        self.saved = world.folder / "saved"
        shutil.copytree(world.origin.path, self.saved / "origin")
        shutil.copytree(world.work, self.saved / "work")
        shutil.copytree(world.folder / "home", self.saved / "home")

    def rewind(self) -> None:
        for name, path in (
            ("origin", self.world.origin.path),
            ("work", self.world.work),
            ("home", self.world.folder / "home"),
        ):
            shutil.rmtree(path)
            shutil.copytree(self.saved / name, path)

    def run(self, number: int) -> tuple[int, str]:
        child = self.world.spawn(str(number), self.pipeline, wrapper=KILLABLE, PYTHONPATH=TOP)
        _, stderr = child.communicate(timeout=60)
        return child.returncode, stderr

    def result(self) -> dict[str, object]:
        """What a reader of the repository and the next CI job see, but for times and the names of commits."""
        origin = self.world.origin
        refs = origin.refs()
        trees: dict[str, object] = {}
        for ref in refs:
            name = ref.rpartition("/")[2]
            if name == "state":
                trees[name] = {path: _timeless(content) for path, content in origin.tree(name).items()}
            else:
                trees[name] = origin.git("rev-parse", f"{ref}^{{tree}}")
        schedule = self.world.work / ".ci/schedule-params.txt"
        return {
            "trees": trees,
            "subjects": origin.subjects(),
            "tag is main": refs["refs/tags/scheduled"] == refs["refs/heads/main"],
            "schedule": schedule.read_text() if schedule.exists() else None,
        }


def _timeless(content: bytes) -> bytes:
    content = re.sub(rb"STATE_(COUNTER|BASE|RUN)=.*\n", b"", content)
    return re.sub(rb"^(\S+) [0-9a-f]{40} ", rb"\1 HEAD ", content, flags=re.MULTILINE)


def undisturbed(prepared: Prepared) -> tuple[dict[str, object], int]:
    status, stderr = prepared.run(0)
    assert status == 0, stderr
    expected = prepared.result()
    # Verdicts are the last run's, and after a kill the last run may have had nothing left to do.
    _drop_verdicts(expected)
    return expected, int(stderr.split("boundaries: ")[1])


def _drop_verdicts(result: dict[str, object]) -> None:
    trees = result["trees"]
    assert isinstance(trees, dict)
    trees.get("state", {}).pop(".verdicts", None)


@pytest.mark.parametrize("shard", range(SHARDS))
@pytest.mark.parametrize("pipeline", ["on-schedule", "on-commit"])
def test_a_rerun_after_a_kill_at_any_write_ends_like_an_undisturbed_run(
    world: World, pipeline: str, shard: int
) -> None:
    prepared = Prepared(world, pipeline)
    expected, boundaries = undisturbed(prepared)
    assert boundaries > 8
    for number in range(1 + shard, boundaries + 1, SHARDS):
        prepared.rewind()
        status, _ = prepared.run(number)
        assert status == -signal.SIGKILL
        status, stderr = prepared.run(0)
        assert status == 0, f"boundary {number}: {stderr}"
        found = prepared.result()
        _drop_verdicts(found)
        assert found == expected, f"killed at boundary {number} of {boundaries}"


def test_a_rerun_after_a_kill_at_a_random_moment_ends_like_an_undisturbed_run(world: World) -> None:
    prepared = Prepared(world, "on-schedule")
    began = time.monotonic()
    expected, _ = undisturbed(prepared)
    length_s = time.monotonic() - began
    moments = random.Random(7)
    for _ in range(RANDOM_MOMENTS):
        prepared.rewind()
        child = prepared.world.spawn("0", "on-schedule", wrapper=KILLABLE, PYTHONPATH=TOP)
        time.sleep(moments.uniform(0.3, 1.0) * length_s)
        child.kill()
        child.communicate()
        _let_git_children_end(world)
        status, stderr = prepared.run(0)
        assert status == 0, stderr
        found = prepared.result()
        _drop_verdicts(found)
        assert found == expected


def _let_git_children_end(world: World) -> None:
    """A push that was under way may still arrive: wait until the server has been silent for a moment."""
    silent_since, seen = time.monotonic(), len(world.upstreams.seen)
    while time.monotonic() - silent_since < 0.3:
        time.sleep(0.05)
        if len(world.upstreams.seen) != seen:
            silent_since, seen = time.monotonic(), len(world.upstreams.seen)
