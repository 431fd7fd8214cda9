"""From a push to a published repository with the local backend: real git, makepkg, gpg and pacman."""

from __future__ import annotations

import json
import os
import re
import shutil
import sqlite3
import subprocess
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from ci_toolkit.errors import ConfigError, MachineError, NotReadyError, PackagesFailedError, RefusedError
from tests.support.builds import needs_makepkg
from tests.support.local_builds import LocalBuilds, Tiny
from tests.support.pacman_stand import Client
from tests.support.running import left_behind

if TYPE_CHECKING:
    from tests.support.world import World

pytestmark = needs_makepkg

LIB = Tiny(name="lib")
APP = Tiny(name="app", depends=("lib",), body="test -e /usr/share/lib/file")
TOP = Tiny(name="top", depends=("app",))
BROKEN = Tiny(name="broken", body="echo it is broken; false")
LATE = Tiny(name="late", depends=("broken",))


def test_the_story_of_a_repository(world: World) -> None:
    """One long story, as each of its steps needs what the one before built."""
    local = LocalBuilds(world, LIB, APP, BROKEN, LATE)

    # Everything is built in order; what needs something that failed is held and says so.
    local.schedule()
    result = local.build()
    assert result.status == PackagesFailedError.exit_status
    assert local.states() == {
        "lib": "succeeded",
        "app": "succeeded",
        "broken": "failed",
        "late": "waiting for dependency",
    }
    jobs = local.jobs()
    assert jobs["late"]["waits_for"] == "broken"
    assert jobs["late"]["reason"] == f"needs broken, whose job {jobs['broken']['job']} failed"
    assert (jobs["broken"]["phase"], jobs["broken"]["status"]) == ("build", 4)
    assert {jobs[name]["recipe"] for name in ("lib", "app", "broken")} == {"makepkg"}
    [made] = local.served.glob("app-*.pkg.tar.zst")
    assert (jobs["app"]["size_bytes"], jobs["broken"]["size_bytes"]) == (made.stat().st_size, None)
    assert "it is broken" in world.run("logs", "broken").stdout
    assert local.steps("app") == ["queued", "waiting for dependency", "queued", "building", "publishing", "succeeded"]
    assert "late: needs broken" in result.stdout

    # All of it as pages, with the logs.
    assert world.run("builds", "report", "site").status == 0
    page = (world.work / f"site/builds/{jobs['broken']['job']}.html").read_text()
    for text in ("it is broken", "<dt>recipe</dt><dd>makepkg</dd>", "4 in phase build"):
        assert text in page
    assert ", recipe makepkg\n" in world.run("builds", "show", "broken").stdout
    assert world.run("builds", "report", "site", "--json").json["removed"] == 0

    # pacman takes it.
    client = Client(world.folder / "client", local.served, local.served / "samples.gpg", name="samples")
    done = client.pacman("-Sy", "app")
    assert client.installed() == {"app": "1.0-1", "lib": "1.0-1"}, done.stdout

    # The same again: nothing is built, and the earlier log is linked.
    world.run("schedule", "lib", "app")
    assert local.build().status == 0
    assert (local.states()["lib"], local.states()["app"]) == ("already built", "already built")
    assert local.jobs()["app"]["log_of"] == jobs["app"]["job"]
    told = {group["name"]: group for group in world.run("stats", "--json").json["groups"]}
    assert (told["app"]["cache_hit_rate"], told["app"]["size_bytes"]) == (0.5, made.stat().st_size)
    assert told["broken"]["success_rate"] == 0
    assert "Finished making: app" in world.run("logs", "app").stdout

    # What failed is mended, and what waited for it is built.
    local.push(replace(BROKEN, body="true", release="2"))
    assert local.build().status == 0
    assert (local.states()["broken"], local.states()["late"]) == ("succeeded", "succeeded")

    # A higher version replaces, a folder that is gone removes, both at once.
    local.push(replace(LIB, version="1.1"), remove=("late",))
    result = local.build()
    assert "removed: late" in result.stdout
    assert local.published() == {"lib": "1.1-1", "app": "1.0-1", "broken": "1.0-2"}
    assert "upgraded" not in client.pacman("-Syu").stdout.partition("error")[2]
    assert client.installed()["lib"] == "1.1-1"

    # A lower version, and other content under the same version, are refused, the latter before anything is built.
    local.push(replace(LIB, version="1.0.5"), replace(APP, content="other"))
    assert local.build().status == PackagesFailedError.exit_status
    jobs = local.jobs()
    assert "1.0.5-1 is lower than 1.1-1, which is published" in jobs["lib"]["reason"]
    assert "was made of other files; raise pkgrel" in jobs["app"]["reason"]
    assert jobs["app"]["started_at"] is None
    assert local.published()["lib"] == "1.1-1"
    assert world.run("publish", "check", "--demo-key").status == 0
    what_is_published_survives(local)


