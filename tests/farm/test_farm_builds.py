"""A farm builds, on real processes: from jobs to a published repository, with workers that come and go."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

from tests.support.farm_stand import FarmStand, running_farm
from tests.support.local_builds import Tiny

if TYPE_CHECKING:
    from collections.abc import Iterator

LIB = Tiny(name="lib")
APP = Tiny(name="app", depends=("lib",))


@pytest.fixture(scope="module")
def farm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FarmStand]:
    top = tmp_path_factory.mktemp("farm") / "master"
    workers = {"one": "class 1 slots 1", "two": "class 4 slots 2"}
    with running_farm(FarmStand(top=top, workers=workers)) as stand:
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


def test_a_class_that_nobody_has_is_said(farm: FarmStand) -> None:
    farm.submit("heavy", Tiny(name="heavy"), classes={"heavy": "9"})
    farm.wait(lambda: farm.jobs()["heavy"].reason == "no worker of class 9")
    farm.submit("lighter", Tiny(name="heavy"), classes={"heavy": "2"})
    farm.finished()
    assert farm.jobs()["heavy"].worker == "two"


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
