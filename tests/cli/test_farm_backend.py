"""`builds`, `logs` and the pipelines with a farm as backend, over JSON and over gRPC, as people use them."""

from __future__ import annotations

import threading
import time
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from ci_toolkit.errors import ConfigError, HandOverError, NotReadyError, RefusedError
from ci_toolkit.formats.artifact_record import format_artifacts
from ci_toolkit.model.artifact import Artifact
from ci_toolkit.model.job import JobFilter, JobState
from tests.support.farm_stand import free_port
from tests.support.grpc_farm import grpc_farm
from tests.support.packages import SamplePackage
from tests.support.quiet_farm import OPERATOR, TOKEN, QuietFarm, served

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from pathlib import Path

    from ci_toolkit.model.job import Job
    from tests.support.grpc_farm import GrpcFarm
    from tests.support.quiet_farm import ServedFarm
    from tests.support.world import Result, World

FOO, BAR = SamplePackage(name="foo"), SamplePackage(name="bar")


class Farming:
    """A repository whose backend is a farm that is there, or not, at one address."""

    def __init__(self, world: World, folder: Path, backend: str) -> None:
        self.world, self.backend = world, backend
        self.farm = QuietFarm(folder)
        self.port = free_port()

    def served(self) -> AbstractContextManager[ServedFarm | GrpcFarm]:
        """The farm, where the repository looks for it."""
        serve = served if self.backend == "buildbot" else grpc_farm
        return serve(self.farm, port=self.port)

    def run(self, *arguments: str, token: str = TOKEN) -> Result:
        return self.world.run(*arguments, CI_FARM_TOKEN=token)

    def jobs(self) -> tuple[Job, ...]:
        with self.farm.database() as database:
            return database.jobs(JobFilter())


@pytest.fixture(params=["buildbot", "build_service"])
def farming(world: World, tmp_path: Path, request: pytest.FixtureRequest) -> Farming:
    made = Farming(world, tmp_path / "farm", request.param)
    settings = {"CI_BACKEND": made.backend, "CI_FARM_URL": f"http://127.0.0.1:{made.port}"}
    for package in (FOO, BAR):
        world.upstreams.publish(package.name, package.files())
    files = FOO.folder() | BAR.folder()
    world.start(files, settings=settings, seen=False)
    return made


@pytest.fixture
def running(farming: Farming) -> object:
    with farming.served() as found:
        yield found


def test_what_on_commit_could_not_hand_over_is_handed_over_by_the_next_one_once(farming: Farming) -> None:
    world = farming.world
    failed = farming.run("on-commit")
    assert failed.status == HandOverError.exit_status
    assert "did not take the schedule" in failed.stderr
    assert "refs/tags/scheduled" not in world.origin.refs()
    with farming.served():
        assert farming.run("on-commit").status == 0
        world.push({"README.md": "x\n"}, "docs: more")
        assert farming.run("on-commit").status == 0
    assert sorted(job.pkgbase for job in farming.jobs()) == ["bar", "foo"]
    assert world.origin.refs()["refs/tags/scheduled"] == world.origin.head()


def test_what_the_state_branch_remembers_is_handed_over_once(farming: Farming) -> None:
    world = farming.world
    with farming.served():
        assert farming.run("on-commit").status == 0
    assert farming.run("on-schedule").status == 0
    world.upstreams.publish("foo", replace(FOO, version="1.1").files())
    assert farming.run("on-schedule").status == HandOverError.exit_status
    assert [path for path in world.origin.tree("state") if path.startswith(".pending")]
    with farming.served():
        for number in range(2):
            world.push({f"README.{number}": "x\n"}, "docs: more")
            assert farming.run("on-commit").status == 0
    assert [job.pkgbase for job in farming.jobs()][2:] == ["foo"]
    assert not [path for path in world.origin.tree("state") if path.startswith(".pending")]


def test_builds_are_listed_shown_cancelled_and_tried_again(farming: Farming, running: ServedFarm | GrpcFarm) -> None:
    assert farming.run("builds", "list").stdout == "no builds\n"
    done = farming.run("on-commit")
    assert done.status == 0
    assert "2 builds queued on the farm" in done.stdout + done.stderr
    listed = farming.run("builds", "list", "--json").json
    assert [(job["package"], job["state"]) for job in listed] == [("bar", "queued"), ("foo", "queued")]
    assert farming.run("builds", "retry", "foo").status == RefusedError.exit_status
    cancelled = farming.run("builds", "cancel", "foo", "--reason", "it is not wanted", "--json").json
    assert [(job["package"], job["state"]) for job in cancelled] == [("foo", "cancelled")]
    shown = farming.run("builds", "show", "foo").stdout
    assert "cancelled: it is not wanted" in shown
    assert farming.run("builds", "cancel", "foo").status == RefusedError.exit_status
    again = farming.run("builds", "retry", "foo", "--json").json
    assert [(job["package"], job["job"]) for job in again] == [("foo", 3)]
    assert farming.run("logs", "foo").status == NotReadyError.exit_status
    assert running.farm.woken


def test_a_log_is_followed_to_its_end(farming: Farming, running: ServedFarm | GrpcFarm) -> None:
    farming.run("on-commit")
    [job] = [job for job in farming.jobs() if job.pkgbase == "foo"]
    found: list[Result] = []
    thread = threading.Thread(target=lambda: found.append(farming.run("logs", "-f", "foo")))
    thread.start()
    time.sleep(0.5)
    farming.farm.write_log(job, "built\n")
    building = farming.farm.bring(job, JobState.BUILDING, log_of=job.number)
    time.sleep(0.5)
    farming.farm.write_log(job, "and done\n")
    with farming.farm.database() as database:
        database.move(building, JobState.FAILED, "it does not build", now_s=300.0)
    thread.join(10)
    assert [(one.status, one.stdout) for one in found] == [(0, "built\nand done\n")]


