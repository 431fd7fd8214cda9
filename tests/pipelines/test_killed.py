"""SIGKILL at every write and during every kind of request: one more run ends where an undisturbed one would have."""

from __future__ import annotations

import os
import re
import signal
import time
from concurrent.futures import Future
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.support.moment import Moment
from tests.support.packages import SamplePackage
from tests.support.running import running_with

if TYPE_CHECKING:
    from tests.support.killable import Ended, Killables
    from tests.support.upstreams import Seen
    from tests.support.world import World

SHARDS = 2


class Prepared:
    """A world just before a busy run, which can be put back to that moment."""

    def __init__(self, world: World, pipeline: str, killables: Killables) -> None:
        self.world = world
        self.killables = killables
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
        self.moment = Moment(world)

    def run(self, *, kill_at: int = 0) -> Ended:
        return self.killables.run(self.pipeline, cwd=self.world.work, env=self.world.env, kill_at=kill_at)

    def assert_rerun_ends_like(self, expected: dict[str, object], killed: str) -> None:
        again = self.world.run(self.pipeline)
        assert again.status == 0, f"{killed}: {again.stderr}"
        assert self.result() == expected, killed

    def result(self) -> dict[str, object]:
        """What a reader of the repository and the next CI job see, but for times and the names of commits."""
        origin = self.world.origin
        refs = origin.refs()
        trees: dict[str, object] = {}
        for ref in refs:
            name = ref.rpartition("/")[2]
            if name == "state":
                # Verdicts are the last run's, and after a kill the last run may have had nothing left to do.
                files = {path: content for path, content in origin.tree(name).items() if path != ".verdicts"}
                trees[name] = {path: _timeless(content) for path, content in files.items()}
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
    ended = prepared.run()
    assert ended.status == 0, ended.stderr
    assert ended.boundaries
    return prepared.result(), ended.boundaries


@pytest.mark.parametrize("shard", range(SHARDS))
@pytest.mark.parametrize("pipeline", ["on-schedule", "on-commit"])
def test_a_rerun_after_a_kill_at_any_write_ends_like_an_undisturbed_run(
    world: World, killables: Killables, pipeline: str, shard: int
) -> None:
    prepared = Prepared(world, pipeline, killables)
    expected, boundaries = undisturbed(prepared)
    assert boundaries > 4
    for number in range(1 + shard, boundaries + 1, SHARDS):
        prepared.moment.return_to()
        ended = prepared.run(kill_at=number)
        assert ended.was_killed, ended.stderr
        prepared.assert_rerun_ends_like(expected, f"killed at boundary {number} of {boundaries}")


def test_a_rerun_after_a_kill_during_any_kind_of_request_ends_like_an_undisturbed_run(
    world: World, killables: Killables
) -> None:
    """The program is gone, and what it asked for is still done: git, which asks, is a process of its own."""
    prepared = Prepared(world, "on-schedule", killables)
    world.upstreams.forget()
    expected, _ = undisturbed(prepared)
    counts = world.upstreams.count()
    moments = [(kind, 1) for kind in counts] + [("push", nth) for nth in range(2, counts["push"] + 1)]
    assert {"dump", "ls-refs", "fetch", "origin-ls-refs", "push"} < counts.keys()
    for kind, nth in moments:
        prepared.moment.return_to()
        ended = killed_during(prepared, kind, nth)
        assert ended.was_killed, ended.stderr
        prepared.assert_rerun_ends_like(expected, f"killed during {kind} {nth}")


def killed_during(prepared: Prepared, kind: str, nth: int) -> Ended:
    world, process = prepared.world, Future[int]()

    def kill(seen: Seen) -> None:
        if seen.kind == kind and world.upstreams.count()[kind] == nth - 1:
            os.kill(process.result(timeout=10), signal.SIGKILL)

    world.upstreams.on_request = kill
    process.set_result(prepared.killables.start(prepared.pipeline, cwd=world.work, env=world.env))
    ended = prepared.killables.wait()
    world.upstreams.on_request = None
    deadline = time.monotonic() + 30
    while running_with(str(world.folder)):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return ended
