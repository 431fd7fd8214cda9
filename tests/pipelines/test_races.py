"""The remote moves, refuses or loses an answer while a run is under way."""

from __future__ import annotations

import json
import shutil
import threading
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from ci_toolkit.errors import GitError, HandOverError, LostRaceError, PackagesFailedError
from tests.support.moment import Moment
from tests.support.packages import SamplePackage
from tests.support.world import new_world

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.upstreams import Seen
    from tests.support.world import World

FOO = SamplePackage(name="foo")
BAR = SamplePackage(name="bar")
MAJOR = "curl https://example.org/x | sh"


@pytest.fixture(scope="module")
def two_moved(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Moment]:
    with new_world(tmp_path_factory.mktemp("races")) as world:
        for package in (FOO, BAR):
            world.upstreams.publish(package.name, package.files())
        world.start({**FOO.folder(), **BAR.folder()})
        assert world.run("on-schedule").status == 0
        world.upstreams.publish("foo", replace(FOO, version="1.1").files())
        world.upstreams.publish("bar", replace(BAR, version="1.1", body=MAJOR).files())
        yield Moment(world)


@pytest.fixture
def due(two_moved: Moment) -> World:
    """A minor update of foo and a major one of bar are due."""
    two_moved.return_to()
    return two_moved.world


def before_push(world: World, act: Callable[[], object], times: int = 1) -> None:
    """Do something on the origin just before a push arrives there."""
    left = [times]

    def hook(seen: Seen) -> None:
        if seen.kind == "push" and left[0]:
            left[0] -= 1
            act()

    world.upstreams.on_request = hook


def hook_script(world: World, name: str, text: str) -> None:
    path = world.origin.path / "hooks" / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def test_two_runs_at_once_one_wins_and_nothing_is_doubled(due: World) -> None:
    other = due.folder / "other"
    shutil.copytree(due.work, other)
    both_pushing = threading.Barrier(2, timeout=30)
    pushes: list[int] = []

    def hook(seen: Seen) -> None:
        if seen.kind == "push-advertise":
            pushes.append(1)
            if len(pushes) <= 2:
                both_pushing.wait()

    due.upstreams.on_request = hook
    first = due.spawn("on-schedule", "--json")
    second = due.spawn("on-schedule", "--json", "--repository", str(other))
    outcomes = []
    for child in (first, second):
        stdout, stderr = child.communicate(timeout=60)
        assert child.returncode == 0, stderr
        outcomes.append(json.loads(stdout))
    builds = [[build["package"] for build in outcome["schedule"]["builds"]] for outcome in outcomes]
    assert sorted(builds) == [[], ["foo"]]
    assert due.origin.subjects() == ["chore(update): foo", "feat: start"]
    assert due.origin.git("rev-list", "--count", "main..update-bar") == "1"
    assert due.run("on-schedule", "--json").builds() == []
    assert not [path for path in due.origin.tree("state") if path.startswith(".pending")]


def test_main_moved_and_was_handled_meanwhile_the_run_decides_again_without_asking_again(due: World) -> None:
    def person_pushes_and_on_commit_runs() -> None:
        due.push({"README.md": "x\n"}, "docs: meanwhile")
        due.origin.tag("scheduled", "main")

    before_push(due, person_pushes_and_on_commit_runs)
    result = due.run("on-schedule", "--json")
    assert (result.status, result.builds()) == (0, ["foo"])
    assert due.origin.subjects() == ["chore(update): foo", "docs: meanwhile", "feat: start"]
    assert due.origin.refs()["refs/tags/scheduled"] == due.origin.head()
    assert due.upstreams.count()["dump"] == 1


def test_main_moved_and_its_on_commit_is_still_due_nothing_is_lost(due: World) -> None:
    before_push(due, lambda: due.push({"bar/x": "1\n"}, "fix: meanwhile"))
    result = due.run("on-schedule", "--json")
    assert result.status == 0
    assert result.builds() == []
    assert "on-commit run that is due schedules the updates of this run too" in " ".join(result.json["notes"])
    assert due.run("on-commit", "--json").builds() == ["bar", "foo"]


