"""The example hooks of a package do what they say, on sample packages and in the sandbox that hooks run in."""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ci_toolkit.effects.process import Processes
from ci_toolkit.effects.redaction import Redactor
from ci_toolkit.effects.sandbox import Program, Sandbox
from ci_toolkit.formats.srcinfo import SrcInfo
from ci_toolkit.model.observation import UpstreamFile
from tests.support.packages import SamplePackage
from tests.support.tools import needs_makepkg

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.support.world import World

HOOKS = Path(__file__).parents[2] / "hooks/package"
SAMPLES = Path(__file__).parents[2] / "sample-pkgbuilds"
SCRIPTS = ("prepare", "update.sh", "on-success.sh", "on-failure.sh", "PKGBUILD.prepend", "PKGBUILD.append")
NOT_SHELLCHECKED = "SC2034,SC2148,SC2154"  # what is put around PKGBUILD is a piece of one

pytestmark = needs_makepkg


def run(script: str, files: Mapping[str, str], **variables: str) -> tuple[str, Mapping[str, UpstreamFile]]:
    """What a script prints in the sandbox, and the folder that it leaves."""
    sandbox = Sandbox(processes=Processes(redactor=Redactor({})), environ=dict(os.environ))
    program = Program(words=("bash", "-euo", "pipefail", "-c", script), network=False, variables=variables)
    before = {path: UpstreamFile(mode="100644", content=text.encode()) for path, text in files.items()}
    done = sandbox.run(program, before)
    return done.completed.stdout.decode(), done.files


def folder(**package: str) -> dict[str, str]:
    """A package folder with every hook."""
    files = {path.removeprefix("foo/"): text for path, text in SamplePackage(name="foo").folder().items()}
    files |= {f".CI/{hook.name}": hook.read_text() for hook in HOOKS.iterdir()}
    return {**files, **package}


@pytest.mark.parametrize("name", SCRIPTS)
def test_they_are_formatted_and_shellcheck_has_nothing_to_say(name: str) -> None:
    beside = Path(sys.executable).parent
    program = shutil.which("shellcheck", path=f"{beside}:{os.environ['PATH']}")
    if program is None and not os.environ.get("CI"):
        pytest.skip("shellcheck is not installed")
    argv = [str(program), "--norc", "--shell=bash", f"--exclude={NOT_SHELLCHECKED}", str(HOOKS / name)]
    checked = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert (checked.returncode, checked.stdout) == (0, "")
    shfmt = subprocess.run(
        [str(beside / "shfmt"), "-d", "-i", "2", str(HOOKS / name)], capture_output=True, text=True, check=False
    )
    assert (shfmt.returncode, shfmt.stdout) == (0, "")


def test_every_example_is_spoken_of() -> None:
    told = (HOOKS.parent / "README.md").read_text()
    for hook in HOOKS.iterdir():
        assert f"`{hook.name}`" in told


def test_prepare_changes_pkgbuild_for_the_build() -> None:
    pkgbuild = SamplePackage(name="foo").pkgbuild() + "groups=('base')\nreplaces=(other)\n"
    printed, left = run("source .CI/prepare; makepkg --printsrcinfo", folder(PKGBUILD=pkgbuild))
    srcinfo = SrcInfo.parse(printed.encode(), file=".SRCINFO")
    assert (srcinfo.pkgbase, srcinfo.base.values("groups"), srcinfo.base.values("replaces")) == ("foo", (), ())
    assert b"groups" not in left["PKGBUILD"].content


@pytest.mark.parametrize(("age_s", "status"), [(60, "77"), (90_000, "0")])
def test_prepare_skips_what_was_built_lately(age_s: int, status: str) -> None:
    known = f'pacman() {{ echo "Build Date      : $(date --date "{age_s} seconds ago")"; }}'
    script = f"{known}; f() {{ source .CI/prepare; }}; s=0; f || s=$?; echo status $s"
    printed, _ = run(script, folder(), CI_CODE_SKIP="77")
    assert printed.split("\n")[-2] == f"status {status}"


