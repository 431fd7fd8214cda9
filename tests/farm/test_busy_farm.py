"""A busy farm: it ends with a full queue and goes on, serves several repositories at once, and obeys no stranger."""

from __future__ import annotations

import signal
import time
from collections import Counter
from itertools import groupby
from typing import TYPE_CHECKING, Any

import pytest
import requests

from ci_toolkit.scheduling.schedule import INTERACTIVE
from tests.support.farm_stand import FarmStand, running_farm
from tests.support.local_builds import Tiny

if TYPE_CHECKING:
    from collections.abc import Iterator

COUNT, WIDTH = 40, 10
WORKERS = {"one": "class 1 slots 3", "two": "class 1 slots 3", "alone": "class 1 slots 1"}
# Rows of ten, in which each package needs two of the row before.
PACKAGES = [
    Tiny(
        name=f"p{row}-{column}",
        depends=(f"p{row - 1}-{column}", f"p{row - 1}-{(column + 1) % WIDTH}") if row else (),
    )
    for row in range(COUNT // WIDTH)
    for column in range(WIDTH)
]
REPOSITORIES = ("samples", "others")
METHODS = [
    "stop",
    "rebuild",
    "cancel",
    "set_priority",
    "pause",
    "unpause",
    "kill",
    "enable",
    "force",
    "start",
    "startBuild",
    "delete",
]
THINGS = [
    "builds",
    "buildrequests",
    "buildsets",
    "builders",
    "workers",
    "schedulers",
    "forceschedulers",
    "steps",
    "logs",
    "masters",
]


@pytest.fixture(scope="module")
def farm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FarmStand]:
    top = tmp_path_factory.mktemp("busy") / "master"
    with running_farm(FarmStand(top=top, workers=WORKERS, repositories=REPOSITORIES), stubs=True) as stand:
        yield stand


def tell_all(farm: FarmStand, package: str, how: str) -> None:
    for worker in WORKERS:
        farm.tell(worker, package, how)


# a master that ends


def test_a_master_that_ends_with_a_full_queue_loses_and_doubles_nothing(farm: FarmStand) -> None:
    tell_all(farm, "p1-0", "hang")
    farm.submit("all", *PACKAGES)
    farm.building("p1-0")
    farm.kill("master", signal.SIGTERM)
    assert farm.steps("p1-0")[-1] == ("queued", "the backend was stopped while it was being built")
    farm.start_master()
    farm.building("p1-0")
    farm.kill("master", signal.SIGKILL)
    assert farm.states()["p1-0"] == "building"
    tell_all(farm, "p1-0", "skipped")
    farm.start_master()
    farm.wait(lambda: farm.states()["p2-0"] == "skipped")
    farm.kill("master", signal.SIGKILL)
    farm.start_master()
    assert set(farm.finished().values()) == {"skipped"}
    assert_each_once_and_in_order(farm)
    use_every_slot(farm)
    farm.wait(lambda: not any(farm.attempts(worker) for worker in WORKERS), within_s=10)


def use_every_slot(farm: FarmStand) -> None:
    """What killed masters left on a worker is removed when the slot that it lies in is used again."""
    classes = {f"use-{name}-{slot}": name for name, said in WORKERS.items() for slot in range(int(said.split()[-1]))}
    for package, worker in classes.items():
        farm.tell(worker, package, "hang")
    farm.submit("use", *(Tiny(name=package) for package in classes), classes=classes)
    for package in classes:
        farm.building(package)
    for package, worker in classes.items():
        farm.tell(worker, package, "skipped")
    farm.finished()


def assert_each_once_and_in_order(farm: FarmStand) -> None:
    jobs = farm.jobs()
    assert len(jobs) == len(farm.every_job()) == COUNT
    ended = Counter(line for worker in WORKERS for line in farm.runs(worker) if line.startswith("ended"))
    for package in PACKAGES:
        steps = [state for state, _ in farm.steps(package.name)]
        assert steps.count("skipped") == 1
        # What was built while the master ended may have come to its end there without that being told.
        assert 1 <= ended[f"ended {package.name}"] <= steps.count("building"), steps
        for need in package.depends:
            assert (jobs[need].ended_at_s or 0) <= (jobs[package.name].started_at_s or 0)


# several repositories


