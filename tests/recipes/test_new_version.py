"""A version that an upstream announces becomes a package folder: by real makepkg, from real tags and real downloads."""

from __future__ import annotations

import hashlib
import shutil
from typing import TYPE_CHECKING

import pytest

from tests.support.tools import needs_makepkg

if TYPE_CHECKING:
    from tests.support.world import World

pytestmark = needs_makepkg
OLD, NEW = b"old release\n" * 1000, b"new release\n" * 1200


def pkgbuild(url: str, commit: str, *, more: str = "") -> str:
    return (
        "pkgname=demo\npkgver=1.0\npkgrel=3\n"
        f"_commit={commit}\n"
        "pkgdesc='A sample'\narch=('x86_64')\nlicense=('MIT')\n"
        f'source=("{url}/files/demo-$pkgver.tar.gz"\n'
        f'  "{url}/files/data-1.0.bin"\n'
        "  'local-1.0.patch'\n"
        "  'git+https://example.org/lib.git#commit=0123456789012345678901234567890123456789')\n"
        f"source_x86_64=('{url}/files/blob')\n"
        f"sha256sums=('{hashlib.sha256(OLD).hexdigest()}'\n"
        f"  '{hashlib.sha256(b'data 1.0').hexdigest()}'\n"
        f"  '{hashlib.sha256(b'patch').hexdigest()}'\n"
        "  'SKIP')\n"
        f"b2sums_x86_64=('{hashlib.blake2b(b'same').hexdigest()}')\n"
        f"{more}\n"
        "package() {\n  true\n}\n"
    )


def srcinfo(text: str, url: str) -> str:
    sums = [
        hashlib.sha256(OLD).hexdigest(),
        hashlib.sha256(b"data 1.0").hexdigest(),
        hashlib.sha256(b"patch").hexdigest(),
    ]
    rows = [
        "pkgbase = demo",
        "\tpkgdesc = A sample",
        "\tpkgver = 1.0",
        "\tpkgrel = 3",
        "\tarch = x86_64",
        "\tlicense = MIT",
    ]
    rows += [
        f"\tsource = {url}/files/demo-1.0.tar.gz",
        f"\tsource = {url}/files/data-1.0.bin",
        "\tsource = local-1.0.patch",
    ]
    rows += ["\tsource = git+https://example.org/lib.git#commit=0123456789012345678901234567890123456789"]
    rows += [f"\tsha256sums = {value}" for value in (*sums, "SKIP")]
    rows += [f"\tsource_x86_64 = {url}/files/blob", f"\tb2sums_x86_64 = {hashlib.blake2b(b'same').hexdigest()}"]
    return "\n".join([*rows, "", "pkgname = demo", ""])


@pytest.fixture
def start(world: World) -> World:
    """A package that follows the tags of a project on a GitHub that is on loopback."""
    files = world.folder / "files"
    files.mkdir()
    for name, content in (("demo-1.0.tar.gz", OLD), ("data-1.0.bin", b"data 1.0"), ("blob", b"same")):
        (files / name).write_bytes(content)
    world.upstreams.files = files
    project = world.upstreams.repository("owner/demo")
    first = project.commit({"a": "1"}, "one")
    project.tag("v1.0", first)
    begin(world, pkgbuild(world.upstreams.url, first))
    return world


def begin(world: World, text: str) -> None:
    folder = {
        "demo/PKGBUILD": text,
        "demo/.SRCINFO": srcinfo(text, world.upstreams.url),
        "demo/local-1.0.patch": "patch",
        "demo/.CI/config": "CI_PKGBUILD_SOURCE=github:owner/demo\n",
    }
    world.start(folder, settings={"CI_GITHUB_URL": world.upstreams.url})


def release(world: World) -> str:
    commit = world.upstreams.repository("owner/demo").commit({"a": "2"}, "two")
    world.upstreams.repository("owner/demo").tag("v1.1", commit)
    assert world.upstreams.files is not None
    (world.upstreams.files / "demo-1.1.tar.gz").write_bytes(NEW)
    (world.upstreams.files / "data-1.1.bin").write_bytes(b"data 1.1")
    return commit


def test_a_new_tag_is_applied_with_its_commit_sources_checksums_and_srcinfo(start: World) -> None:
    assert start.run("on-schedule", "--json").codes() == {"demo": "baseline"}
    commit = release(start)
    result = start.run("on-schedule", "--json")
    assert result.codes() == {"demo": "applied"}, result.stdout
    assert result.builds() == ["demo"]
    tree = start.origin.tree("main")
    text, info = tree["demo/PKGBUILD"].decode(), tree["demo/.SRCINFO"].decode()
    assert "pkgver=1.1\npkgrel=1\n" in text
    assert f"_commit={commit}\n" in text
    assert "/files/demo-$pkgver.tar.gz" in text
    assert "/files/data-1.1.bin" in text
    expected = [
        hashlib.sha256(NEW).hexdigest(),
        hashlib.sha256(b"data 1.1").hexdigest(),
        hashlib.sha256(b"patch").hexdigest(),
    ]
    for value in expected:
        assert value in text
        assert f"\tsha256sums = {value}\n" in info
    assert f"\tsource = {start.upstreams.url}/files/demo-1.1.tar.gz\n" in info
    assert info.count("SKIP") == 1
    assert hashlib.blake2b(b"same").hexdigest() in text
    assert start.state("demo")["CI_UPSTREAM_REVISION"] == f"1.1:{commit}"
    downloaded = sorted(seen.path for seen in start.upstreams.seen if seen.kind == "file")
    assert downloaded == ["/files/data-1.1.bin", "/files/demo-1.1.tar.gz"]
    again = start.run("on-schedule", "--json")
    assert again.codes() == {"demo": "unchanged"}
    assert again.builds() == []


