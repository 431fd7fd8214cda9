"""A farm builds, on real processes: from jobs to a published repository, with workers that come and go."""

from __future__ import annotations

import hashlib
import os
import re
import signal
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import requests

from ci_toolkit.backends.build_service.backend import BuildServiceBackend
from ci_toolkit.backends.buildbot import BuildbotBackend
from ci_toolkit.model.job import JobFilter, JobState
from ci_toolkit.model.names import Pkgbase
from tests.support.farm_stand import FarmStand, package_folder, running_farm
from tests.support.jobs import schedule
from tests.support.local_builds import Described, Tiny

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ci_toolkit.backends.spec import BackendTools

ENDED_WITHIN_S = 10.0
BEHIND_S = 2.0
LIB = Tiny(name="lib")
APP = Tiny(name="app", depends=("lib",))


@pytest.fixture(scope="module")
def farm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FarmStand]:
    top = tmp_path_factory.mktemp("farm") / "master"
    workers = {"one": "class 1 slots 1", "two": "class 4 slots 2"}
    with running_farm(FarmStand(top=top, workers=workers, serves_grpc=True)) as stand:
        yield stand


def test_packages_are_built_in_order_and_published_signed(farm: FarmStand) -> None:
    farm.submit("r1", APP, LIB)
    assert farm.finished() == {"app": "succeeded", "lib": "succeeded"}
    assert farm.published() == ["app-1.0-1-any.pkg.tar.zst", "lib-1.0-1-any.pkg.tar.zst"]
    jobs = farm.jobs()
    assert jobs["lib"].ended_at_s is not None
    assert jobs["app"].started_at_s is not None
    assert jobs["lib"].worker in ("one", "two")
    assert {phase for phase, _ in jobs["app"].phases} >= {"package", "collect"}
    assert (farm.place().repository / "x86_64/app-1.0-1-any.pkg.tar.zst.sig").is_file()
    for client, tools in clients(farm):
        for name in ("app", "lib"):
            [made] = client.artifacts(jobs[name], tools)
            published = farm.place().repository / "x86_64" / made.file
            assert (made.name, made.version, made.arch) == (name, "1.0-1", "any")
            assert made.sha256 == hashlib.sha256(published.read_bytes()).hexdigest()
            assert made.size_bytes == published.stat().st_size


def test_folders_that_are_described_are_built_and_published_like_packages(farm: FarmStand) -> None:
    """What a worker made goes to the next one: a package is installed there, and another file lies there."""
    tool = Described(name="tool", command="cp /usr/share/base/file tool", outputs=("tool",), depends=("base",))
    bundle = Described(
        name="bundle",
        command='cat "$CI_NEEDS/tool/tool" >one; echo more >two',
        outputs=("one", "two"),
        depends=("tool",),
    )
    farm.submit("d1", Tiny(name="base", content="from base"), tool, bundle)
    found = farm.finished()
    assert {found[name] for name in ("base", "tool", "bundle")} == {"succeeded"}, farm.jobs()
    served = farm.place().top / "places/directory/current"
    assert (served / "bundle/1.0-1/one").read_text() == "from base\n"
    assert (served / "bundle/1.0-1/two").read_text() == "more\n"
    assert farm.jobs()["bundle"].recipe == "command"


def test_a_class_that_nobody_has_is_said(farm: FarmStand) -> None:
    farm.submit("heavy", Tiny(name="heavy"), classes={"heavy": "9"})
    farm.wait(lambda: farm.jobs()["heavy"].reason == "no worker of class 9")
    farm.submit("lighter", Tiny(name="heavy"), classes={"heavy": "2"})
    farm.finished()
    assert farm.jobs()["heavy"].worker == "two"


# through the farm's API


