"""What an owner changes about a build: each way, in its order, by real builds."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ci_toolkit.formats.srcinfo import SrcInfo
from ci_toolkit.model.package_config import parse_bump
from ci_toolkit.recipes.build import Failed, Skipped
from ci_toolkit.recipes.makepkg.interference import bumped_release
from tests.support.builds import EPOCH_S, PACKAGE, built, contents, needs_makepkg, pkgbuild, pkginfo, srcinfo, unpacked

if TYPE_CHECKING:
    from tests.support.builds import Bench
    from tests.support.upstreams import Upstreams

pytestmark = needs_makepkg
PATCH = """--- a/PKGBUILD
+++ b/PKGBUILD
@@ -2,4 +2,5 @@
 pkgver=1.0
 pkgrel=1
-arch=('any')
+arch=(any)
+_patched='by the patch'
 license=('MIT')
"""
SHOW = (
    "package() {\n"
    '  install -Dm644 /dev/stdin "$pkgdir/usr/share/demo" <<<"$pkgdesc|$_patched|$_first|$CFLAGS|$MAKEFLAGS"\n'
    '  install -Dm644 /build/made "$pkgdir/usr/share/made"\n'
    "}\n"
)


def test_everything_at_once_in_its_order(bench: Bench) -> None:
    text = pkgbuild(SHOW, head="CFLAGS='-O2 -march=native -pipe'\ngroups=(base)\nreplaces=(other)\n: ${_first:=nobody}")
    hooks = {
        ".CI/prepare": "touch made; sed -i 's/other/others/' PKGBUILD\n",
        ".CI/interfere.patch": PATCH,
        ".CI/PKGBUILD.prepend": "_first=prepended",
        ".CI/PKGBUILD.append": "pkgdesc='appended'",
        ".CI/on-success.sh": "echo told $CI_BUILD_OUTCOME of $PACKAGE: *.pkg.tar.zst; exit 3\n",
        ".CI/on-failure.sh": "echo not this one\n",
    }
    result = bench.build(text, hooks, config="CI_PACKAGE_BUMP=1.0-1/4\n", packager="A B <a@b.c>", make_flags="-j3")
    (package,) = built(result).packages
    assert package.path.name == "demo-1.0-1.4-any.pkg.tar.zst"
    assert contents(package.path) == ["usr/share/demo", "usr/share/made"]
    assert unpacked(package.path, "usr/share/demo") == "appended|by the patch|prepended|-O2 -pipe|-j3\n"
    info = pkginfo(package.path)
    assert "packager = A B <a@b.c>\n" in info
    assert f"builddate = {EPOCH_S}\n" in info
    assert "group = " not in info
    assert "replaces = " not in info
    assert result.interference == (
        "prepare",
        "interfere.patch",
        "PKGBUILD.prepend",
        "PKGBUILD.append",
        "-march=native removed",
        "CI_PACKAGE_BUMP: pkgrel 1 becomes 1.4",
        "replaces removed: others",
        "groups removed: base",
    )
    assert bench.log.index("told built of demo: demo-1.0-1.4") < bench.log.index("what interfered:")
    assert "not this one" not in bench.log


@pytest.mark.parametrize("config", ["", "BUILDER_ALLOW_PROHIBITED=true\n"])
def test_prohibited_ones_are_kept_where_it_is_allowed(bench: Bench, config: str) -> None:
    sneaky = 'package() {\n  mkdir -p "$pkgdir/usr"; replaces=(glibc); groups=(base); return 0\n}\n'
    (package,) = built(bench.build(pkgbuild(sneaky), config=config)).packages
    told = pkginfo(package.path)
    assert ("replaces = glibc\n" in told, "group = base\n" in told) == (bool(config), bool(config))


def test_a_patch_that_does_not_fit_fails_the_build_and_shows_what(bench: Bench) -> None:
    hooks = {
        ".CI/interfere.patch": PATCH.replace("-arch=('any')", "-arch=('x86_64')"),
        ".CI/on-failure.sh": "echo $CI_BUILD_PHASE",
    }
    outcome = bench.build(pkgbuild(), hooks).outcome
    assert outcome == Failed(phase="interfere", status=1, reason=".CI/interfere.patch failed")
    assert "+_patched='by the patch'" in bench.log
    assert "Making package" not in bench.log


@pytest.mark.parametrize("status", [123, 77])
def test_prepare_skips_on_purpose(bench: Bench, status: int) -> None:
    hooks = {".CI/prepare": 'echo not now; return "$CI_CODE_SKIP"\n', ".CI/on-failure.sh": "echo told of a failure"}
    result = bench.build(pkgbuild(), hooks, skip_status=status)
    assert isinstance(result.outcome, Skipped)
    assert not result.is_failure
    assert "not now" in bench.log
    assert "told of a failure" not in bench.log


def test_prepare_that_fails(bench: Bench) -> None:
    hooks = {".CI/prepare": "false\necho went on\n", ".CI/on-failure.sh": 'echo "$CI_BUILD_OUTCOME $CI_BUILD_STATUS"\n'}
    outcome = bench.build(pkgbuild(), hooks).outcome
    assert outcome == Failed(phase="interfere", status=1, reason=".CI/prepare failed")
    assert "went on" not in bench.log
    assert "failed 1\n" in bench.log


def test_prepare_that_puts_a_link_where_we_read_gets_nothing(bench: Bench) -> None:
    hooks = {".CI/prepare": "ln -sf /etc/shadow PKGBUILD\n"}
    outcome = bench.build(pkgbuild(), hooks).outcome
    assert isinstance(outcome, Failed)
    assert "PKGBUILD" in outcome.reason
    hooks = {".CI/prepare": "mv .CI x; ln -s /etc .CI\n", ".CI/PKGBUILD.append": ""}
    assert isinstance(bench.build(pkgbuild(), hooks).outcome, Failed)


@pytest.mark.parametrize(
    ("bump", "release"),
    [
        ("1:2.0-3/1", "3.1"),
        ("1:2.0-3", "3.1"),
        ("1:2.0/2", "3.2"),
        ("2", "3.2"),
        ("0", None),
        ("2.0-3/1", None),
        ("1:2.0-4/1", None),
        ("1:2.1-3/1", None),
    ],
)
def test_a_bump_holds_for_its_version_alone(bump: str, release: str | None) -> None:
    text = b"pkgbase = a\n\tpkgver = 2.0\n\tpkgrel = 3\n\tepoch = 1\n\npkgname = a\n"
    assert bumped_release(parse_bump(bump), SrcInfo.parse(text, file=".SRCINFO")) == release


def test_a_release_that_is_computed_is_bumped_all_the_same(bench: Bench) -> None:
    text = pkgbuild(head="_rel=2\npkgrel=$_rel")
    (package,) = built(bench.build(text, config="CI_PACKAGE_BUMP=1.0-2/1\n")).packages
    assert package.version == "1.0-2.1"


def remote(url: str, content: bytes, *, kind: str = "sha256") -> str:
    return pkgbuild(head=f"source=(got::{url}/files/demo.txt)\n{kind}sums=({hashlib.new(kind, content).hexdigest()})")


def test_a_source_whose_sum_differs_stops_before_any_code_sees_it(bench: Bench, upstreams: Upstreams) -> None:
    upstreams.files = bench.folder
    (bench.folder / "demo.txt").write_bytes(b"changed")
    outcome = bench.build(remote(upstreams.url, b"expected")).outcome
    assert isinstance(outcome, Failed)
    assert (outcome.phase, "got: its sha256 sum is" in outcome.reason) == ("fetch", True)
    assert "Making package" not in bench.log
    (bench.folder / "demo.txt").unlink()
    outcome = bench.build(remote(upstreams.url, b"expected")).outcome
    assert isinstance(outcome, Failed)
    assert "404" in outcome.reason


def test_sources_are_kept_where_it_is_asked_for(bench: Bench, upstreams: Upstreams) -> None:
    upstreams.files = bench.folder
    (bench.folder / "demo.txt").write_bytes(b"expected")
    # What comes after fetching is of no interest, and so ends at once.
    text = remote(upstreams.url, b"expected") + "prepare() {\n  false\n}\n"
    told = srcinfo(
        f"source = got::{upstreams.url}/files/demo.txt", f"sha256sums = {hashlib.sha256(b'expected').hexdigest()}"
    )

    def fetched(asked: str) -> int:
        """Requests for the source so far, after a build."""
        outcome = bench.build(text, {".SRCINFO": told}, config=f"BUILDER_CACHE_SOURCES={asked}\n").outcome
        assert isinstance(outcome, Failed)
        assert outcome.phase == "prepare"
        return upstreams.count()["file"]

    assert fetched("false") == 1
    assert not (bench.folder / "cache/sources").exists()
    assert fetched("true") == 2
    assert fetched("true") == 2
    (kept,) = (bench.folder / "cache/sources").iterdir()
    kept.write_bytes(b"damaged")
    assert fetched("true") == 3


@pytest.mark.parametrize(
    "source", ["ftp://127.0.0.1/a", "hg+http://127.0.0.1/a", "git+ext::sh://x", "a/../b::http://x/"]
)
def test_sources_that_we_cannot_or_must_not_fetch(bench: Bench, source: str) -> None:
    outcome = bench.build(pkgbuild(head=f"source=('{source}')\nsha256sums=(SKIP)")).outcome
    assert isinstance(outcome, Failed)
    assert outcome.phase in ("evaluate", "fetch")


def test_signatures_that_cannot_be_checked_are_told(bench: Bench) -> None:
    result = bench.build(pkgbuild(PACKAGE, head=f"validpgpkeys=({'A' * 40})"))
    built(result)
    assert result.interference == ("signatures are not checked: there are no keys in keys/pgp/",)


def test_a_srcinfo_of_the_same_version_saves_asking_makepkg(bench: Bench) -> None:
    result = bench.build(pkgbuild(), {".SRCINFO": srcinfo()})
    built(result)
    assert {time.phase: time.seconds < 0.1 for time in result.phases}["evaluate"]


@pytest.mark.parametrize(
    "stale",
    [
        srcinfo("source = http://127.0.0.1:1/gone", "sha256sums = SKIP"),
        srcinfo().replace("pkgname = demo", "pkgname = old"),
    ],
    ids=["another source", "another package"],
)
def test_a_stale_srcinfo_is_found_out_and_not_gone_by(bench: Bench, stale: str) -> None:
    hooks = {".SRCINFO": stale, ".CI/on-failure.sh": "echo told of a failure\n"}
    built(bench.build(pkgbuild(), hooks))
    assert "beginning again" in bench.log
    assert "told of a failure" not in bench.log


def test_a_stale_srcinfo_that_lacks_a_source(bench: Bench, upstreams: Upstreams) -> None:
    upstreams.files = bench.folder
    (bench.folder / "demo.txt").write_bytes(b"expected")
    built(bench.build(remote(upstreams.url, b"expected"), {".SRCINFO": srcinfo()}))
    failing = pkgbuild("build() {\n  false\n}\n" + PACKAGE)
    assert isinstance(bench.build(failing, {".SRCINFO": srcinfo("license = other")}).outcome, Failed)
    assert "beginning again" not in bench.log


def gpg(home: Path, *words: str | Path) -> str:
    command = ["gpg", "--homedir", str(home), "--batch", "--quiet", "--status-fd=1", *map(str, words)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@pytest.mark.skipif(shutil.which("gpg") is None and not os.environ.get("CI"), reason="gpg is not installed")
def test_signatures_are_checked_with_the_keys_of_the_folder(bench: Bench) -> None:
    home = Path(tempfile.mkdtemp(dir="/tmp"))  # a socket's path may not be long
    try:
        made = gpg(home, "--passphrase=", "--quick-generate-key", "A <a@b.c>", "ed25519", "sign", "never")
        fingerprint = made.split()[-1]
        (bench.folder / "data").write_text("signed")
        gpg(home, "--armor", "--detach-sign", bench.folder / "data")
        gpg(home, "--armor", "--output", bench.folder / "key", "--export", fingerprint)
    finally:
        shutil.rmtree(home, ignore_errors=True)
    files = {
        "data": "signed",
        "data.asc": (bench.folder / "data.asc").read_text(),
        f"keys/pgp/{fingerprint}.asc": (bench.folder / "key").read_text(),
    }
    text = pkgbuild(head=f"source=(data data.asc)\nsha256sums=(SKIP SKIP)\nvalidpgpkeys=({fingerprint})")
    assert built(bench.build(text, files))
    assert "data ... Passed" in bench.log
    outcome = bench.build(text, {**files, "data": "changed"}).outcome
    assert isinstance(outcome, Failed)
    assert (outcome.phase, "data ... FAILED" in bench.log) == ("sources", True)
    outcome = bench.build(text.replace(fingerprint, "A" * 40), files).outcome
    assert isinstance(outcome, Failed)