def test_a_file_that_is_missing_leaves_the_package_due_with_both_versions(start: World) -> None:
    release(start)
    start.upstreams.fail(lambda seen: seen.path.endswith("demo-1.1.tar.gz"), status=404)
    result = start.run("on-schedule", "--json")
    verdict = result.verdicts()["demo"]
    assert (result.status, verdict["code"], verdict["from"], verdict["to"]) == (5, "unmakeable", "1.0-3", "1.1")
    assert "answers 404" in verdict["why"]
    assert "pkgver=1.0" in start.origin.tree("main")["demo/PKGBUILD"].decode()
    start.upstreams.faults.clear()
    assert start.run("on-schedule", "--json").codes() == {"demo": "applied"}


def test_a_download_that_was_cut_off_goes_on_where_it_stopped(start: World) -> None:
    release(start)
    start.upstreams.fail(lambda seen: seen.path.endswith("demo-1.1.tar.gz"), cut=True, times=1)
    assert start.run("on-schedule", "--json").codes() == {"demo": "applied"}
    assert hashlib.sha256(NEW).hexdigest() in start.origin.tree("main")["demo/PKGBUILD"].decode()


def test_what_was_downloaded_before_is_not_sent_again(start: World) -> None:
    release(start)
    assert start.run("on-schedule", "--json", "--dry-run").codes() == {"demo": "applied"}
    bodies: list[int] = []
    start.upstreams.on_request = lambda seen: bodies.append(1) if seen.kind == "file" else None
    assert start.run("on-schedule", "--json").codes() == {"demo": "applied"}
    assert len(bodies) == 2
    folder = start.folder / "home" / "cache" / "ci-toolkit" / "downloads"
    assert not list(folder.glob("*.part"))


def test_a_computed_version_is_not_guessed_at(world: World) -> None:
    project = world.upstreams.repository("owner/demo")
    first = project.commit({"a": "1"}, "one")
    text = pkgbuild(world.upstreams.url, first).replace("pkgver=1.0\n", "_pkgver=1.0\npkgver=$_pkgver\n")
    world.upstreams.files = world.folder
    begin(world, text)
    release(world)
    verdict = world.run("on-schedule", "--json").verdicts()["demo"]
    assert verdict["code"] == "unmakeable"
    assert "pkgver" in verdict["why"]
    assert "_pkgver" in verdict["why"] + verdict["now"]


def test_a_pkgbuild_that_does_harm_does_none(world: World) -> None:
    """It is evaluated, so it runs; it finds no token, no network, no repository, and what it leaves is not taken."""
    project = world.upstreams.repository("owner/demo")
    first = project.commit({"a": "1"}, "one")
    project.tag("v1.0", first)
    marker = world.folder / "marker"
    harm = f"touch {marker}; echo $ACCESS_TOKEN >>local-1.0.patch; cat {world.folder}/work/.git/config >>local-1.0.patch || :"
    harm += f"; : </dev/tcp/127.0.0.1/{world.upstreams.url.rpartition(':')[2]} && pkgdesc=online || :"
    world.upstreams.files = world.folder
    begin(world, pkgbuild(world.upstreams.url, first, more=harm))
    release(world)
    result = world.run("on-schedule", "--json", ACCESS_TOKEN="canary-8e1f")
    assert result.codes() == {"demo": "applied"}
    assert not marker.exists()
    tree = world.origin.tree("main")
    assert tree["demo/local-1.0.patch"] == b"patch"
    assert b"online" not in tree["demo/.SRCINFO"]
    assert b"canary" not in b"".join(tree.values())


def test_without_makepkg_it_is_said_and_the_package_stays_due(
    start: World, tmp_path_factory: pytest.TempPathFactory
) -> None:
    release(start)
    programs = tmp_path_factory.mktemp("bin")
    for name in ("git", "prlimit", "bwrap", "setpriv", "sh", "env"):
        found = shutil.which(name)
        assert found
        (programs / name).symlink_to(found)
    result = start.run("on-schedule", "--json", PATH=str(programs))
    assert result.verdicts()["demo"]["why"] == "makepkg is not installed here"
    assert result.stderr.count("packages with a new version stay due") == 1
    assert start.run("on-schedule", "--json").codes() == {"demo": "applied"}


def test_a_srcinfo_that_was_wrong_is_put_right_with_the_new_version(start: World) -> None:
    release(start)
    start.push({"demo/.SRCINFO": start.origin.tree("main")["demo/.SRCINFO"].decode().replace("A sample", "Old text")})
    start.origin.tag("scheduled", "main")
    assert start.run("on-schedule", "--json").codes() == {"demo": "applied"}
    assert "pkgdesc = A sample" in start.origin.tree("main")["demo/.SRCINFO"].decode()