def what_is_published_survives(local: LocalBuilds) -> None:
    """What is published, or kept for going back, is not deleted, nor collected with everything else."""
    assert local.world.run("store", "verify").status == 0
    collected = local.world.run("store", "gc", "--older-than", "0m")
    assert collected.status == 0, collected.stderr
    listed = {one["name"] for one in local.world.run("store", "ls", "--json").json["entries"]}
    assert {path.name for path in local.served.glob("*.pkg.tar.zst")} <= listed
    assert "lib-1.0.5-1-any.pkg.tar.zst" not in listed
    refused = local.world.run("store", "delete", "broken")
    assert (refused.status, "is published, or kept" in refused.stderr) == (RefusedError.exit_status, True)


def test_only_what_the_owner_has_a_say_in_counts_as_a_change(world: World) -> None:
    local = LocalBuilds(world, LIB, APP)
    local.schedule()
    assert local.build().status == 0
    local.push(replace(LIB, config="BUILDER_CLASS=1\n"))
    local.build()
    assert local.states()["lib"] == "already built"
    # What it is built against changes: under this version it is published already, so it stays until it is bumped.
    local.push(replace(LIB, version="2.0"))
    world.run("schedule", "app")
    assert local.build().status == 0
    job = local.jobs()["app"]
    assert (job["state"], job["started_at"]) == ("already built", None)
    assert "only what it is built with has changed: ci-toolkit bump app" in job["reason"]
    local.push(replace(APP, config="CI_PACKAGE_BUMP=1.0-1/1\n"))
    assert local.build().status == 0
    assert local.published() == {"lib": "2.0-1", "app": "1.0-1.1"}


def test_a_folder_that_was_damaged_fails_its_job_and_stops_no_other(world: World) -> None:
    local = LocalBuilds(world, LIB, Tiny(name="other"), CI_BUILD_SLOTS="1")
    local.schedule()
    with closing(sqlite3.connect(local.top / "jobs.sqlite", isolation_level=None)) as foreign:
        foreign.execute("UPDATE folders SET files = x'00'")
    assert local.build().status == PackagesFailedError.exit_status
    assert local.states() == {"lib": "failed", "other": "failed"}
    assert "is damaged: schedule it again" in local.jobs()["lib"]["reason"]


def test_a_build_that_is_cancelled_ends_soon_and_one_that_waits_at_once(world: World) -> None:
    local = LocalBuilds(world, Tiny(name="slow", body="sleep 1001"), Tiny(name="next", depends=("slow",)))
    local.schedule()
    child = local.start()
    local.wait(lambda: local.jobs()["slow"]["phase"] == "build")
    assert world.run("builds", "cancel", "next", "--reason", "nobody wants it").status == 0
    assert local.states()["next"] == "cancelled"
    world.run("builds", "cancel", "slow")
    _, said = child.communicate(timeout=20)
    assert child.returncode == 0
    assert local.states() == {"slow": "cancelled", "next": "cancelled"}
    assert "slow: cancelled, somebody cancelled it" in said
    assert not left_behind("sleep\x001001")
    assert local.published() == {}
    assert world.run("builds", "cancel", "slow").status == RefusedError.exit_status
    assert world.run("builds", "cancel", "slwo").status == ConfigError.exit_status


