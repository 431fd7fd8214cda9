"""Schedules that an earlier job left as files, handed over to the backend that is configured."""

from __future__ import annotations

import json
import os
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.packages import SamplePackage

if TYPE_CHECKING:
    from tests.support.world import Result, World

CUSTOM = "CI_PKGBUILD_SOURCE=custom\n"


def chain(*more: str) -> dict[str, str]:
    """`app` needs `middle`, which needs `zlib`; further packages need nothing."""
    files = {
        **SamplePackage(name="app", depends=("middle",)).folder(CUSTOM),
        **SamplePackage(name="middle", depends=("zlib",)).folder(CUSTOM),
        **SamplePackage(name="zlib").folder(CUSTOM),
    }
    for name in more:
        files |= SamplePackage(name=name).folder(CUSTOM)
    return files


def submit(world: World, *arguments: str, **variables: str) -> Result:
    return world.run("schedule", "submit", *arguments, CI_BACKEND="local", **variables)


def jobs(world: World) -> list[tuple[str, str, str | None]]:
    """Package, state and class of every job, in order."""
    listed = json.loads(world.run("builds", "list", "--all", "--json", CI_BACKEND="local").stdout)
    return [(job["package"], job["state"], job["class"]) for job in listed]


def leave(world: World, params: str, deptree: str | None = None) -> None:
    """What an earlier job left in `.ci/`."""
    (world.work / ".ci/schedule-params.txt").write_text(params)
    if deptree is not None:
        (world.work / ".ci/deptree.txt").write_text(deptree)


def call(*packages: str, target: str = "samples", source: str = "samples", commit: str = "") -> str:
    option = f" '--commit' '{commit}'" if commit else ""
    names = "".join(f" '{package}'" for package in packages)
    return f"PARAMS_SCHEDULE=('schedule' '--target-repo={target}' '--source-repo={source}'{option}{names})\n"


def removal(*remaining: str) -> str:
    names = "".join(f" '{package}'" for package in remaining)
    return f"PARAMS_AUTOREPOREMOVE=('auto-repo-remove' '--target-repo=samples'{names})\n"


def test_what_was_made_for_a_manager_is_built_by_another_backend_and_only_once(world: World) -> None:
    world.start({**chain(), "zlib/.CI/config": f"{CUSTOM}BUILDER_CLASS=3\n"}, seen=False)
    sha = world.origin.head() or ""
    assert world.run("on-commit", GITLAB_CI="true", CI_COMMIT_SHA=sha, CI_PIPELINE_ID="7").status == 0
    result = submit(world)
    assert result.status == 0, result.stderr
    assert "3 builds queued on this machine" in result.stdout
    assert "note:" not in result.stdout
    queued = [("zlib", "queued", "3"), ("middle", "queued", None), ("app", "queued", None)]
    assert jobs(world) == queued
    assert "has this schedule already" in submit(world).stdout
    assert jobs(world) == queued


def test_what_was_made_for_a_build_job_is_handed_over_as_it_is(world: World) -> None:
    world.start(chain(), seen=False)
    made = world.run("on-commit", "--json", CI_BACKEND="build_job")
    assert made.status == 0, made.stderr
    result = submit(world, "--json", ".ci/schedule.json")
    [report] = result.json
    assert report["pipeline"] == "schedule-submit"
    assert report["schedule"] == made.json["schedule"]
    assert {verdict["code"] for verdict in report["verdicts"]} == {"requested"}
    assert [name for name, *_ in jobs(world)] == ["zlib", "middle", "app"]
    assert "already" in submit(world, ".ci/schedule.json").stdout


def template(world: World, *packages: str, remaining: tuple[str, ...] = ()) -> None:
    """The files that the bash template leaves, by bash itself."""
    script = """
        export REDIS_SSH_HOST=host REDIS_SSH_PORT=22; REDIS_SSH_USER=package-deployer REDIS_PORT=6379
        PARAMS_SCHEDULE=(schedule --target-repo=samples --source-repo=samples '--arch-mirror=https://m/$repo/os/$arch' $1)
        PARAMS_AUTOREPOREMOVE=(auto-repo-remove --target-repo=samples $2)
        declare -p REDIS_SSH_HOST REDIS_SSH_PORT REDIS_SSH_USER REDIS_PORT PARAMS_SCHEDULE
        test -z "$2" || declare -p PARAMS_AUTOREPOREMOVE
    """
    argv = ["bash", "-c", script, "bash", " ".join(packages), " ".join(remaining)]
    leave(world, subprocess.run(argv, check=True, capture_output=True, text=True).stdout)


