"""`ci-toolkit stats` as people use it, with the builds of this machine and with those of a farm."""

from __future__ import annotations

import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from ci_toolkit.backends.job_database import JobDatabase
from ci_toolkit.errors import ConfigError, RefusedError
from ci_toolkit.model.job import JobState
from tests.support.jobs import bring, submit
from tests.support.quiet_farm import TOKEN, QuietFarm, served

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.world import World


def build(database: JobDatabase, *, ago_s: float = 3_600.0) -> None:
    """`a` is built by w1 in 75 s, `b` fails after 5 s, `c` is found built, and `d` waits."""
    at_s = time.time() - ago_s
    a, b, c, _ = submit(database, f"r{ago_s}", "a", "b", "c", "d", now_s=at_s)
    facts: dict[str, Any] = {"worker": "w1", "recipe": "makepkg", "started_at": at_s + 30}
    ended_s = at_s + 130
    phases = '[["build", 75]]'
    bring(database, a, JobState.SUCCEEDED, now_s=ended_s, phases=phases, log_of=1, size_bytes=3 << 20, **facts)
    bring(database, b, JobState.FAILED, now_s=ended_s, phases='[["build", 5]]', log_of=2, **facts)
    bring(database, c, JobState.ALREADY_BUILT, now_s=ended_s, recipe="makepkg")


def configure(world: World, **settings: str) -> None:
    (world.work / ".ci").mkdir(parents=True)
    (world.work / ".ci/config").write_text(world.settings(**settings))


@pytest.fixture
def local(world: World) -> World:
    configure(world, CI_BACKEND="local", CI_BUILD_SLOTS="2")
    with closing(JobDatabase(world.folder / "home/.local/share/ci-toolkit/builds/samples/jobs.sqlite")) as database:
        build(database)
    return world


def test_a_table_says_what_matters_first(local: World) -> None:
    result = local.run("stats")
    assert result.status == 0, result.stderr
    head, _, table = result.stdout.partition("\n\n")
    said = {line.split()[0]: " ".join(line.split()[1:]) for line in head.splitlines()[1:]}
    assert said["ended"] == "3: 1 succeeded, 1 failed, 1 already built"
    assert said["success"] == "50.0 % of what was built"
    assert said["cache"] == "50.0 % of what is there now was built already"
    assert said["duration"] == "40 s on average, half within 5.0 s, 95 % within 1 m 15 s"
    assert said["sizes"] == "3.0 MiB made, half of the builds at most 3.0 MiB each"
    assert said["queue"].startswith("1 at the end")
    assert said["workers"] == "1 m 20 s of building, < 0.1 % of 2 slots"
    rows = [line.split() for line in table.splitlines()]
    assert rows[0][:5] == ["package", "ended", "failed", "success", "cached"]
    assert [row[0] for row in rows[1:]] == ["b", "a", "c"]
    assert rows[1][1:5] == ["1", "1", "0.0", "%"]
    assert max(map(len, result.stdout.splitlines())) <= 120


def test_rows_may_be_recipes_or_workers_and_packages_may_be_named(local: World) -> None:
    assert "makepkg" in local.run("stats", "--by", "recipe").stdout.splitlines()[-1]
    workers = local.run("stats", "--by", "worker", "a", "c").stdout.splitlines()
    assert [line.split("  ")[0] for line in workers[-2:]] == ["w1", "(this machine)"]
    found = local.run("stats", "--json", "a").json
    assert [group["name"] for group in found["groups"]] == ["a"]
    assert (found["groups"][0]["size_bytes"], found["groups"][0]["sizes_unknown"]) == (3 << 20, 0)


def test_of_many_rows_the_first_are_shown_and_all_on_demand(local: World) -> None:
    with closing(JobDatabase(local.folder / "home/.local/share/ci-toolkit/builds/samples/jobs.sqlite")) as database:
        names = [f"p{number}" for number in range(30)]
        for job in submit(database, "many", *names, now_s=time.time() - 60):
            bring(database, job, JobState.ALREADY_BUILT, now_s=time.time() - 50)
    shown = local.run("stats").stdout
    assert "and 8 more: --all shows them" in shown
    assert len(local.run("stats", "--all").stdout.splitlines()) == len(shown.splitlines()) + 7


def test_a_time_without_builds_is_a_sentence(local: World) -> None:
    result = local.run("stats", "--since", "10m")
    assert (result.status, result.stdout.count("\n")) == (0, 1)
    assert result.stdout.startswith("no build ended or ran from 2")
    assert result.stdout.endswith("1 waited at the end\n")


def test_without_any_builds_there_is_nothing_to_tell(world: World) -> None:
    configure(world, CI_BACKEND="local")
    result = world.run("stats")
    assert result.status == 0
    assert result.stdout.startswith("no build ended or ran")
    assert not (world.folder / "home/.local/share/ci-toolkit").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--since", "soon"), "--since is no time: 'soon'"),
        (("--since", "1d", "--until", "2d"), "--since is not before the end"),
        (("--since", "2999-01-01"), "--since is not before the end"),
        (("--until", "2026-02-30"), "--until is no date that there is"),
        (("../etc",), "PACKAGE is no possible name"),
    ],
)
def test_what_cannot_be_meant_is_blamed(local: World, arguments: tuple[str, ...], said: str) -> None:
    result = local.run("stats", *arguments)
    assert result.status == ConfigError.exit_status
    assert said in result.stderr


def test_a_time_of_which_nothing_is_kept_is_refused(local: World) -> None:
    result = local.run("stats", "--since", "2020-01-01", "--until", "2020-02-01")
    assert result.status == RefusedError.exit_status
    assert "CI_LOG_DAYS" in result.stderr


def test_a_backend_without_statistics_says_so(world: World) -> None:
    configure(world, CI_BACKEND="chaotic_manager", CI_MANAGER_URL="http://127.0.0.1:1")
    result = world.run("stats")
    assert result.status == RefusedError.exit_status
    assert "CI_BACKEND is chaotic_manager, which keeps no statistics" in result.stderr


def test_a_farm_tells_of_its_own_builds_and_workers(world: World, tmp_path: Path) -> None:
    with served(QuietFarm(tmp_path / "farm")) as farm:
        configure(world, CI_BACKEND="buildbot", CI_FARM_URL=farm.url)
        farm.farm.add_worker("w1", slots=3)
        with farm.farm.database() as database:
            build(database)
        result = world.run("stats", "--by", "worker", CI_FARM_TOKEN=TOKEN)
        assert result.status == 0, result.stderr
        assert "< 0.1 % of 3 slots" in result.stdout
        assert [line.split("  ")[0] for line in result.stdout.splitlines()[-2:]] == ["w1", "(no worker)"]
        asked = ("--json", "--since", "1970-01-01", "--until", "1h", "a", "b")
        assert world.run("stats", *asked, CI_FARM_TOKEN=TOKEN).json["total"]["ended"] == 0
        past = world.run("stats", "--since", "2020-01-01", "--until", "2020-02-01", CI_FARM_TOKEN=TOKEN)
        assert past.status == RefusedError.exit_status
        assert "no time that builds are known of" in past.stderr
