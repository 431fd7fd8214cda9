"""Workers that are killed in whatever they are doing: what they built is built once more, and published once."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest

from ci_toolkit.farm.creating import create_worker
from ci_toolkit.model.job import JobState
from tests.support.farm_stand import FarmStand, running_farm
from tests.support.local_builds import Tiny

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.dropping_proxy import DroppingProxy

LARGE_BYTES = 8 << 20
LIB = Tiny(name="lib")


@pytest.fixture(scope="module")
def farm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FarmStand]:
    top = tmp_path_factory.mktemp("kills") / "master"
    stand = FarmStand(top=top, workers={"one": "class 1 slots 2", "two": "class 2 slots 1"}, deadline_s=10)
    with running_farm(stand, stubs=True):
        stand.make("two", LIB, LARGE_BYTES)
        stand.submit("lib", LIB, classes={"lib": "two"})
        assert stand.finished() == {"lib": "succeeded"}
        yield stand


@pytest.fixture(scope="module")
def proxy(farm: FarmStand) -> Iterator[DroppingProxy]:
    farm.kill("one", signal.SIGTERM)
    with farm.routed("one") as between:
        farm.start_worker("one", stub=True)
        yield between


def test_a_worker_that_is_killed_while_packages_are_sent_to_it(farm: FarmStand, proxy: DroppingProxy) -> None:
    app = Tiny(name="sent", depends=("lib",))
    farm.make("one", app)
    killed_and_back(farm, proxy, app, lambda: farm.states()["sent"] == "building", cut_after=LARGE_BYTES // 2)
    assert farm.runs("one") == ["begun sent", "ended sent"]


def test_a_worker_that_is_killed_while_it_builds(farm: FarmStand, proxy: DroppingProxy) -> None:
    app = Tiny(name="built")
    farm.make("one", app)
    farm.tell("one", "built", "hang")
    killed_and_back(farm, proxy, app, lambda: farm.runs("one")[-1:] == ["begun built"])
    assert farm.runs("one")[-3:] == ["begun built", "begun built", "ended built"]


def test_a_worker_that_is_killed_while_it_sends_packages(farm: FarmStand, proxy: DroppingProxy) -> None:
    app = Tiny(name="fetched")
    farm.make("one", app, LARGE_BYTES)
    landing = farm.place().work
    killed_and_back(farm, proxy, app, lambda: any(landing.glob("*/*/out/*")), cut_after=LARGE_BYTES // 2)


def test_a_worker_that_is_killed_once_it_has_sent_everything(farm: FarmStand) -> None:
    app = Tiny(name="done")
    farm.make("one", app)
    farm.submit("done", app, classes={"done": "one"})
    farm.wait(lambda: farm.states()["done"] in ("publishing", "succeeded"))
    farm.kill("one")
    assert farm.finished()["done"] == "succeeded"
    farm.start_worker("one", stub=True)
    assert_built_once(farm, app)
    assert farm.jobs()["done"].losses == 0


def test_a_worker_that_is_killed_while_it_clears_up_is_used_again(farm: FarmStand) -> None:
    programs = farm.worker_folder("two") / "programs"
    programs.mkdir()
    (programs / "rm").write_text('#!/bin/sh\ncase $2 in */two-1/*) touch "$0.called"; sleep 60;; esac\n')
    (programs / "rm").chmod(0o755)
    farm.kill("two", signal.SIGTERM)
    farm.start_worker("two", stub=True, environ={"PATH": f"{programs}:{os.environ['PATH']}"})
    farm.tell("two", "cleared", "hang")
    farm.submit("cleared", Tiny(name="cleared"), classes={"cleared": "two"})
    farm.building("cleared")
    farm.cancel("cleared")
    farm.wait((programs / "rm.called").exists)
    farm.kill("two")
    assert farm.finished()["cleared"] == "cancelled"
    farm.start_worker("two", stub=True)
    farm.submit("next", Tiny(name="beyond"), classes={"beyond": "two"})
    assert farm.finished()["beyond"] == "skipped"


def killed_and_back(
    farm: FarmStand,
    proxy: DroppingProxy,
    package: Tiny,
    is_there: Callable[[], bool],
    *,
    cut_after: int | None = None,
) -> None:
    """The worker is killed once a package is where it is to be, with the route at a halt there if `cut_after` says so."""
    if cut_after is not None:
        proxy.cut_after(cut_after)
    farm.submit(package.name, package, classes={package.name: "one"})
    farm.wait(lambda: (cut_after is None or proxy.is_cut) and is_there())
    farm.kill("one")
    proxy.drop()
    farm.wait(lambda: farm.jobs()[package.name].losses == 1)
    farm.wait(lambda: not any(farm.place().work.glob(f"{farm.jobs()[package.name].number}/*")))
    assert package.name not in " ".join(farm.published())
    farm.tell("one", package.name, "built")
    farm.start_worker("one", stub=True)
    farm.finished()
    assert_built_once(farm, package)


def assert_built_once(farm: FarmStand, package: Tiny) -> None:
    states = [state for state, _ in farm.steps(package.name)]
    assert states.count("publishing") == states.count("succeeded") == 1
    assert farm.published().count(f"{package.name}-1.0-1-any.pkg.tar.zst") == 1
    assert not list(farm.place().work.glob("*/*/out"))
    farm.wait(lambda: farm.attempts("one") == [])


# packages on their way


def test_a_package_that_two_builds_need_at_once_reaches_both_whole(farm: FarmStand, proxy: DroppingProxy) -> None:
    size_bytes = 4 * LARGE_BYTES
    farm.make("two", Tiny(name="large"), size_bytes)
    farm.submit("large", Tiny(name="large"), classes={"large": "two"})
    farm.finished()
    kept = farm.worker_folder("one") / "cache/packages"
    farm.submit("user1", Tiny(name="user1", depends=("large",)), classes={"user1": "one"})
    farm.wait(lambda: any(path.stat().st_size > 0.5 * size_bytes for path in kept.glob("*")), look_s=0.01)
    farm.submit("user2", Tiny(name="user2", depends=("large",)), classes={"user2": "one"})
    states = farm.finished()
    assert (states["user1"], states["user2"]) == ("skipped", "skipped")
    assert farm.jobs()["user1"].losses == farm.jobs()["user2"].losses == 0


# ends that are no accidents


def test_a_build_that_is_cancelled_leaves_nothing_on_its_worker(farm: FarmStand) -> None:
    farm.tell("one", "unwanted", "hang")
    farm.submit("unwanted", Tiny(name="unwanted"), classes={"unwanted": "one"})
    farm.building("unwanted")
    farm.cancel("unwanted")
    assert farm.finished()["unwanted"] == "cancelled"
    farm.wait(lambda: farm.attempts("one") == [])


def test_a_worker_that_is_to_stop_finishes_what_it_builds_and_takes_nothing_new(farm: FarmStand) -> None:
    for name in ("last", "next"):
        farm.make("one", Tiny(name=name))
    farm.tell("one", "last", "hang")
    farm.submit("last", Tiny(name="last"), classes={"last": "one"})
    farm.building("last")
    farm.send("one", signal.SIGHUP)
    farm.wait(lambda: farm.worker("one")["state"] == "draining")
    farm.submit("next", Tiny(name="next"), classes={"next": "one"})
    farm.wait(lambda: "one is draining" in farm.jobs()["next"].reason)
    assert farm.jobs()["last"].state is JobState.BUILDING
    farm.tell("one", "last", "built")
    assert farm.processes["one"].wait(30) == 0
    farm.wait(lambda: farm.states()["last"] == "succeeded")
    assert farm.jobs()["last"].losses == 0
    assert "begun next" not in farm.runs("one")
    farm.start_worker("one", stub=True)
    assert farm.finished()["next"] == "succeeded"


# who comes as a worker and is none


@pytest.mark.parametrize(
    ("name", "password", "said"),
    [
        ("two", "wrong", "invalid login from user 'two'"),
        ("three", "wrong", "invalid login from unknown user 'three'"),
    ],
)
def test_who_does_not_know_the_password_is_not_let_in(farm: FarmStand, name: str, password: str, said: str) -> None:
    folder = farm.worker_folder(f"stranger-{name}")
    create_worker(folder, name=name, master=f"tcp:127.0.0.1:{farm.workers_port}", password=password)
    with farm.stranger(folder):
        farm.wait(lambda: said in farm.log("master"))
        farm.submit(f"safe-{name}", Tiny(name=f"safe-{name}"))
        assert farm.finished()[f"safe-{name}"] == "skipped"
    assert password not in farm.log("master")
    assert not list(folder.glob("*/*/order.json"))


def test_a_second_one_of_the_same_name_and_password_changes_nothing_for_the_first(farm: FarmStand) -> None:
    farm.tell("two", "mine", "hang")
    farm.submit("mine", Tiny(name="mine"), classes={"mine": "two"})
    farm.building("mine")
    folder = farm.worker_folder("copy")
    password = (farm.top / "secrets/workers/two").read_text().strip()
    create_worker(folder, name="two", master=f"tcp:127.0.0.1:{farm.workers_port}", password=password)
    with farm.stranger(folder):
        farm.wait(lambda: "rejecting duplicate worker" in farm.log("master"))
        farm.submit("after", Tiny(name="after", depends=("mine",)), classes={"after": "two"})
        farm.tell("two", "mine", "skipped")
        farm.finished()
    assert farm.jobs()["mine"].losses == farm.jobs()["after"].losses == 0
    assert [state for state, _ in farm.steps("mine")].count("building") == 1
    assert farm.runs("two")[-2:] == ["begun after", "ended after"]
    assert farm.attempts("copy") == []


def test_a_worker_runs_once_in_its_folder(farm: FarmStand) -> None:
    farm.tell("two", "kept", "hang")
    farm.submit("kept", Tiny(name="kept"), classes={"kept": "two"})
    farm.building("kept")
    with farm.stranger(farm.worker_folder("two"), log="again") as second:
        assert second.wait(30) != 0
    assert "this worker is running already" in farm.log("again")
    assert len(farm.attempts("two")) == 1
    farm.tell("two", "kept", "skipped")
    assert farm.finished()["kept"] == "skipped"
    assert farm.jobs()["kept"].losses == 0
