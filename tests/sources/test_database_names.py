"""Names of what official repositories offer, had in every run and sent only when a database changed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from ci_toolkit.pipelines.observing import Observer
from ci_toolkit.sources.databases import database_name
from tests.pipelines.test_rebuilds import begin
from tests.support.databases import database, put
from tests.support.packages import SamplePackage

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ci_toolkit.model.observation import Observations
    from tests.support.world import World

RULE = '[official-dependency]\nenabled = true\nrepositories = ["core"]\n'


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[Mapping[str, frozenset[str]]]:
    """The official names of every run, as the decision is handed them."""
    found: list[Mapping[str, frozenset[str]]] = []
    observe = Observer.observe

    def noting(*arguments: object) -> Observations:
        observations = observe(*arguments)  # type: ignore[arg-type]  # passed on as they are
        found.append(observations.databases.official if observations.databases else {})
        return observations

    monkeypatch.setattr(Observer, "observe", noting)
    return found


def start(world: World, rule: str = RULE) -> None:
    names = ("core.db", "own.db")
    custom = "CI_PKGBUILD_SOURCE=custom\n"
    more = {".ci/review.toml": rule} if rule else {}
    begin(world, SamplePackage(name="a").folder(custom), SamplePackage(name="b").folder(custom), more, names=names)
    put(world, "core.db", database(icu=("73-1", "libicuuc.so=73-64", "icu-api=3", "plain"), bash="5-1"))
    put(world, "own.db", database(evil="1-1"))


CORE = frozenset({"icu", "libicuuc.so", "icu-api", "plain", "bash"})


def sent(world: World) -> int:
    """Bytes of databases that were really sent, by counting full answers."""
    rows = json.loads((world.folder / "home/cache/ci-toolkit/databases.json").read_text())
    return sum("names" in row for row in rows.values())


def test_names_are_told_in_every_run_although_an_unchanged_database_is_not_sent(
    world: World, seen: list[Mapping[str, frozenset[str]]]
) -> None:
    start(world)
    for _ in range(2):
        assert world.run("on-schedule").status == 0
    before = (world.folder / "home/cache/ci-toolkit/databases.json").stat().st_mtime_ns
    world.run("on-schedule", CI_TEST_PACKAGES="a")
    assert seen == [{"core": CORE}] * 3
    assert (world.folder / "home/cache/ci-toolkit/databases.json").stat().st_mtime_ns == before
    assert sent(world) == 1


def test_while_the_rule_is_off_no_names_are_kept_and_switching_it_on_asks_once(
    world: World, seen: list[Mapping[str, frozenset[str]]]
) -> None:
    start(world, rule="")
    world.run("on-schedule")
    assert sent(world) == 0
    world.push({".ci/review.toml": RULE})
    world.run("on-commit")
    world.run("on-schedule")
    world.run("on-schedule")
    assert seen == [{}, {"core": CORE}, {"core": CORE}]


def test_a_database_that_fails_keeps_the_names_it_told_and_none_told_means_none(
    world: World, seen: list[Mapping[str, frozenset[str]]]
) -> None:
    start(world)
    world.upstreams.fail("file", status=500, times=None)
    world.run("on-schedule")
    world.upstreams.faults.clear()
    world.run("on-schedule")
    world.upstreams.fail("file", status=404, times=None)
    world.run("on-schedule")
    assert seen == [{}, {"core": CORE}, {"core": CORE}]


def test_a_run_for_some_packages_learns_names_and_moves_no_versions(
    world: World, seen: list[Mapping[str, frozenset[str]]]
) -> None:
    start(world)
    world.run("on-schedule", CI_TEST_PACKAGES="a")
    assert seen == [{"core": CORE}]
    assert ".version-state" not in world.origin.tree("state")


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://host/core/os/x86_64/core.db", "core"),
        ("https://host/core-testing.db.tar.zst", "core-testing"),
        ("https://host/x/extra.db?core.db", "extra"),
        ("https://core.db/other.db.tar.gz#core.db", "other"),
    ],
)
def test_a_repository_is_called_like_its_database(url: str, name: str) -> None:
    assert database_name(url) == name