def test_a_newer_request_replaces_a_running_build_and_its_log_is_followed(world: World) -> None:
    local = LocalBuilds(world, Tiny(name="tool", body="echo old one; sleep 1002"))
    local.schedule()
    child = local.start()
    local.wait(lambda: local.jobs()["tool"]["phase"] == "build")
    # Live, long before it ends.
    following = world.spawn("logs", "-f", "tool")
    assert following.stdout is not None
    assert any("old one" in line for line in iter(following.stdout.readline, ""))
    local.push(Tiny(name="tool", body="echo new one"))
    child.communicate(timeout=30)
    following.communicate(timeout=10)
    assert (child.returncode, following.returncode) == (0, 0)
    listed = world.run("builds", "list", "--all", "--json").json
    assert [job["state"] for job in listed] == ["replaced", "succeeded"]
    assert "replaced by schedule" in listed[0]["reason"]
    assert "new one" in world.run("logs", "tool").stdout
    assert not left_behind("sleep\x001002")


def test_two_processes_do_not_build_in_one_folder(world: World) -> None:
    local = LocalBuilds(world, Tiny(name="slow", body="sleep 1003"))
    local.schedule()
    child = local.start()
    local.wait(lambda: local.jobs()["slow"]["phase"] == "build")
    second = local.build()
    assert second.status == NotReadyError.exit_status
    assert f"is used by process {child.pid} (builds run)" in second.stderr

    # SIGTERM, as a service manager sends it, ends orderly: the job is queued again.
    child.terminate()
    _, said = child.communicate(timeout=20)
    assert "interrupted; nothing is left half done" in said
    assert local.states() == {"slow": "queued"}
    assert not left_behind("sleep\x001003")


def test_a_killed_backend_leaves_no_process_and_the_next_goes_on(world: World) -> None:
    local = LocalBuilds(world, Tiny(name="tool", body="test -e /build/again || sleep 1004"))
    local.schedule()
    child = local.start()
    local.wait(lambda: local.jobs()["tool"]["phase"] == "build")
    child.kill()
    child.communicate(timeout=20)
    local.wait(lambda: not left_behind("sleep\x001004"), within_s=5)
    assert local.states() == {"tool": "building"}
    again = local.start()
    local.wait(lambda: len(local.steps("tool")) > 3 and local.jobs()["tool"]["phase"] == "build")
    assert local.steps("tool") == ["queued", "building", "queued", "building"]
    world.run("builds", "cancel", "tool")
    again.communicate(timeout=20)


def test_without_a_key_nothing_is_built(world: World) -> None:
    local = LocalBuilds(world, LIB)
    local.schedule()
    result = world.run("builds", "run")
    assert result.status == NotReadyError.exit_status
    assert "the signing key is missing" in result.stderr
    assert local.states() == {"lib": "queued"}


def test_a_damaged_package_in_the_store_is_never_used(world: World) -> None:
    local = LocalBuilds(world, LIB)
    local.schedule()
    assert local.build().status == 0
    (stored,) = (local.top / "store/objects").glob("*/*")
    stored.chmod(0o644)
    # Its published file is another one: what is published is not changed by that.
    stored.write_bytes(stored.read_bytes()[:-1] + b"x")
    check = world.run("store", "verify")
    assert check.status == PackagesFailedError.exit_status
    assert "its file has another content" in check.stdout
    world.run("schedule", "lib")
    assert local.build().status == 0
    assert local.steps("lib")[-3:] == ["building", "publishing", "succeeded"]
    assert world.run("store", "verify").status == 0
    assert world.run("publish", "check", "--demo-key").status == 0


def test_what_was_to_be_published_when_its_folder_went_is_not_and_comes_back_with_it(world: World) -> None:
    local = LocalBuilds(world, LIB, Tiny(name="other", config="BUILDER_CLASS=elsewhere\n"))
    local.schedule()
    assert local.build().status == 0
    # A run was killed when it was about to publish what it had built.
    world.run("schedule", "lib")
    with closing(sqlite3.connect(local.top / "jobs.sqlite", isolation_level=None)) as foreign:
        foreign.execute(
            "UPDATE jobs SET state = 'publishing', build = (SELECT build FROM jobs WHERE build NOT NULL)"
            " WHERE state = 'queued' AND pkgbase = 'lib'"
        )
    local.push(remove=("lib",))
    result = local.build()
    assert "removed: lib" in result.stdout
    assert local.published() == {}
    job = local.jobs()["lib"]
    assert (job["state"], job["reason"]) == ("cancelled", "its folder is gone")
    local.push(LIB)
    assert local.build().status == 0
    assert local.published() == {"lib": "1.0-1"}


