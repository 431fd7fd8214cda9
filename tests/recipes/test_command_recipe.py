"""A folder that is built by a command: what the command has, what it may leave, and how it can end."""

from __future__ import annotations

import hashlib
import shutil
import stat
import subprocess
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from ci_toolkit.effects.build_limits import BuildLimits
from ci_toolkit.model.names import Pkgbase
from ci_toolkit.model.package_config import PackageConfig, parse_bump
from ci_toolkit.recipes.build import BuildRequest, Built, Failed, Skipped, TimedOut
from ci_toolkit.recipes.command_recipe import CommandRecipe
from tests.support.built import hostile
from tests.support.recipes import files, opened_tools

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ci_toolkit.recipes.build import BuildResult
    from ci_toolkit.recipes.spec import RecipeTools


class Bench:
    """Builds one command after the other."""

    def __init__(self, folder: Path, tools: RecipeTools) -> None:
        self.folder, self.tools = folder, tools
        self.shown: list[str] = []

    def build(
        self, command: str, *outputs: str, head: str = "", config: PackageConfig | None = None, **more: object
    ) -> BuildResult:
        listed = ", ".join(f'"{output}"' for output in outputs)
        text = f'version = "1.0"\ncommand = """\n{command}"""\noutputs = [{listed}]\n{head}'
        out = self.folder / "out"
        out.mkdir(parents=True, exist_ok=True)
        request = BuildRequest(
            pkgbase=Pkgbase("demo"),
            files=files(**{".CI/recipe.toml": text, "source.txt": "content\n", ".CI/prepare": "true\n"}),
            config=config or PackageConfig(),
            out=out,
            log=self.folder / "log",
            epoch_s=1_790_000_000,
            limits=BuildLimits(time_s=30.0, most_time_s=60.0),
        )
        request = replace(request, **more)  # type: ignore[arg-type]  # fields of it
        return CommandRecipe().build(request, replace(self.tools, show=self.shown.append))

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text()


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with opened_tools(tmp_path / "cache") as tools:
        yield Bench(tmp_path, tools)


def test_a_command_finds_its_context_and_leaves_what_it_says(bench: Bench) -> None:
    result = bench.build(
        'echo "$PACKAGE $CI_VERSION-$CI_RELEASE $SOURCE_DATE_EPOCH $MODE" >said; pwd >>said; mkdir d; cp source.txt d/copy',
        *("said", "d/copy"),
        head='[environment]\nMODE = "fast"\n',
        config=PackageConfig(bump=parse_bump("1.0-1/2")),
    )
    assert isinstance(result.outcome, Built), bench.log
    said, copy = result.outcome.packages
    assert said.path.read_text() == "demo 1.0-1.2 1790000000 fast\n/build\n"
    assert (said.name, copy.name, copy.version) == ("demo@said", "demo@copy", "1.0-1.2")
    # Each is told with its digest, and so is what has no effect here.
    assert f"copy: 8 bytes, sha256:{hashlib.sha256(b'content' + bytes([10])).hexdigest()}" in bench.log
    assert ".CI/prepare is read by builds with makepkg alone" in bench.log
    assert [time.phase for time in result.phases] == ["evaluate", "dependencies", "build", "collect"]


def test_output_is_shown_line_by_line_as_it_comes(bench: Bench) -> None:
    asked: list[str] = []

    def cancelled() -> str | None:
        # The build waits for ever behind its second line, so what is shown was shown while it ran.
        asked.append("")
        return "that is enough" if "second\n" in bench.shown else None

    bench.tools = replace(bench.tools, cancelled=cancelled)
    result = bench.build("echo first; printf sec; printf 'ond\\\\n'; sleep 1009", "x")
    assert [line for line in bench.shown if line in ("first\n", "second\n")] == ["first\n", "second\n"]
    assert isinstance(result.outcome, Failed)
    assert result.outcome.reason == "that is enough"


@pytest.mark.parametrize(
    ("command", "status", "reason"),
    [
        ("exit 41", 41, "the command failed"),
        ("kill -KILL $$", -9, "the command failed"),
        ("true", None, "it did not make x (outputs names what the command leaves)"),
        ("touch x", None, "x is empty"),
        ("mkdir x", None, "x is no regular file (pack a folder into an archive)"),
        ("ln -s /etc/passwd x", None, "x cannot be taken"),
        ("ln source.txt x", None, "x is no regular file"),
        ("mkfifo x", None, "x is no regular file"),
    ],
)
def test_a_command_that_does_not_do_it_has_failed(bench: Bench, command: str, status: int | None, reason: str) -> None:
    result = bench.build(command, "x")
    assert isinstance(result.outcome, Failed), result.outcome
    # bubblewrap tells a signal as a shell does.
    assert result.outcome.status in (status, 128 - (status or 0))
    assert result.outcome.reason.startswith(reason)
    assert list((bench.folder / "out").iterdir()) == []