def test_what_stands_before_sets_a_switch() -> None:
    switch = 'test "${_docs:=true}" = false || makedepends+=(doxygen)\n'
    pkgbuild = SamplePackage(name="foo", makedepends=("make",)).pkgbuild() + switch
    script = "cat .CI/PKGBUILD.prepend PKGBUILD >all; mv all PKGBUILD; makepkg --printsrcinfo"
    printed, _ = run(script, folder(PKGBUILD=pkgbuild))
    assert SrcInfo.parse(printed.encode(), file=".SRCINFO").base.values("makedepends") == ("make",)


def test_what_is_appended_counts() -> None:
    pkgbuild = SamplePackage(name="foo", makedepends=("make",)).pkgbuild() + "check() {\n  false\n}\n"
    script = "cat .CI/PKGBUILD.append >>PKGBUILD; makepkg --printsrcinfo; source ./PKGBUILD; type check 2>&1 || true"
    printed, _ = run(script, folder(PKGBUILD=pkgbuild))
    srcinfo = SrcInfo.parse(printed[: printed.index("bash:")].encode(), file=".SRCINFO")
    assert srcinfo.base.values("makedepends") == ("make", "git")
    assert srcinfo.base.values("options") == ("!debug",)
    assert "check: not found" in printed


def test_the_patch_applies_to_its_sample(tmp_path: Path) -> None:
    shutil.copytree(SAMPLES / "lsdup", tmp_path / "lsdup")
    subprocess.run(["git", "apply", "-p1", str(HOOKS / "interfere.patch")], cwd=tmp_path / "lsdup", check=True)
    text = (tmp_path / "lsdup/PKGBUILD").read_text()
    assert "'grep')" in text
    printed, _ = run("makepkg --printsrcinfo", {"PKGBUILD": text})
    assert "grep" in SrcInfo.parse(printed.encode(), file=".SRCINFO").base.values("depends")


def test_both_endings_say_what_there_is() -> None:
    files = {**folder(), "foo-1.0-1-any.pkg.tar.zst": "x" * 10, "src/config.log": "no such header\n"}
    printed, _ = run("source .CI/on-success.sh", files)
    assert printed == "built foo-1.0-1-any.pkg.tar.zst (10 bytes)\n"
    printed, _ = run("source .CI/on-failure.sh", files)
    assert printed == "== ./src/config.log\nno such header\n"


def archive(version: str) -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as tar:
        member = tarfile.TarInfo(f"foo-{version}/tool")
        member.size = 4
        tar.addfile(member, io.BytesIO(b"tool"))
    return content.getvalue()


@pytest.mark.parametrize(("newest", "code"), [("1.10", "applied"), ("1.0", "baseline"), ("0.9", "baseline")])
def test_update_sets_version_sums_and_srcinfo(world: World, newest: str, code: str) -> None:
    url = world.upstreams.url
    content = archive(newest)
    served = world.upstreams.root / "downloads"
    served.mkdir(parents=True)
    (served / f"foo-{newest}.tar.gz").write_bytes(content)
    (served / "index.html").write_text(f'<a href="foo-0.2.tar.gz">0.2</a> <a href="foo-{newest}.tar.gz">new</a>')
    world.upstreams.files = served
    sample = SamplePackage(name="foo")
    files = {path: text.replace("https://example.org", f"{url}/files") for path, text in sample.folder().items()}
    hook = (HOOKS / "update.sh").read_text().replace("https://example.org/downloads/", f"{url}/files/index.html")
    files |= {"foo/.CI/config": "CI_PKGBUILD_SOURCE=custom\n", "foo/.CI/update.sh": hook}
    world.start(files)
    result = world.run("on-schedule", "--json")
    assert (result.codes()["foo"], result.status) == (code, 0), result.verdicts()
    if code == "applied":
        tree = world.origin.tree("main")
        srcinfo = SrcInfo.parse(tree["foo/.SRCINFO"], file=".SRCINFO")
        assert srcinfo.version == "1.10-1"
        assert srcinfo.base.values("sha256sums") == (hashlib.sha256(content).hexdigest(),)
        assert f"sha256sums=('{hashlib.sha256(content).hexdigest()}')" in tree["foo/PKGBUILD"].decode()