def test_the_token_is_told_to_nobody(farming: Farming) -> None:
    token = "canary-of-a-token"
    with ExitStack() as stack:
        said = [farming.run("on-commit", token=token)]
        stack.enter_context(farming.served())
        said += [farming.run(*words, token=token) for words in (("on-commit",), ("builds", "list"), ("logs", "foo"))]
    assert all(one.status != 0 for one in said)
    assert not any(token in text for one in said for text in (one.stdout, one.stderr))
    assert all("CI_FARM_TOKEN" in one.stderr for one in said[2:])


def test_without_a_token_the_variable_is_named(farming: Farming) -> None:
    missing = farming.run("builds", "list", token="")
    assert missing.status == ConfigError.exit_status
    assert "CI_FARM_TOKEN is missing" in missing.stderr
    assert missing.stdout == ""


def test_workers_are_listed_drained_and_resumed_by_whoever_may(
    farming: Farming, running: ServedFarm | GrpcFarm
) -> None:
    assert farming.run("farm", "workers").stdout == "no workers\n"
    running.farm.add_worker("big", reason="it is free", machine="x86_64, 8 processors, 31 GiB", version="0.1.0")
    running.farm.add_worker("b", builder_class=1, slots=2, running=(("samples", 7),))
    one, two = farming.run("farm", "workers").stdout.splitlines()
    assert one.split("  ")[0] == "b"
    assert "1 of 2" in one
    assert two.startswith("big  class 3  0 of 1  idle")
    assert two.endswith("it is free, x86_64, 8 processors, 31 GiB, 0.1.0")
    assert farming.run("farm", "drain", "big").status == NotReadyError.exit_status
    drained = farming.run("farm", "drain", "big", "--reason", "new memory", token=OPERATOR)
    assert (drained.status, drained.stdout) == (0, "big finishes what it builds\n")
    listed = {worker["name"]: worker for worker in farming.run("farm", "workers", "--json").json}
    assert (listed["big"]["state"], listed["big"]["reason"]) == ("draining", "new memory")
    assert farming.run("farm", "resume", "big", token=OPERATOR).stdout == "big takes builds\n"
    unknown = farming.run("farm", "drain", "nobody", token=OPERATOR)
    assert unknown.status == NotReadyError.exit_status
    assert "there is no worker nobody" in unknown.stderr


def test_a_build_is_shown_with_its_worker_and_what_was_lost(farming: Farming, running: ServedFarm | GrpcFarm) -> None:
    farming.run("on-commit")
    [job] = [job for job in farming.jobs() if job.pkgbase == "foo"]
    farming.farm.bring(job, JobState.BUILDING, worker="big", losses=1, log_of=job.number)
    assert "on worker big, after 1 was lost with it" in farming.run("builds", "show", "foo").stdout


def test_what_a_build_made_is_shown_and_finished_builds_are_purged(
    farming: Farming, running: ServedFarm | GrpcFarm
) -> None:
    farming.run("on-commit")
    foo = next(job for job in farming.jobs() if job.pkgbase == "foo")
    made = Artifact(
        file="foo-1-1-any.pkg.tar.zst", name="foo", version="1-1", arch="any", sha256="ab" * 32, size_bytes=1_234
    )
    farming.farm.write_log(foo, "built\n")
    facts: dict[str, Any] = {"log_of": foo.number, "artifacts": format_artifacts([made]), "ended_at": 300.0}
    farming.farm.bring(foo, JobState.SUCCEEDED, **facts)
    assert (
        f"made foo-1-1-any.pkg.tar.zst, 1,234 bytes, sha256 {'ab' * 32}" in farming.run("builds", "show", "foo").stdout
    )
    assert farming.run("builds", "show", "foo", "--json").json["artifacts"][0]["sha256"] == "ab" * 32
    again = farming.run("builds", "retry", "foo", "--json").json[0]["job"]
    [newer] = [job for job in farming.jobs() if job.number == again]
    farming.farm.bring(newer, JobState.SUCCEEDED, ended_at=400.0)
    words = ("builds", "purge", "--before", "1h")
    refused = farming.run(*words)
    assert refused.status == NotReadyError.exit_status
    assert "does not operate this farm (its operator sets operates = true" in refused.stderr
    dry = farming.run(*words, "--dry-run", token=OPERATOR)
    assert (dry.status, "1 build would be forgotten, with its log\n" in dry.stdout) == (0, True), dry.stderr
    assert len(farming.jobs()) == 3
    assert [job["job"] for job in farming.run(*words, "--json", token=OPERATOR).json] == [foo.number]
    assert farming.run(*words, token=OPERATOR).stdout == "nothing to forget\n"
    assert foo.number not in {job.number for job in farming.jobs()}
    assert list(farming.farm.repositories["samples"].place.logs.glob("foo/*")) == []
    future = farming.run("builds", "purge", "--before", "2999-01-01", token=OPERATOR)
    assert (future.status, "that time is still to come" in future.stderr) == (RefusedError.exit_status, True)
    wrong = farming.run("builds", "purge", "--before", "yesterday", token=OPERATOR)
    assert (wrong.status, "such as 90m, 12h, 7d" in wrong.stderr) == (ConfigError.exit_status, True)