def test_what_is_cancelled_while_it_is_built_ends_within_seconds_and_its_worker_is_free(farm: FarmStand) -> None:
    submit(farm, "c1", Tiny(name="endless", body="echo begun; sleep 43210.1"))
    farm.building("endless")
    farm.wait(lambda: bool(processes("43210.1")))
    begun = time.monotonic()
    BuildbotBackend().cancel(farm.jobs()["endless"], "nobody wants it", farm.tools())
    assert farm.finished()["endless"] == "cancelled"
    farm.wait(lambda: not processes("43210.1"))
    farm.wait(lambda: farm.worker("one")["state"] == farm.worker("two")["state"] == "idle")
    assert time.monotonic() - begun < ENDED_WITHIN_S
    assert farm.jobs()["endless"].reason == "nobody wants it"


def test_what_is_replaced_while_it_is_built_ends_and_its_successor_is_built(farm: FarmStand) -> None:
    submit(farm, "o1", Tiny(name="moved", body="echo begun; sleep 43210.2"))
    farm.building("moved")
    old = farm.jobs()["moved"]
    begun = time.monotonic()
    submit(farm, "o2", Tiny(name="moved", version="2.0"))
    farm.wait(lambda: not processes("43210.2"))
    assert time.monotonic() - begun < ENDED_WITHIN_S
    assert farm.finished()["moved"] == "succeeded"
    [before] = BuildbotBackend().jobs(JobFilter(numbers=frozenset({old.number})), farm.tools())
    assert before.state is JobState.REPLACED
    assert [name for name in farm.published() if "moved" in name] == ["moved-2.0-1-any.pkg.tar.zst"]


def test_what_is_handed_in_over_grpc_is_built_and_what_is_built_the_same_has_the_same_digest(farm: FarmStand) -> None:
    client, tools = BuildServiceBackend(), farm.grpc_tools()
    for request in ("g1", "g2"):
        package = Tiny(name="over-grpc")
        handed = {Pkgbase(package.name): package_folder(package)}
        client.submit(schedule(request, package.name), lambda _, handed=handed: handed, tools)
        farm.finished()
    first, second = client.jobs(JobFilter(packages=frozenset({"over-grpc"})), tools)
    assert (first.state, second.state) == (JobState.SUCCEEDED, JobState.ALREADY_BUILT)
    assert client.artifacts(first, tools) == client.artifacts(second, tools)
    assert "".join(client.log(second, tools, follow=True)) == farm.log_of("over-grpc")
    assert {worker["health"] for worker in client.workers(tools)} == {"good"}


def test_logs_are_about_a_second_behind_the_build_in_the_api_and_in_buildbot(farm: FarmStand) -> None:
    stamps = "for i in 1 2 3; do date +stamp-%s.%N; sleep 0.9; done"
    submit(farm, "l1", Tiny(name="talking", body=stamps))
    farm.building("talking")
    seen: dict[str, float] = {}
    over_grpc: dict[str, float] = {}
    job = farm.jobs()["talking"]

    def follow() -> None:
        for piece in BuildbotBackend().log(job, farm.tools(), follow=True):
            note_stamps(seen, piece)

    def follow_over_grpc() -> None:
        for piece in BuildServiceBackend().log(job, farm.grpc_tools(), follow=True):
            note_stamps(over_grpc, piece)

    following, beside = threading.Thread(target=follow), threading.Thread(target=follow_over_grpc)
    following.start()
    beside.start()
    in_buildbot: dict[str, float] = {}
    with requests.Session() as session:
        builds = session.get(f"{farm.buildbot_url}api/v2/builds?complete=false", timeout=30).json()["builds"]
        place = f"builds/{builds[0]['buildid']}/steps/build/logs/stdio/contents"
        while following.is_alive():
            note_stamps(in_buildbot, session.get(f"{farm.buildbot_url}api/v2/{place}", timeout=30).text)
            following.join(0.05)
    beside.join(10)
    for found in (seen, over_grpc, in_buildbot):
        assert len(found) == 3
        assert max(at_s - float(stamp) for stamp, at_s in found.items()) < BEHIND_S


def clients(farm: FarmStand) -> list[tuple[BuildbotBackend | BuildServiceBackend, BackendTools]]:
    """Both ways to speak to it."""
    return [(BuildbotBackend(), farm.tools()), (BuildServiceBackend(), farm.grpc_tools())]


