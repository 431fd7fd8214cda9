"""A schedule on its way from the job that makes it to the job that builds it: by a file, between two data folders."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from ci_toolkit.backends.handed_schedule import format_handed, parse_handed
from ci_toolkit.effects.sandbox import namespaces_hint
from ci_toolkit.errors import FormatError, HandOverError, MachineError, NotReadyError, PackagesFailedError
from ci_toolkit.model.names import Pkgbase
from tests.support.builds import needs_makepkg
from tests.support.local_builds import LocalBuilds, Tiny, folders

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.world import Result, World

LIB = Tiny(name="lib")
APP = Tiny(name="app", depends=("lib",), body="test -e /usr/share/lib/file")
# What a stranger writes where GitHub reads commands.
BROKEN = Tiny(name="broken", body='printf "%s\\n" "::notice::owned" "x ##[error]owned"; false')


def hand_over(local: LocalBuilds) -> Result:
    """What the pipeline's first job does, in a clone of its own; `.ci/schedule.json` is in it then."""
    local.world.clone()
    return local.world.run("on-commit", CI_BACKEND="build_job")


@pytest.fixture
def artifact(world: World) -> Path:
    """A schedule of two packages."""
    result = hand_over(LocalBuilds(world, LIB, APP))
    assert "2 builds handed over in .ci/schedule.json" in result.stdout
    return world.work / ".ci/schedule.json"


@needs_makepkg
def test_what_is_handed_over_is_built_told_and_removed_when_it_is_gone(world: World) -> None:
    local = LocalBuilds(world, LIB, APP, BROKEN)
    hand_over(local)
    assert local.jobs() == {}  # that job's machine keeps nothing

    options = ("builds", "run", "--demo-key", "--take", ".ci", "--logs", "logs")
    result = world.run(*options, GITHUB_ACTIONS="true")
    assert result.status == PackagesFailedError.exit_status
    assert local.published() == {"lib": "1.0-1", "app": "1.0-1"}
    assert "3 builds queued on this machine" in result.stderr
    assert "never been built" not in result.stderr
    assert "::error title=broken::" in result.stdout
    assert "│ ::notice::owned\n" in result.stdout
    assert not [line for line in result.stdout.splitlines() if line.lstrip().startswith("::notice") or "##[" in line]
    assert sorted(path.name for path in (world.work / "logs").iterdir()) == ["app.log", "broken.log", "lib.log"]
    log = (world.work / "logs/broken.log").read_text()
    assert "\n==> ERROR: A failure occurred in build().\n" in log
    assert "│ ==> ERROR: A failure occurred in build().\n" in result.stdout

    # As the job that publishes does it, in this order.
    assert world.run("builds", "report", "public").status == 0
    assert world.run("publish", "copy", "public").stdout.startswith("2 packages, ")
    assert (world.work / "public/index.html").is_file()
    assert (world.work / "public/x86_64/samples.db").is_file()

    world.push({}, remove=("app",))
    hand_over(local)
    assert "removed: app" in world.run(*options).stdout
    assert local.published() == {"lib": "1.0-1"}


@needs_makepkg
def test_several_schedules_are_taken_in_the_order_in_which_they_were_made(world: World, tmp_path: Path) -> None:
    """An operation and the on-commit after it are two jobs of one run, and their artifacts come in any order."""
    local, places = LocalBuilds(world, LIB), [tmp_path / "z", tmp_path / "a"]
    for place, version in zip(places, ("1.1", "2.0"), strict=True):
        world.push(folders(Tiny(name="lib", version=version)))
        hand_over(local)
        place.mkdir()
        (world.work / ".ci/schedule.json").rename(place / "schedule.json")
    result = world.run("builds", "run", "--demo-key", "--take", str(tmp_path))
    assert (result.status, local.published()) == (0, {"lib": "2.0-1"})
    assert "1 older replaced" in result.stderr


@needs_makepkg
def test_what_a_lost_data_folder_had_is_told_and_can_be_had_again(world: World) -> None:
    """A service may drop its cache, and what is published next would lack everything that did not change."""
    local, options = LocalBuilds(world, LIB, APP), ("builds", "run", "--demo-key", "--take", ".ci")
    hand_over(local)  # and what was made of it is lost
    world.push(folders(Tiny(name="lib", release="2")))
    hand_over(local)
    assert "1 package has never been built here" in world.run(*options).stderr
    assert local.published() == {"lib": "1.0-2"}
    world.clone()
    assert "2 builds handed over" in world.run("schedule", "*", CI_BACKEND="build_job").stdout


