"""A repository's first files, from an installed wheel."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from typing import TYPE_CHECKING

import pytest

from ci_toolkit.errors import ConfigError, RefusedError
from tests.support.gitlab_runs import build_wheel, dependencies_alone
from tests.support.npm import missing
from tests.support.templates import TEMPLATES

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.world import World

COMMON = {
    ".ci/config",
    ".gitignore",
    ".pre-commit-config.yaml",
    "hello-packages/.CI/config",
    "hello-packages/.SRCINFO",
    "hello-packages/PKGBUILD",
}
GITLAB = {".gitlab-ci.yml", ".gitlab/ci-toolkit.yml", ".gitlab/CODEOWNERS"}
GITHUB = {
    ".github/CODEOWNERS",
    ".github/actions/ci-toolkit/action.yml",
    ".github/workflows/ci-toolkit-review.yml",
    ".github/workflows/ci-toolkit.yml",
    ".github/workflows/package-changes.yml",
    ".github/workflows/packages.yml",
}


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def top(world: World) -> Path:
    """An empty folder to start in."""
    world.work.mkdir()
    (world.work / "my-repo").mkdir()
    return world.work / "my-repo"


@pytest.mark.parametrize(("service", "own"), [("gitlab", GITLAB), ("github", GITHUB)])
def test_everything_is_written_once(world: World, top: Path, service: str, own: set[str]) -> None:
    result = world.run("init", service, "--dir", "my-repo")
    assert result.status == 0, result.stderr
    written = files(top)
    assert set(written) == COMMON | own
    assert "ACCESS_TOKEN" in result.stdout
    world.work = top
    assert world.run("config", "get", "REPO_NAME").stdout == "my-repo\n"
    assert world.run("config", "get", "CI_FORGE").stdout == f"{service}\n"
    assert world.run("init", service).status == 0
    assert files(top) == written


@pytest.mark.parametrize(
    ("service", "own"), [("gitlab", GITLAB), ("github", GITHUB | {".github/workflows/ci-toolkit-build.yml"})]
)
def test_a_pipeline_that_builds_differs_in_its_caller_and_says_which_key_it_needs(
    world: World, top: Path, service: str, own: set[str]
) -> None:
    result = world.run("init", service, "--build-here", "--dir", "my-repo")
    assert "CI_SIGNING_KEY" in result.stdout
    assert set(files(top)) == COMMON | own
    callers = {"gitlab": ".gitlab-ci.yml", "github": ".github/workflows/packages.yml"}
    assert "backend: build_job" in (top / callers[service]).read_text()
    world.work = top
    assert world.run("config", "get", "CI_BACKEND").stdout == "local\n"
    assert world.run("init", service).status == RefusedError.exit_status


@pytest.mark.parametrize(("service", "own"), [("gitlab", GITLAB), ("github", GITHUB)])
def test_a_repository_that_a_farm_builds_is_told_which_token_it_needs(
    world: World, top: Path, service: str, own: set[str]
) -> None:
    result = world.run("init", service, "--farm", "https://farm.example.org/", "--dir", "my-repo")
    assert result.status == 0, result.stderr
    assert "CI_FARM_TOKEN" in result.stdout
    assert set(files(top)) == COMMON | own
    callers = {"gitlab": ".gitlab-ci.yml", "github": ".github/workflows/packages.yml"}
    assert "backend: buildbot" in (top / callers[service]).read_text()
    world.work = top
    for key, value in (("CI_BACKEND", "buildbot"), ("CI_FARM_URL", "https://farm.example.org")):
        assert world.run("config", "get", key).stdout == f"{value}\n"


@pytest.mark.parametrize("url", ["http://farm.example.org", "farm.example.org", "https://me:secret@farm.example.org"])
def test_a_farm_is_named_by_an_address_that_can_be_asked_safely(world: World, top: Path, url: str) -> None:
    result = world.run("init", "gitlab", "--farm", url, "--dir", "my-repo")
    assert result.status == ConfigError.exit_status
    assert "is no address that can be asked" in result.stderr
    assert "secret" not in result.stderr
    assert files(top) == {}


def test_the_first_package_is_one_that_builds_and_is_scheduled(world: World, top: Path) -> None:
    world.run("init", "gitlab", "--dir", "my-repo")
    written = {path: text for path, text in files(top).items() if path != ".ci/config"}
    world.start(written, settings={"CI_FORGE": "local"}, seen=False)
    assert world.run("on-commit", "--json").builds() == ["hello-packages"]


def test_the_first_package_is_in_step_with_its_srcinfo(world: World, top: Path) -> None:
    if shutil.which("makepkg") is None:
        missing("makepkg is missing; on Debian: apt install makepkg")
    world.run("init", "gitlab", "--dir", "my-repo")
    is_root = os.geteuid() == 0  # whom makepkg refuses
    as_other = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups") if is_root else ()
    with tempfile.TemporaryDirectory() as name:  # pytest's own folders are closed to others
        shutil.copy(top / "hello-packages/PKGBUILD", name)
        if is_root:
            os.chown(name, 65534, 65534)
        shown = subprocess.run(
            [*as_other, "makepkg", "--printsrcinfo"], cwd=name, capture_output=True, text=True, check=False
        )
    assert shown.returncode == 0, shown.stderr
    assert shown.stdout.rstrip() == (top / "hello-packages/.SRCINFO").read_text().rstrip()


def test_what_differs_is_shown_and_nothing_is_written(world: World, top: Path) -> None:
    (top / ".gitlab-ci.yml").write_text("include: elsewhere.yml\n")
    before = files(top)
    result = world.run("init", "gitlab", "--dir", "my-repo")
    assert result.status == RefusedError.exit_status
    assert ".gitlab-ci.yml would be overwritten" in result.stderr
    assert "-include: elsewhere.yml\n" in result.stdout
    assert "+++ b/.gitlab/ci-toolkit.yml\n" in result.stdout
    assert files(top) == before
    assert world.run("init", "gitlab", "--dir", "my-repo", "--force").status == 0
    assert (top / ".gitlab-ci.yml").read_bytes() == (TEMPLATES / "gitlab/caller.yml").read_bytes()


def test_a_dry_run_shows_and_writes_nothing(world: World, top: Path) -> None:
    result = world.run("init", "github", "--dir", "my-repo", "--dry-run")
    assert (result.status, files(top)) == (0, {})
    assert "+++ b/.github/workflows/packages.yml\n" in result.stdout


def test_the_owners_own_files_stay_even_when_forced(world: World, top: Path) -> None:
    own = {
        ".ci/config": "REPO_NAME=mine\n",
        ".gitlab/CODEOWNERS": "* @me\n",
        "foo/PKGBUILD": "pkgname=foo\n",
        ".gitignore": "*.zst\n/.cache/",
    }
    for path, text in own.items():
        (top / path).parent.mkdir(exist_ok=True)
        (top / path).write_text(text)
    assert world.run("init", "gitlab", "--dir", "my-repo", "--force").status == 0
    for path in (".ci/config", ".gitlab/CODEOWNERS", "foo/PKGBUILD"):
        assert (top / path).read_text() == own[path]
    assert not (top / "hello-packages").exists()
    lines = (top / ".gitignore").read_text().splitlines()
    assert lines[:2] == ["*.zst", "/.cache/"]
    assert "/.ci/schedule-params.txt" in lines
    assert lines.count("/.cache/") == 1


def test_nothing_is_written_through_a_link(world: World, top: Path) -> None:
    (world.work / "elsewhere").mkdir()
    (top / ".gitlab").symlink_to(world.work / "elsewhere")
    result = world.run("init", "gitlab", "--dir", "my-repo")
    assert result.status == RefusedError.exit_status
    assert ".gitlab/ci-toolkit.yml" in result.stderr
    assert files(world.work / "elsewhere") == {}


def test_a_name_that_pacman_would_not_take_is_refused(world: World, top: Path) -> None:
    assert world.run("init", "gitlab", "--dir", "my-repo", "--name", "My Repo").status == ConfigError.exit_status
    assert world.run("init", "gitlab", "--dir", "no-such-folder").status == ConfigError.exit_status
    assert files(top) == {}


def test_it_works_from_a_wheel(world: World, top: Path, tmp_path: Path) -> None:
    """The templates are links in the sources and files in the wheel."""
    installed = tmp_path / "installed"
    shutil.unpack_archive(build_wheel(tmp_path / "wheel"), installed, "zip")
    env = {**world.env, "PYTHONPATH": f"{installed}:{dependencies_alone(tmp_path / 'dependencies')}"}
    script = "import ci_toolkit.cli.main as m, sys; print(m.__file__, file=sys.stderr); sys.exit(m.run())"
    done = subprocess.run(
        [sys.executable, "-S", "-c", script, "init", "github"],
        cwd=top,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.startswith(str(installed))
    assert set(files(top)) == COMMON | GITHUB