def test_what_the_bash_template_left_is_handed_over_in_the_order_of_the_repository_itself(world: World) -> None:
    world.start(chain(), seen=True)
    template(world, "app", "middle/box", "zlib/2", remaining=("app", "middle", "zlib"))
    (world.work / ".ci/deptree.txt").write_text("app:app:middle;middle:::zlib;zlib:zlib:oops;gone:gone:\n")
    result = submit(world)
    assert result.status == 0, result.stderr
    assert jobs(world) == [("zlib", "queued", "2"), ("middle", "queued", "box"), ("app", "queued", None)]
    assert "deptree.txt has 1 broken record: middle:::zlib" in result.stdout
    assert "deptree.txt has 3 packages otherwise than the .SRCINFO files, which are believed: gone, middle, zlib" in (
        result.stdout
    )
    assert "packages that are gone will be removed" in result.stdout


def test_without_a_deptree_the_order_is_that_of_the_repository(world: World) -> None:
    world.start(chain())
    leave(world, call("app", "zlib"))
    assert "there is no deptree.txt" in submit(world).stdout
    assert [name for name, *_ in jobs(world)] == ["zlib", "app"]


def test_what_a_timer_pushed_after_its_pipeline_began_is_what_is_built(world: World) -> None:
    world.start(chain())
    old = world.origin.head() or ""
    world.push({"zlib/PKGBUILD": "pkgname=zlib # the update\n"})
    leave(world, call("zlib", commit=f"{old}:7"))
    [report] = submit(world, "--json").json
    assert report["head"] == world.origin.head() != old
    assert jobs(world) == [("zlib", "queued", None)]
    world.push({"app/PKGBUILD": "pkgname=app # another one\n"})
    assert "already" in submit(world).stdout
    world.push({"zlib/PKGBUILD": "pkgname=zlib # the next update\n"})
    assert "1 older replaced" in submit(world).stdout


def test_a_dry_run_hands_nothing_over(world: World) -> None:
    world.start(chain())
    leave(world, call("zlib"))
    [report] = submit(world, "--dry-run", "--json").json
    assert (report["dry_run"], report["handed_over"]) == (True, None)
    assert [build["package"] for build in report["schedule"]["builds"]] == ["zlib"]
    assert jobs(world) == []


def test_several_schedules_are_handed_over_oldest_first(world: World) -> None:
    world.start(chain())
    for number, name in enumerate(("zlib", "app")):
        folder = world.work / "left" / f"{9 - number}"
        folder.mkdir(parents=True)
        (folder / "schedule-params.txt").write_text(call(name))
        os.utime(folder / "schedule-params.txt", (1_000 + number, 1_000 + number))
    reports = submit(world, "--json", "left").json
    assert [report["schedule"]["builds"][0]["package"] for report in reports] == ["zlib", "app"]
    assert [name for name, *_ in jobs(world)] == ["zlib", "app"]


@pytest.mark.parametrize("params", [None, "", "REDIS_PORT='6379'\n"], ids=["no file", "empty", "no call"])
def test_where_nothing_was_scheduled_there_is_nothing_to_do(world: World, params: str | None) -> None:
    world.start(chain())
    if params is not None:
        leave(world, params)
    result = submit(world)
    assert (result.status, result.stdout) == (0, "schedule-submit: no earlier job has scheduled anything\n")
    assert submit(world, "--json").json == []