def submit(farm: FarmStand, request: str, *packages: Tiny) -> None:
    handed = {Pkgbase(one.name): package_folder(one) for one in packages}
    made = schedule(request, *(one.name for one in packages))
    BuildbotBackend().submit(made, lambda names: {name: handed[name] for name in names}, farm.tools())


def processes(argument: str) -> list[str]:
    """Programs of this machine that were called with an argument."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            if argument.encode() in path.read_bytes().split(b"\0"):
                found.append(path.parent.name)
    return found


def note_stamps(seen: dict[str, float], text: str) -> None:
    for stamp in re.findall(r"stamp-([0-9.]+)", text):
        seen.setdefault(stamp, time.time())


# clocks, and what is killed


@pytest.mark.parametrize("days", [1, -365])
def test_a_worker_whose_clock_is_wrong_builds_the_same(farm: FarmStand, days: int) -> None:
    name = f"skewed{abs(days)}"
    farm.kill("two", signal.SIGTERM)
    farm.start_worker("two", environ={"LD_PRELOAD": str(fake_clock()), "FAKETIME": f"{days:+}d"})
    assert time.strftime("\n%Y-%m-%d", time.localtime(time.time() + days * 86_400)) in farm.log("two")
    begun = time.time()
    farm.submit(name, LIB, Tiny(name=name, depends=("lib",)), classes={name: "two"})
    assert farm.finished()[name] == "succeeded"
    job = farm.jobs()[name]
    assert begun <= (job.queued_at_s or 0) <= (job.started_at_s or 0) <= (job.ended_at_s or 0) <= time.time()
    assert all(0 <= seconds < 60 for _, seconds in job.phases)
    assert f"{name}-1.0-1-any.pkg.tar.zst" in farm.published()


def fake_clock() -> Path:
    """The library of Debian's package `faketime`."""
    found = sorted(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))
    if not found and not os.environ.get("CI"):
        pytest.skip("libfaketime is not installed")
    return found[0]


def test_a_worker_that_is_killed_loses_nothing(farm: FarmStand) -> None:
    farm.submit("slow", Tiny(name="slow", body="echo begun; test -e /build/never || sleep 4"), classes={"slow": "two"})
    farm.building("slow")
    farm.kill("two", signal.SIGKILL)
    farm.wait(lambda: farm.jobs()["slow"].losses == 1)
    farm.wait(lambda: "two is away" in farm.jobs()["slow"].reason)
    farm.start_worker("two")
    assert farm.finished()["slow"] == "succeeded"
    assert "lost while it built" in " ".join(reason for _, reason in farm.steps("slow"))


def test_what_was_kept_for_long_enough_is_forgotten_while_the_master_serves(farm: FarmStand) -> None:
    for release in ("1", "2"):
        farm.submit(f"aged{release}", Tiny(name="aged", release=release))
        farm.finished()
    assert len([job for job in farm.every_job() if job.pkgbase == "aged"]) == 2
    text = (farm.top / "farm.toml").read_text()
    (farm.top / "farm.toml").write_text(
        text.replace("[repositories.samples.config]", "[repositories.samples.config]\nCI_LOG_DAYS = 0")
    )
    farm.kill("master", signal.SIGTERM)
    farm.start_master()
    farm.wait(lambda: len([job for job in farm.every_job() if job.pkgbase == "aged"]) == 1)


def test_a_master_that_is_killed_goes_on_where_it_was(farm: FarmStand) -> None:
    farm.submit("many", Tiny(name="first", body="echo begun; sleep 3"), Tiny(name="second", depends=("first",)))
    farm.building("first")
    farm.kill("master", signal.SIGKILL)
    farm.start_master()
    states = farm.finished()
    assert (states["first"], states["second"]) == ("succeeded", "succeeded")
    assert farm.published().count("first-1.0-1-any.pkg.tar.zst") == 1