def test_slots_and_classes(world: World) -> None:
    """Two at once where two may be, one at a time where a class has one slot, none where it has none."""
    meet = "touch /build/x; for i in $(seq 60); do sleep 0.05; done"
    packages = [Tiny(name=name, body=meet) for name in ("one", "two")]
    heavy = [Tiny(name=name, body=meet, config="BUILDER_CLASS=5\n") for name in ("big-one", "big-two")]
    other = Tiny(name="other", config="BUILDER_CLASS=elsewhere\n")
    local = LocalBuilds(world, *packages, *heavy, other, CI_BUILD_SLOTS="2", CI_CLASS_LIMITS="5:1")
    local.schedule()
    assert local.build().status == 0
    jobs = local.jobs()
    times = {name: _built_between(world, name) for name in ("one", "two", "big-one", "big-two")}
    assert not _overlap(times["big-one"], times["big-two"])
    assert any(_overlap(times[name], times[big]) for name in ("one", "two") for big in ("big-one", "big-two"))
    assert jobs["other"]["state"] == "queued"
    assert jobs["other"]["reason"].startswith("is for the builder elsewhere, and this is ")


def _built_between(world: World, package: str) -> tuple[float, float]:
    steps = {step["to"]: step["at"] for step in world.run("builds", "show", package, "--json").json["transitions"]}
    return steps["building"], steps["publishing"]


def _overlap(first: tuple[float, float], second: tuple[float, float]) -> bool:
    return first[0] < second[1] and second[0] < first[1]


def test_a_log_is_packed_with_its_colours_and_without_secrets(world: World) -> None:
    local = LocalBuilds(world, Tiny(name="tool", body=r"printf '\033[31mred\033[0m s3cr3t-t0ken\n'"))
    local.schedule()
    assert local.build(ACCESS_TOKEN="s3cr3t-t0ken").status == 0
    (packed,) = (local.top / "logs/tool").iterdir()
    assert packed.name.endswith(".log.zst")
    log = world.run("logs", "tool").stdout
    assert world.run("logs", "tool", "--json").json == {"job": 1, "package": "tool", "text": log}
    assert "\x1b[31mred\x1b[0m" in log
    assert "s3cr3t-t0ken" not in log
    assert re.search(r"what interfered|limits on all processes", log)


def test_what_is_meant_by_a_filter(world: World) -> None:
    local = LocalBuilds(world, LIB, APP)
    local.schedule()
    assert [job["package"] for job in world.run("builds", "list", "--json", "lib").json] == ["lib"]
    assert world.run("builds", "list", "--json", "--state", "failed").json == []
    wrong = world.run("builds", "list", "--state", "faild")
    assert wrong.status == ConfigError.exit_status
    assert "already-built" in wrong.stderr
    assert json.loads(world.run("builds", "cancel", "--json", "1").stdout)[0]["state"] == "cancelled"
    assert world.run("builds", "retry", "1").status == 0
    assert world.run("builds", "retry", "--failed").stdout == "no builds\n"
    shutil.rmtree(local.top)
    assert world.run("builds", "list").stdout == "no builds\n"


@pytest.mark.skipif(os.getuid() != 0, reason="only root mounts a disk that is soon full")
def test_a_full_disk_ends_the_run_and_keeps_every_job(world: World) -> None:
    large = 'head -c 6000000 /dev/urandom > "$srcdir/x"; mkdir -p "$srcdir/../y"; cp "$srcdir/x" "$srcdir/../y"'
    local = LocalBuilds(
        world, LIB, Tiny(name="large", depends=("lib",), body=large, content='; cp "$srcdir/x" "$pkgdir"')
    )
    local.top.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "none", str(local.top)], check=True)
    try:
        local.schedule()
        result = local.build()
        assert result.status == MachineError.exit_status
        assert "No space left on device" in result.stderr
        assert local.states() == {"lib": "succeeded", "large": "queued"}
        assert "this machine could not go on" in local.jobs()["large"]["reason"]
        assert local.published() == {"lib": "1.0-1"}
        subprocess.run(["mount", "-o", "remount,size=100m", str(local.top)], check=True)
        assert local.build().status == 0
        assert local.published() == {"lib": "1.0-1", "large": "1.0-1"}
        assert world.run("store", "verify").status == 0
    finally:
        subprocess.run(["umount", str(local.top)], check=True)