def test_a_link_on_the_way_to_an_output_leads_nowhere(bench: Bench) -> None:
    result = bench.build("ln -s /etc d", "d/passwd")
    assert isinstance(result.outcome, Failed)
    assert "d/passwd cannot be taken: Not a directory" in result.outcome.reason


def test_one_output_that_is_missing_keeps_back_the_others(bench: Bench) -> None:
    result = bench.build("echo x >a", "a", "b", "c")
    assert isinstance(result.outcome, Failed)
    assert "it did not make b, c" in result.outcome.reason
    assert list((bench.folder / "out").iterdir()) == []


def test_an_owner_may_have_it_skipped(bench: Bench) -> None:
    assert isinstance(bench.build('exit "$CI_CODE_SKIP"', "x").outcome, Skipped)


def test_time_is_limited_by_the_folder_and_what_it_may_ask_for_by_the_machine(bench: Bench) -> None:
    result = bench.build("sleep 1010", "x", head="timeout = 1\n")
    assert result.outcome == TimedOut(phase="build", limit_s=1.0)
    result = bench.build("true", "x", head="timeout = 61\n")
    assert isinstance(result.outcome, Failed)
    assert result.outcome.reason == (
        ".CI/recipe.toml: timeout is more than the 60 s that a recipe may ask for: '61'"
        " (raise CI_BUILD_TIMEOUT_MAX, or set BUILDER_EXTRA_TIMEOUT)"
    )


def test_a_command_has_nothing_of_the_machine_but_its_tools(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CANARY_TOKEN", "s3cr3t-t0ken")
    command = "env >found; ls /root /home >>found 2>&1 || true; cat /proc/1/environ >>found || true; ls -d /sys/class/net/* >>found || true"
    result = bench.build(command, "found")
    assert isinstance(result.outcome, Built), bench.log
    found = result.outcome.packages[0].path.read_text(errors="replace")
    assert "s3cr3t-t0ken" not in found
    assert "CANARY" not in found
    assert "eth" not in found


def test_what_it_needs_is_installed_or_lies_where_it_is_told(bench: Bench, tmp_path: Path) -> None:
    package = hostile(tmp_path / "app-1-1-any.pkg.tar.zst")
    other = tmp_path / "image/image-1-1-any.oci.tar"
    other.parent.mkdir()
    other.write_bytes(b"layers")
    result = bench.build(
        'pacman -Q app >found; cat "$CI_NEEDS/image/image-1-1-any.oci.tar" >>found',
        "found",
        head='needs = ["app", "image"]\n',
        dependencies=(package, other),
    )
    assert isinstance(result.outcome, Built), bench.log
    assert result.outcome.packages[0].path.read_text() == "app 1-1\nlayers"
    assert [one.name for one in result.installed] == ["app"]


def test_what_is_needed_and_nowhere_is_named_before_the_command_runs(bench: Bench) -> None:
    result = bench.build("echo hello >x", "x", head='needs = ["no-such-thing"]\n')
    assert isinstance(result.outcome, Failed)
    assert (result.outcome.phase, result.outcome.reason) == (
        "dependencies",
        "nothing here is or provides no-such-thing",
    )
    assert "running" not in bench.log


def test_the_folder_of_a_build_that_fails_is_kept_on_request_and_of_others_none(bench: Bench, tmp_path: Path) -> None:
    kept = tmp_path / "failed/demo.tar.zst"
    bench.build("echo half >made; chmod 4755 made; exit 1", "x", keep_failed=kept)
    assert f"the folder of the build is kept in {kept}" in bench.log
    listed = subprocess.run(["tar", "--list", "-vf", kept], capture_output=True, text=True, check=True).stdout
    assert "package/made" in listed
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    kept.unlink()
    bench.build("echo half >made", "made", keep_failed=kept)
    bench.build("exit 1", "made")
    assert not kept.exists()


def test_a_command_that_needs_no_package_wants_no_programs_for_packages(bench: Bench, tmp_path: Path) -> None:
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("bwrap", "env", "mount", "prlimit", "setpriv", "sh", "unshare"):
        (folder / name).symlink_to(shutil.which(name) or name)
    sandbox = replace(bench.tools.sandbox, environ={**bench.tools.sandbox.environ, "PATH": str(folder)})
    bench.tools = replace(bench.tools, sandbox=sandbox)
    assert isinstance(bench.build("echo x >x", "x").outcome, Built), bench.log
    result = bench.build("echo x >x", "x", head='needs = ["lib"]\n')
    assert isinstance(result.outcome, Failed)
    assert "makepkg, pacman not installed" in result.outcome.reason
