"""What a person meets at the command line."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from ci_toolkit import errors, plugins
from ci_toolkit.cli.main import SUBCOMMANDS
from ci_toolkit.errors import GitError, MachineError, PackagesFailedError, PluginError, RefusedError, ToolkitError
from tests.support.packages import SamplePackage

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.world import World


def test_help_lists_every_subcommand(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    world.work.mkdir()
    assert world.run("--help").status == 0
    shown = capsys.readouterr().out
    for name in SUBCOMMANDS:
        assert name.replace("_", "-") in shown


def test_a_misspelt_subcommand_is_answered_with_the_nearest(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    world.work.mkdir()
    assert world.run("on-comit").status == 2
    assert "did you mean on-commit?" in capsys.readouterr().err


HEAVY = (
    "requests",
    "rich",
    "gitlab",
    "github",
    "tree_sitter",
    "ci_toolkit.pipelines.on_schedule",
    "ci_toolkit.plugins",
)


@pytest.mark.parametrize(
    "words", [["--version"], ["check", "--help"], ["check", "--only", "commit-message", "m"]], ids=" ".join
)
def test_what_needs_little_imports_little(words: list[str], tmp_path: Path) -> None:
    (tmp_path / "m").write_text("fix: it\n")
    script = (
        "import sys, atexit; from ci_toolkit.cli.main import run\n"
        f"atexit.register(lambda: print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr))\n"
        "sys.exit(run())"
    )
    argv = [sys.executable, "-c", script, *words]
    done = subprocess.run(argv, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stderr == "[]\n"


def test_outside_of_a_repository_it_says_so(world: World) -> None:
    world.work.mkdir()
    result = world.run("on-schedule")
    assert result.status == GitError.exit_status
    assert "is in no git repository" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_cache_that_cannot_be_written_is_named_and_what_needs_none_goes_on(world: World) -> None:
    foo = SamplePackage(name="foo")
    world.upstreams.publish("foo", foo.files())
    world.start({**foo.folder(), **SamplePackage(name="own").folder("CI_PKGBUILD_SOURCE=custom\n")})
    (world.folder / "home").mkdir(exist_ok=True)
    (world.folder / "home/cache").write_text("not a folder")
    result = world.run("on-schedule", "--json")
    assert result.status == PackagesFailedError.exit_status
    assert result.codes() == {"foo": "unreachable", "own": "nothing-to-pull"}
    assert "cannot be written" in result.verdicts()["foo"]["why"]


def test_without_a_home_the_cache_is_in_the_repository(world: World) -> None:
    foo = SamplePackage(name="foo")
    world.upstreams.publish("foo", foo.files())
    world.start(foo.folder())
    world.env.pop("HOME")
    world.env.pop("XDG_CACHE_HOME")
    assert world.run("on-schedule").status == 0
    assert (world.work / ".git/ci-toolkit-cache/upstreams").is_dir()


def test_a_machine_that_refuses_is_no_traceback(world: World) -> None:
    world.start(SamplePackage(name="foo").folder(), seen=False)
    page = world.folder / "no/such/folder/page"
    result = world.run("on-commit", GITHUB_ACTIONS="true", GITHUB_STEP_SUMMARY=str(page))
    assert result.status == MachineError.exit_status
    assert f"the machine refuses: No such file or directory: {page}" in result.stderr


def test_an_origin_without_the_branch_is_named(world: World) -> None:
    world.start(SamplePackage(name="foo").folder())
    result = world.run("on-commit", "--branch", "trunk")
    assert result.status == GitError.exit_status
    assert "origin has no branch trunk" in result.stderr


def test_every_error_has_an_exit_status_of_its_own() -> None:
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, ToolkitError)]
    statuses = [kind.exit_status for kind in kinds]
    assert len(set(statuses)) == len(statuses)
    assert not {0, 1, 2, 3, 4} & set(statuses)


def test_every_file_of_a_family_is_registered_and_every_plugin_loads() -> None:
    for family, files in {
        "sources": {"aur", "custom", "git", "gitea", "github", "gitlab", "nvchecker"},
        "forges": {"gitea", "github", "gitlab", "local"},
        "backends": {"build_job", "build_service", "buildbot", "chaotic_manager", "local"},
        "recipes": {"command", "container", "makepkg", "nix"},
        "publishers": {"directory", "nix_cache", "oci", "pacman"},
        "notifiers": {"commit_status", "mail", "matrix", "telegram", "webhook"},
        "listeners": set(),
    }.items():
        assert set(plugins.registered(family)) == files
        for plugin in plugins.registered(family).values():
            assert plugins.load(plugin).name == plugin.name


WITHOUT_GRPC = """
import sys
sys.modules["grpc"] = None
from ci_toolkit.cli.main import run
from ci_toolkit.errors import PluginError
from ci_toolkit.plugins import load_backend
try:
    load_backend("build_service")
except PluginError as error:
    print(error)
sys.argv = ["ci-toolkit", "plugins"]
sys.exit(run())
"""


def test_a_plugin_whose_extra_is_not_installed_says_how_it_is_and_nothing_else_needs_it() -> None:
    done = subprocess.run((sys.executable, "-c", WITHOUT_GRPC), capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    said, *listed = done.stdout.splitlines()
    assert said.startswith("backends: build_service from ci-toolkit")
    assert said.endswith("(pip install 'ci-toolkit[grpc]')")
    [row] = [line for line in listed if " build_service " in line]
    assert row.endswith(", which needs: pip install 'ci-toolkit[grpc]'")


def test_builds_that_others_keep_are_not_purged_here(world: World) -> None:
    world.start(SamplePackage(name="foo").folder(), seen=False)
    result = world.run("builds", "purge", "--before", "30d")
    assert result.status == RefusedError.exit_status
    assert "CI_BACKEND is chaotic_manager, which keeps no builds here (whoever builds forgets them" in result.stderr


def test_an_unknown_backend_is_answered_with_what_there_is(world: World) -> None:
    world.start(SamplePackage(name="foo").folder(), settings={"CI_BACKEND": "chaotic-manager"}, seen=False)
    result = world.run("on-commit")
    assert result.status == PluginError.exit_status
    assert (
        "CI_BACKEND names nothing that is installed: 'chaotic-manager' (did you mean chaotic_manager?)" in result.stderr
    )


def test_a_reader_that_goes_away_ends_it_without_a_traceback(world: World) -> None:
    world.start(
        {path: text for n in range(40) for path, text in SamplePackage(name=f"p{n}").folder().items()}, seen=False
    )
    script = f"{sys.executable} -m ci_toolkit on-commit --dry-run | head -n 1"
    done = subprocess.run(
        ["sh", "-c", script], cwd=world.work, env=world.env, capture_output=True, text=True, check=True
    )
    assert "Traceback" not in done.stderr