def test_repositories_take_turns_on_one_slot_and_what_a_person_asks_for_comes_first(farm: FarmStand) -> None:
    farm.tell("alone", "blocker", "hang")
    farm.submit("blocker", Tiny(name="blocker"), classes={"blocker": "alone"})
    farm.building("blocker")
    for repository in REPOSITORIES:
        names = [f"{repository}-{number}" for number in range(4)]
        made = (Tiny(name=name) for name in names)
        farm.submit("turns", *made, repository=repository, classes=dict.fromkeys(names, "alone"))
    farm.submit("person", Tiny(name="asked"), repository="others", classes={"asked": "alone"}, priority=INTERACTIVE)
    time.sleep(1)  # a repository's thread looks at its jobs several times a second
    begun = len(farm.runs("alone"))
    farm.tell("alone", "blocker", "skipped")
    for repository in REPOSITORIES:
        farm.finished(repository)
    order = [line.split()[1] for line in farm.runs("alone")[begun:] if line.startswith("begun")]
    assert order[0] == "asked"
    assert sorted(order[1:]) == sorted(f"{name}-{number}" for name in REPOSITORIES for number in range(4))
    longest = max(len(list(group)) for _, group in groupby(order[1:], key=lambda name: name.partition("-")[0]))
    assert longest <= 2, order


def test_repositories_never_build_with_or_publish_what_is_anothers(farm: FarmStand) -> None:
    for worker in WORKERS:
        for name in ("lib", "app"):
            farm.make(worker, Tiny(name=name))
    farm.submit("mixed", Tiny(name="lib"))
    farm.finished()
    farm.submit("mixed", Tiny(name="app", depends=("lib",)), repository="others")
    assert farm.finished("others")["app"] == "succeeded"
    farm.submit("again", Tiny(name="app", depends=("lib",)))
    farm.finished()
    assert farm.published() == ["app-1.0-1-any.pkg.tar.zst", "lib-1.0-1-any.pkg.tar.zst"]
    assert farm.published("others") == ["app-1.0-1-any.pkg.tar.zst"]
    assert farm.log_of("app") == "stub of app with lib-1.0-1-any.pkg.tar.zst\n"
    assert farm.log_of("app", "others") == "stub of app with nothing\n"
    for repository in REPOSITORIES:
        answer = requests.get(f"http://127.0.0.1:{farm.web_port}/api/repositories/{repository}/jobs", timeout=30)
        names = {job["package"] for job in answer.json()["jobs"]}
        assert names == set(farm.jobs(repository))


# Buildbot's own pages


def test_nobody_controls_anything_through_buildbots_own_pages(farm: FarmStand) -> None:
    tell_all(farm, "watched", "hang")
    farm.submit("watched", Tiny(name="watched"))
    farm.building("watched")
    tried = 0
    with requests.Session() as session:
        for place in control_places(session, farm):
            for method in METHODS:
                record = {"jsonrpc": "2.0", "id": 1, "method": method, "params": {"reason": "x", "enabled": False}}
                answer = session.post(f"{farm.buildbot_url}api/v2/{place}", json=record, timeout=30)
                assert answer.status_code in (403, 404), (place, method, answer.status_code, answer.text)
                tried += 1
        for path in ("auth/login", "change_hook/base", "change_hook/github", "ws", "sse/listen/builds/*/*"):
            answer = session.post(f"{farm.buildbot_url}{path}", json={"cmd": "stop"}, timeout=30, stream=True)
            assert answer.status_code >= 400 or path.startswith(("sse", "auth")), path
            answer.close()
        workers = session.get(f"{farm.buildbot_url}api/v2/workers", timeout=30).json()["workers"]
    assert tried > 100
    assert not any(worker["paused"] or worker["graceful"] for worker in workers)
    tell_all(farm, "watched", "skipped")
    assert farm.finished()["watched"] == "skipped"
    assert farm.jobs()["watched"].losses == 0


def test_buildbots_own_pages_show_no_secret(farm: FarmStand) -> None:
    secrets = [path.read_text().strip() for path in (farm.top / "secrets/workers").iterdir()]
    secrets += [farm.token, *(line for line in (farm.top / "farm.toml").read_text().split('"') if len(line) == 64)]
    assert len(secrets) == len(WORKERS) + 2
    shown = ""
    with requests.Session() as session:
        shown += session.get(f"{farm.buildbot_url}api/v2/application.spec", timeout=30).text
        for place in control_places(session, farm):
            shown += session.get(f"{farm.buildbot_url}api/v2/{place}", timeout=30).text
        shown += session.get(farm.buildbot_url, timeout=30).text
    assert "alone" in shown
    assert not [secret for secret in secrets if secret in shown]
    assert not [secret for secret in secrets if secret in farm.log("master")]


def control_places(session: requests.Session, farm: FarmStand) -> list[str]:
    """Everything of each kind that there is, the newest few at most."""
    places: list[str] = []
    for kind in THINGS:
        records: list[dict[str, Any]] = (
            session.get(f"{farm.buildbot_url}api/v2/{kind}?limit=2", timeout=30).json().get(kind, [])
        )
        for record in records:
            key = next(record[key] for key in (f"{kind[:-1]}id", "bsid", "name") if key in record)
            places.append(f"{kind}/{key}")
        places.append(kind)
    return places