def test_a_pipeline_without_such_a_job_is_told_and_the_schedule_is_repeated(world: World) -> None:
    local = LocalBuilds(world, LIB, CI_BACKEND="build_job")
    result = world.run("on-commit")
    assert result.status == HandOverError.exit_status
    assert "nobody would take the schedule here" in result.stderr
    assert not (world.work / ".ci/schedule.json").exists()
    assert "1 build handed over" in hand_over(local).stdout


def test_a_file_that_somebody_committed_is_not_taken(artifact: Path, world: World) -> None:
    git = ("git", "-C", str(world.work))
    subprocess.run([*git, "add", "-f", ".ci/schedule.json"], check=True, env=world.env)
    result = world.run("builds", "run", "--demo-key", "--take", ".ci/schedule.json")
    assert result.status == NotReadyError.exit_status
    assert f"{artifact} must not be tracked in git" in result.stderr
    world.push({".ci/schedule.json": "{}"})
    assert ".ci/schedule.json must not be tracked in git" in world.run("on-commit", CI_BACKEND="build_job").stderr


def test_a_schedule_that_is_not_there_is_named(world: World) -> None:
    LocalBuilds(world, LIB)
    result = world.run("builds", "run", "--demo-key", "--take", "elsewhere")
    assert result.status == NotReadyError.exit_status
    assert "elsewhere: there is no schedule" in result.stderr


def test_reading_and_writing_gives_the_same(artifact: Path) -> None:
    content = artifact.read_bytes()
    handed = parse_handed(content, file="schedule.json")
    assert format_handed(handed) == content
    assert [build.pkgbase for build in handed.schedule.builds] == ["lib", "app"]
    assert handed.folders[Pkgbase("lib")].files["PKGBUILD"].content.decode() == LIB.folder()["lib/PKGBUILD"]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("form", 2),
        ("commit", "main"),
        ("builds", [["../x", None]]),
        ("builds", [["lib", "0"]]),
        ("builds", [["other", None]]),
        ("builds", 7),
        ("remaining", ["a b"]),
        ("deptree", "x"),
        ("folders", {"lib": {"tree": "0" * 40, "epoch": 1, "files": "?"}}),
        ("folders", {"lib": {"tree": "0" * 40, "epoch": 1, "files": "AAAA"}}),
        ("folders", []),
    ],
)
def test_what_is_no_schedule_is_refused_with_its_file(artifact: Path, key: str, value: object) -> None:
    record = {**json.loads(artifact.read_bytes()), key: value}
    with pytest.raises(FormatError) as caught:
        parse_handed(json.dumps(record).encode(), file="place/schedule.json")
    assert caught.value.file == "place/schedule.json"


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b"\xff", b'{"form": 1}'])
def test_what_is_not_even_json_is_refused(content: bytes) -> None:
    with pytest.raises(FormatError, match="is no schedule"):
        parse_handed(content, file="schedule.json")


@needs_makepkg
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give up what a container lacks")
def test_a_container_without_namespaces_is_blamed_and_no_package(world: World) -> None:
    """Root without CAP_SYS_ADMIN is what jobs are in a container that is not privileged."""
    local = LocalBuilds(world, LIB)
    local.schedule()
    contained = ("setpriv", "--bounding-set=-sys_admin", "--inh-caps=-all")
    words = (*contained, sys.executable, "-m", "ci_toolkit", "builds", "run", "--demo-key")
    done = subprocess.run(words, cwd=world.work, env=world.env, capture_output=True, text=True, check=False)
    assert done.returncode == MachineError.exit_status
    assert "packages are built in bubblewrap alone, and not here: bwrap: " in done.stderr
    assert namespaces_hint() in done.stderr
    assert local.states() == {"lib": "queued"}


@needs_makepkg
def test_a_machine_that_mounts_nothing_is_blamed_and_no_package(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some let bubblewrap work and allow no overlay; there is none here to try it on."""
    local = LocalBuilds(world, LIB)
    local.schedule()
    refusing = 'echo "mount: permission denied." >&2; exit 32'
    monkeypatch.setattr("ci_toolkit.effects.host_view._OVERLAY", refusing)
    result = local.build()
    assert result.status == MachineError.exit_status
    assert "packages cannot be built here: mount: permission denied." in result.stderr
    assert local.states() == {"lib": "queued"}
