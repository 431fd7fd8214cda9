"""What goes wrong on a farm, made to happen: silence, lost routes, sick hosts, full disks. Nothing is lost or doubled."""

from __future__ import annotations

import json
import resource
import signal
import time
from typing import TYPE_CHECKING

import pytest

from ci_toolkit.farm.worker_facts import INFO_FILE
from tests.support.farm_stand import FarmStand, running_farm
from tests.support.local_builds import Tiny

if TYPE_CHECKING:
    from collections.abc import Iterator

DEADLINE_S = 3.0
WORKERS = {"one": "class 1 slots 1", "two": "class 2 slots 1"}


@pytest.fixture(scope="module")
def farm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FarmStand]:
    top = tmp_path_factory.mktemp("faults") / "master"
    with running_farm(FarmStand(top=top, workers=WORKERS, deadline_s=DEADLINE_S), stubs=True) as stand:
        yield stand


def test_a_worker_that_is_only_silent_is_given_up_and_its_build_goes_elsewhere(farm: FarmStand) -> None:
    farm.tell("two", "quiet", "hang")
    farm.submit("quiet", Tiny(name="quiet"), classes={"quiet": "two"})
    farm.building("quiet")
    farm.send("two", signal.SIGSTOP)
    farm.wait(lambda: farm.jobs()["quiet"].losses == 1, within_s=DEADLINE_S * 3)
    assert "did not answer within 3 s" in " ".join(reason for _, reason in farm.steps("quiet"))
    farm.tell("two", "quiet", "skipped")
    farm.send("two", signal.SIGCONT)
    assert farm.finished()["quiet"] == "skipped"


def test_a_lost_route_is_noticed_likewise(farm: FarmStand) -> None:
    farm.kill("one", signal.SIGTERM)
    with farm.routed("one") as proxy:
        farm.start_worker("one", stub=True)
        farm.tell("one", "cut", "hang")
        farm.submit("cut", Tiny(name="cut"), classes={"cut": "one"})
        farm.building("cut")
        proxy.cut()
        farm.wait(lambda: farm.jobs()["cut"].losses == 1, within_s=DEADLINE_S * 3)
        farm.tell("one", "cut", "skipped")
        proxy.mend()
        farm.kill("one", signal.SIGTERM)
    farm.start_worker("one", stub=True)
    assert farm.finished()["cut"] == "skipped"


def test_a_package_that_costs_three_workers_fails(farm: FarmStand) -> None:
    for worker in WORKERS:
        farm.tell(worker, "killer", "silent")
    farm.submit("killer", Tiny(name="killer"))
    assert farm.finished()["killer"] == "failed"
    job = farm.jobs()["killer"]
    assert job.losses == 3
    assert "3 workers were lost" in job.reason


def test_a_result_of_something_else_is_refused(farm: FarmStand) -> None:
    for worker in WORKERS:
        farm.tell(worker, "swapped", json.dumps({"pkgbase": "another", "tree": "f" * 40}))
    farm.submit("swapped", Tiny(name="swapped"))
    assert farm.finished()["swapped"] == "failed"
    assert "is the result of another build" in farm.jobs()["swapped"].reason


def test_a_host_that_fails_three_packages_is_sick_and_they_are_built_elsewhere(farm: FarmStand) -> None:
    names = ("ill1", "ill2", "ill3")
    for name in names:
        farm.tell("two", name, "failed")
    farm.tell("one", "busy", "hang")  # so that all of them go to the sick one
    farm.submit("busy", Tiny(name="busy"), classes={"busy": "one"})
    farm.building("busy")
    farm.submit("ill", *(Tiny(name=name) for name in names))
    farm.wait(lambda: "is in quarantine" in farm.log("master"))
    farm.tell("one", "busy", "skipped")
    states = farm.finished()
    assert [states[name] for name in names] == ["skipped"] * 3
    assert {farm.jobs()[name].worker for name in names} == {"one"}
    kept = json.loads((farm.top / "workers.json").read_text())
    assert "ill1" in kept["two"]["quarantined"]


def test_a_worker_of_another_version_gets_nothing(farm: FarmStand) -> None:
    info = farm.worker_folder("one") / "info" / INFO_FILE
    written = info.read_text()
    info.write_text(written.replace('"form": 1', '"form": 2'))
    farm.wait(lambda: "worker one is unfit" in farm.log("master"))
    farm.submit("other", Tiny(name="other"), classes={"other": "one"})
    farm.wait(lambda: "update the master" in farm.jobs()["other"].reason)
    info.write_text(written)
    assert farm.finished()["other"] == "skipped"


def test_a_full_disk_on_the_master_stops_it_for_as_long_as_it_lasts(farm: FarmStand) -> None:
    pid = farm.processes["master"].pid
    before = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (1, before[1]))
    try:
        farm.submit("full", Tiny(name="full"), classes={"full": "one"})
        time.sleep(2)
        assert farm.states()["full"] in ("queued", "building")
    finally:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, before)
    assert farm.finished()["full"] == "skipped"