REFUSED: dict[str, tuple[str, int, str]] = {
    "another target": (
        call("app", target="sample"),
        12,
        "is for another repository: 'sample' (REPO_NAME is samples here",
    ),
    "quotes around it": (call("app", target='"samples"'), 12, "is for another repository: '\"samples\"'"),
    "another source": (
        call("app", source="other"),
        12,
        "is for another repository: 'other' (BUILD_REPO is samples here",
    ),
    "no package": (call("zlib", "zilb"), 12, "schedules what is no package: zilb (did you mean zlib?)"),
    "another branch's commit": (call("app", commit=f"{'d' * 40}:1"), 12, "of a commit that main does not have"),
    "everything removed": (removal(), 12, "is a removal that leaves no package at all"),
    "much removed": (
        call("app") + removal("app"),
        12,
        "7 of 8 packages are gone, more than 20 percent (CI_REMOVE_LIMIT)",
    ),
    "a command": ("touch pwned\n", 6, "line 1: 'touch pwned' is no assignment"),
    "an unknown word": ("LD_PRELOAD='x'\n", 6, "line 1: LD_PRELOAD is no variable of such a file"),
    "a bad class": (f"REDIS_PORT='1'\n{call('app/0')}", 6, "line 2: is a class below 1: '0'"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_right_is_refused_and_nothing_handed_over(world: World, case: str) -> None:
    params, status, said = REFUSED[case]
    world.start(chain("a", "b", "c", "d", "e"))
    leave(world, params)
    result = submit(world)
    assert result.status == status
    assert ".ci/schedule-params.txt" in result.stderr
    assert said in result.stderr
    assert jobs(world) == []
    assert not (world.work / "pwned").exists()


def test_a_large_removal_is_handed_over_when_it_is_meant(world: World) -> None:
    world.start(chain("a", "b", "c", "d", "e"))
    leave(world, removal("app"))
    assert submit(world, "--allow-mass-removal").status == 0


def test_a_removal_in_the_newer_form_has_the_same_limit(world: World) -> None:
    world.start(chain("a", "b", "c", "d", "e"), seen=False)
    world.run("on-commit", CI_BACKEND="build_job")
    path = world.work / ".ci/schedule.json"
    record: dict[str, Any] = json.loads(path.read_text())
    for remaining, said in ((["app"], "CI_REMOVE_LIMIT"), ([], "leaves no package at all")):
        path.write_text(json.dumps({**record, "remaining": remaining}))
        result = submit(world)
        assert result.status == 12
        assert said in result.stderr


@pytest.mark.parametrize("name", ["schedule-params.txt", "deptree.txt"])
def test_a_file_that_somebody_committed_is_refused(world: World, name: str) -> None:
    pair = {".ci/schedule-params.txt": call("app"), ".ci/deptree.txt": ""}
    world.start({**chain(), f".ci/{name}": pair[f".ci/{name}"]})
    leave(world, pair[".ci/schedule-params.txt"], "")
    result = submit(world)
    assert result.status == 11
    assert f".ci/{name} must not be tracked in git" in result.stderr
    assert jobs(world) == []


def test_two_forms_side_by_side_are_refused(world: World) -> None:
    world.start(chain(), seen=False)
    world.run("on-commit", CI_BACKEND="build_job")
    leave(world, call("app"))
    result = submit(world)
    assert result.status == 11
    assert ".ci: has both schedule.json and schedule-params.txt" in result.stderr
    assert submit(world, ".ci/schedule-params.txt").status == 0


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [("nowhere", 11, "there is no schedule"), (".ci/deptree.txt", 7, "is only the half of a schedule")],
)
def test_a_path_that_is_no_schedule_is_named(world: World, path: str, status: int, said: str) -> None:
    world.start(chain())
    leave(world, call("app"), "")
    result = submit(world, path)
    assert result.status == status
    assert path in result.stderr
    assert said in result.stderr


def test_a_package_whose_configuration_is_broken_is_held_back_and_the_others_go(world: World) -> None:
    world.start({**chain(), "app/.CI/config": "BUILDER_CLASS=0\n"})
    leave(world, call("app/1", "zlib"))
    result = submit(world, "--json")
    assert result.status == 5
    [report] = result.json
    assert {verdict["package"]: verdict["code"] for verdict in report["verdicts"]} == {
        "app": "bad-config",
        "zlib": "requested",
    }
    assert [name for name, *_ in jobs(world)] == ["zlib"]


def test_a_package_called_submit_can_be_scheduled(world: World) -> None:
    world.start(chain("submit"))
    leave(world, call("zlib"))
    for words in (("--", "submit"), ("submit/1",), ("zlib", "submit")):
        result = world.run("schedule", "--json", "--dry-run", *words, CI_BACKEND="local")
        assert "submit" in result.builds()
    result = world.run("schedule", "submit", "--json", "--dry-run", CI_BACKEND="local")
    assert [report["schedule"]["builds"][0]["package"] for report in result.json] == ["zlib"]
    assert world.run("schedule-submit", "--dry-run", CI_BACKEND="local").status == 0
