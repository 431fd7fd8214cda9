"""A commit that a source is pinned to has to be one of the repository's own, not of somebody's fork."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.support.world import World

FORK = "f" * 40


def folder(url: str, version: str, commit: str) -> dict[str, str]:
    pkgbuild = (
        f"pkgname=foo\npkgver={version}\npkgrel=1\n_commit={commit}\narch=(any)\n"
        f"source=(git+{url}/projects/foo.git#commit=$_commit)\nsha256sums=(SKIP)\npackage() {{\n  :\n}}\n"
    )
    srcinfo = (
        f"pkgbase = foo\n\tpkgver = {version}\n\tpkgrel = 1\n\tarch = any\n"
        f"\tsource = git+{url}/projects/foo.git#commit={commit}\n\tsha256sums = SKIP\n\npkgname = foo\n"
    )
    return {"PKGBUILD": pkgbuild, ".SRCINFO": srcinfo}


@pytest.fixture
def pinned(world: World) -> World:
    """An AUR package that is pinned to the commit of a tag, which has moved on."""
    (world.upstreams.root / "projects").mkdir()
    project = world.upstreams.repository("projects/foo")
    first = project.commit({"a": "1"})
    project.tag("v1", first)
    files = folder(world.upstreams.url, "1.0", first)
    world.upstreams.publish("foo", files)
    world.start({**{f"foo/{name}": text for name, text in files.items()}, "foo/.CI/config": "CI_PKGBUILD_SOURCE=aur\n"})
    assert world.run("on-schedule", "--json").codes() == {"foo": "baseline"}
    project.tag("v2", project.commit({"a": "2"}))
    project.commit({"a": "3"})
    return world


def test_the_commit_of_a_tag_is_taken(pinned: World) -> None:
    commit = pinned.upstreams.repository("projects/foo").git("rev-parse", "v2").strip()
    pinned.upstreams.publish("foo", folder(pinned.upstreams.url, "1.1", commit))
    assert pinned.run("on-schedule", "--json").codes() == {"foo": "applied"}


def test_the_commit_of_a_fork_is_reviewed(pinned: World) -> None:
    pinned.upstreams.publish("foo", folder(pinned.upstreams.url, "1.1", FORK))
    verdict = pinned.run("on-schedule", "--json").verdicts()["foo"]
    assert verdict["code"] == "review-opened"
    assert "not known to belong" in verdict["why"]


def test_a_repository_that_cannot_be_asked_makes_it_a_review(pinned: World) -> None:
    commit = pinned.upstreams.repository("projects/foo").git("rev-parse", "v2").strip()
    pinned.upstreams.publish("foo", folder(pinned.upstreams.url, "1.1", commit))
    pinned.upstreams.fail(lambda seen: seen.path.startswith("/projects"), status=404)
    verdict = pinned.run("on-schedule", "--json").verdicts()["foo"]
    assert verdict["code"] == "review-opened"
    assert "answers 404" in verdict["why"]
