"""`ci-toolkit build`: the sample packages, in order, with what they need of each other."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ci_toolkit.effects.base_root import HostRoot
from tests.support.builds import PACKAGE, needs_makepkg, pkgbuild
from tests.support.packages import SamplePackage
from tests.support.running import left_behind
from tests.support.samples import lay_out
from tests.support.world import new_world

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.world import Result, World

pytestmark = needs_makepkg
CHAIN = {
    "libtally": (),
    "tally": ("libtally",),
    "tally-report": ("libtally", "tally"),
}
ALONE = ("hexpeek-git", "ini-diff", "keyval", "leap-table", "lsdup", "palettes-1.0", "pw-words", "spool-clean")


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """All of them; what is built comes to lie beside each other in `out`."""
    with new_world(tmp_path_factory.mktemp("samples")) as world:
        world.start(lay_out(world.upstreams))
        yield world


def build(world: World, package: str, *needed: Path, **variables: str) -> Result:
    options = ["--with", *map(str, needed)] if needed else []
    return world.run("build", package, "--json", "--out", "../out", *options, **variables)


def files(world: World, name: str) -> list[Path]:
    return sorted((world.folder / "out").glob(f"{name}-[0-9]*.pkg.tar.zst"))


def test_a_chain_is_built_in_order_each_with_what_it_needs(samples: World) -> None:
    for name, needs in CHAIN.items():
        result = build(samples, name, *(file for need in needs for file in files(samples, need)))
        assert result.status == 0, result.stderr
        assert result.json["outcome"] == "built"
        assert [row["file"] for row in result.json["packages"]] == [str(path) for path in files(samples, name)]
        assert result.json["root"] == HostRoot().identity()
        assert result.json["installed"].keys() == set(needs)
    refused = build(samples, "tally-report", *files(samples, "tally"))
    assert (refused.status, refused.json["phase"]) == (5, "dependencies")
    assert "libtally" in refused.json["reason"]
    assert [path.name for path in files(samples, "tally")] == ["tally-1.1.0-2.1-x86_64.pkg.tar.zst"]


@pytest.mark.parametrize("name", [*ALONE, "libring++"])
def test_a_sample_that_needs_no_other(samples: World, name: str) -> None:
    result = build(samples, name)
    assert result.status == 0, result.stderr
    assert {row["name"] for row in result.json["packages"]} >= {name}


def test_a_failure_has_its_status_and_secrets_stay_hidden(world: World) -> None:
    package = SamplePackage(name="demo")
    text = package.pkgbuild().replace("source=(", "source=() #").replace("sha256sums=(", "sha256sums=() #")
    failing = text.replace("package() {", "package() {\n  echo canary-77aa12; false")
    world.start({"demo/PKGBUILD": failing, "demo/.CI/config": "CI_PKGBUILD_SOURCE=custom\n"})
    result = world.run("build", "demo", "--out", "../out", ACCESS_TOKEN="canary-77aa12")
    assert result.status == 5
    assert "failed in phase package: makepkg failed (status 4)" in result.stdout
    assert "[hidden]" in result.stderr
    assert "canary" not in result.stderr + (world.folder / "out/demo.log").read_text()


def test_what_is_no_package_and_what_is_no_file(world: World) -> None:
    world.start({"demo/PKGBUILD": SamplePackage(name="demo").pkgbuild()})
    assert world.run("build", "dem").status == 7
    assert "'dem'" in world.run("build", "dem").stderr
    missing = world.run("build", "demo", "--with", "no-such.pkg.tar.zst")
    assert (missing.status, "no-such.pkg.tar.zst" in missing.stderr) == (7, True)


def test_without_the_tools_it_is_said_what_to_install(world: World, tmp_path: Path) -> None:
    world.start({"demo/PKGBUILD": SamplePackage(name="demo").pkgbuild()})
    (tmp_path / "empty").mkdir()
    result = world.run("build", str(world.work / "demo"), PATH=str(tmp_path / "empty"))
    assert result.status == 16
    assert "bwrap" in result.stderr
    assert "apt install" in result.stderr


def test_a_build_that_is_killed_leaves_no_process_and_the_next_one_removes_its_folder(world: World) -> None:
    text = pkgbuild("build() {\n  echo begun; exec -a ci-toolkit-test-killed sleep 300\n}\n" + PACKAGE)
    world.start({"demo/PKGBUILD": text, "other/PKGBUILD": pkgbuild(name="other")})
    folders = set(Path("/var/tmp").glob("ci-toolkit-build-*"))
    running = world.spawn("build", "demo", TMPDIR="/var/tmp")
    assert running.stderr
    while "begun" not in running.stderr.readline():
        assert running.poll() is None
    (folder,) = (path for path in Path("/var/tmp").glob("ci-toolkit-build-*") if holds(path) and path not in folders)
    running.kill()
    running.communicate()
    os.utime(folder, (1, 1))
    assert world.run("build", "other", TMPDIR="/var/tmp").status == 0
    assert not folder.exists()
    assert not left_behind("ci-toolkit-test-killed")


def holds(folder: Path) -> bool:
    try:
        return "ci-toolkit-test-killed" in (folder / "package/PKGBUILD").read_text()
    except OSError:  # another test's, which is gone by now
        return False