def test_the_package_disappears_meanwhile(due: World) -> None:
    before_push(due, lambda: due.push({"README.md": "x"}, "chore(drop): foo", remove=["foo"]))
    result = due.run("on-schedule", "--json")
    assert result.status == 0
    assert "foo" not in result.codes()
    assert "foo/PKGBUILD" not in due.origin.tree("main")


def test_a_package_that_appears_meanwhile_stays_due(due: World) -> None:
    new = SamplePackage(name="new")
    before_push(due, lambda: due.push(dict(new.folder()), "feat(add): new"))
    result = due.run("on-schedule", "--json")
    assert result.codes()["new"] == "appeared-meanwhile"


def test_a_remote_that_never_stands_still_is_given_up_with_nothing_changed(due: World) -> None:
    before_push(due, lambda: due.push({"README.md": "x"}, "docs: again"), times=99)
    result = due.run("on-schedule")
    assert result.status == LostRaceError.exit_status
    assert "nothing was changed" in result.stderr
    assert "chore(update): foo" not in due.origin.subjects()
    assert not (due.work / ".ci/schedule-params.txt").exists()


def test_a_lost_answer_to_a_push_is_found_out(due: World) -> None:
    due.upstreams.fail("push", lose_answer=True, times=1)
    result = due.run("on-schedule", "--json")
    assert (result.status, result.builds()) == (0, ["foo"])
    assert due.origin.subjects() == ["chore(update): foo", "feat: start"]


def test_one_refused_review_branch_does_not_hold_up_the_rest(due: World) -> None:
    hook_script(due, "update", 'case "$1" in refs/heads/update-bar) echo "protected" >&2; exit 1;; esac')
    result = due.run("on-schedule", "--json")
    assert result.status == PackagesFailedError.exit_status
    assert result.codes() == {"bar": "push-refused", "foo": "applied"}
    assert due.origin.subjects()[0] == "chore(update): foo"
    (due.origin.path / "hooks/update").unlink()
    assert due.run("on-schedule", "--json").codes() == {"bar": "review-opened", "foo": "unchanged"}


def test_a_refused_default_branch_is_an_error_that_says_why(due: World) -> None:
    hook_script(due, "pre-receive", "echo 'GL-HOOK-ERR: not allowed' >&2; exit 1")
    result = due.run("on-schedule")
    assert result.status == GitError.exit_status
    assert "pre-receive hook declined" in result.stderr
    assert not (due.work / ".ci/schedule-params.txt").exists()


def test_a_review_branch_that_a_person_moves_meanwhile_is_left_alone(due: World) -> None:
    due.run("on-schedule")
    due.upstreams.publish("bar", replace(BAR, version="1.2", body=MAJOR).files())
    before_push(due, lambda: due.push({"bar/PKGBUILD": "mine\n"}, "fix: mine", branch="update-bar"))
    result = due.run("on-schedule", "--json")
    assert result.codes()["bar"] == "review-held"
    assert due.origin.show("update-bar:bar/PKGBUILD") == b"mine\n"


def test_a_hand_over_that_fails_is_repeated_by_the_next_run_whichever_it_is(due: World) -> None:
    blocker = due.work / ".ci/deptree.txt"
    blocker.mkdir()
    result = due.run("on-schedule")
    assert result.status == HandOverError.exit_status
    assert due.origin.subjects()[0] == "chore(update): foo"
    blocker.rmdir()
    again = due.run("on-schedule", "--json")
    assert (again.codes()["foo"], again.builds()) == ("resumed", ["foo"])
    assert "'foo'" in due.artifact("schedule-params.txt")
    assert due.run("on-schedule", "--json").builds() == []


def test_on_commit_repeats_what_on_schedule_could_not_hand_over(due: World) -> None:
    blocker = due.work / ".ci/deptree.txt"
    blocker.mkdir()
    due.run("on-schedule")
    blocker.rmdir()
    due.push({"bar/x": "1\n"})
    assert due.run("on-commit", "--json").builds() == ["bar", "foo"]
    assert due.run("on-schedule", "--json").builds() == []


def test_two_on_commit_runs_at_once_leave_the_tag_at_the_head(due: World) -> None:
    due.push({"foo/x": "1\n"})
    before_push(due, lambda: due.origin.tag("scheduled", "main"))
    assert due.run("on-commit").status == 0
    assert due.origin.refs()["refs/tags/scheduled"] == due.origin.head()
