"""What is built next, and what waits for what."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci_toolkit.model.job import Job, JobState
from ci_toolkit.model.names import Pkgbase
from ci_toolkit.scheduling.queue import Capacity, Needs, Turns, next_turns

if TYPE_CHECKING:
    import random
    from collections.abc import Iterable, Mapping

Graph = dict[Pkgbase, frozenset[Pkgbase]]


def graph(**needs: str) -> Graph:
    return {Pkgbase(name): frozenset(map(Pkgbase, text.split())) for name, text in needs.items()}


def job(
    name: str, number: int, state: JobState = JobState.QUEUED, *, queued_at_s: float = 100.0, **more: object
) -> Job:
    values = {"builder_class": None, "reason": "", "request": "r", "commit": "c", **more}
    return Job(number=number, pkgbase=Pkgbase(name), state=state, queued_at_s=queued_at_s, **values)  # type: ignore[arg-type]  # by name


def jobs(text: str, **states: JobState) -> list[Job]:
    """Jobs of these names, or `name/class`, numbered in that order."""
    found = []
    for number, word in enumerate(text.split(), start=1):
        name, _, builder_class = word.partition("/")
        found.append(job(name, number, states.get(name, JobState.QUEUED), builder_class=builder_class or None))
    return found


def turns(
    listed: Iterable[Job],
    needs: Graph,
    *,
    slots: int = 9,
    classes: Mapping[str, int] | None = None,
    failed: Mapping[str, float] | None = None,
    published: str = "",
) -> Turns:
    failures = {
        Pkgbase(name): job(name, 90, JobState.FAILED, ended_at_s=ended_at_s)
        for name, ended_at_s in (failed or {}).items()
    }
    return next_turns(
        listed,
        Needs(needs),
        failures=failures,
        published=tuple(map(Pkgbase, published.split())),
        places=Capacity(slots=slots, classes=classes or {}, host="here"),
    )


def begun(found: Turns) -> str:
    return " ".join(job.pkgbase for job in found.begun)


def held(found: Turns) -> dict[str, str]:
    """Packages and what they wait for."""
    return {hold.job.pkgbase: hold.waits_for for hold in found.held}


# order


def test_a_chain_is_built_from_its_end_and_the_nearest_reason_is_said() -> None:
    found = turns(jobs("a b c"), graph(a="b", b="c", c=""))
    assert (begun(found), held(found)) == ("c", {"a": "b", "b": "c"})
    assert {hold.reason for hold in found.held} == {
        "needs b, whose job 2 comes first",
        "needs c, whose job 3 comes first",
    }


def test_of_a_diamond_the_middle_is_built_at_once() -> None:
    needs = graph(top="left right", left="base", right="base", base="")
    assert begun(turns(jobs("top left right base"), needs)) == "base"
    assert begun(turns(jobs("top left right"), needs)) == "left right"
    found = turns(jobs("top left right", left=JobState.BUILDING), needs)
    assert (begun(found), held(found)) == ("right", {"top": "left"})
    assert begun(turns(jobs("top"), needs)) == "top"


def test_needs_hold_through_packages_that_are_not_scheduled() -> None:
    needs = graph(a="x", x="y", y="z", z="")
    found = turns(jobs("a z"), needs)
    assert (begun(found), held(found)) == ("z", {"a": "z"})


def test_what_nobody_knows_holds_nobody() -> None:
    assert begun(turns(jobs("a b"), graph(a="glibc", other="a"))) == "a b"


@pytest.mark.parametrize("state", [JobState.QUEUED, JobState.WAITING, JobState.BUILDING])
def test_what_is_not_built_yet_holds_and_what_is_being_published_does_not(state: JobState) -> None:
    assert held(turns(jobs("a b", b=state), graph(a="b"))) == {"a": "b"}
    assert begun(turns(jobs("a b", b=JobState.PUBLISHING), graph(a="b"))) == "a"


def test_one_that_waited_is_begun_when_nothing_holds_it_any_more() -> None:
    assert begun(turns(jobs("a", a=JobState.WAITING), graph(a="b", b=""))) == "a"


def test_a_circle_is_built_by_name_whoever_is_scheduled_first() -> None:
    needs = graph(a="b", b="c", c="a")
    for order in ("a b c", "c b a", "b a c"):
        found = turns(jobs(order), needs)
        assert (begun(found), held(found)) == ("a", {"b": "a", "c": "a"})
    found = turns(jobs("c b"), needs)
    assert (begun(found), held(found)) == ("b", {"c": "b"})


def test_a_circle_waits_for_what_it_needs_and_holds_what_needs_it() -> None:
    needs = graph(zbase="", a="b zbase", b="a", user="b")
    listed = jobs("user b a zbase")
    assert (begun(turns(listed, needs)), held(turns(listed, needs))) == ("zbase", {"user": "b", "b": "a", "a": "zbase"})
    assert held(turns(jobs("user b a"), needs)) == {"user": "b", "b": "a"}


def test_a_package_that_is_in_hand_is_not_begun_twice() -> None:
    old, new = job("a", 1, JobState.BUILDING), job("a", 2)
    assert begun(turns([old, new], graph())) == ""
    assert begun(turns([replace(old, state=JobState.PUBLISHING), new], graph())) == ""
    assert begun(turns([replace(old, state=JobState.QUEUED), new], graph())) == "a"
    assert turns([replace(old, state=JobState.QUEUED), new], graph()).begun[0].number == 1


# failures


def test_a_dependency_that_failed_holds_and_is_named_with_its_job() -> None:
    found = turns(jobs("a"), graph(a="b"), failed={"b": 150.0}, published="b")
    [hold] = found.held
    assert (hold.waits_for, hold.reason) == ("b", "needs b, whose job 90 failed")
    assert begun(found) == ""


def test_one_that_failed_before_holds_nobody_whose_older_version_is_published() -> None:
    assert begun(turns(jobs("a"), graph(a="b"), failed={"b": 50.0}, published="b")) == "a"
    assert held(turns(jobs("a"), graph(a="b"), failed={"b": 50.0}, published="a")) == {"a": "b"}
    assert held(turns(jobs("a"), graph(a="b"), failed={"b": 100.0}, published="b")) == {"a": "b"}


def test_one_that_failed_and_is_tried_again_is_waited_for() -> None:
    [hold] = turns(jobs("a b", b=JobState.BUILDING), graph(a="b"), failed={"b": 150.0}).held
    assert hold.reason == "needs b, whose job 2 comes first"


def test_a_failure_holds_through_others_and_nobody_else() -> None:
    found = turns(jobs("a c"), graph(a="b", b="x", c=""), failed={"x": 150.0})
    assert (held(found), begun(found)) == ({"a": "x"}, "c")


def test_what_a_package_needs_itself_is_named_before_what_that_needs() -> None:
    needs = graph(a="m z", z="b", m="")
    assert held(turns(jobs("a b m"), needs))["a"] == "m"
    assert held(turns(jobs("a b z"), needs))["a"] == "z"
    assert held(turns(jobs("a m"), needs, failed={"z": 150.0}))["a"] == "z"


def test_one_that_failed_in_its_circle_holds_those_after_it_alone() -> None:
    needs = graph(a="b", b="a")
    assert begun(turns(jobs("a"), needs, failed={"b": 150.0})) == "a"
    assert held(turns(jobs("b"), needs, failed={"a": 150.0})) == {"b": "a"}


# slots and classes


def test_slots_are_filled_and_not_more() -> None:
    listed = jobs("a b c d", d=JobState.BUILDING)
    assert begun(turns(listed, graph(), slots=3)) == "a b"
    assert begun(turns(listed, graph(), slots=1)) == ""
    assert set(turns(listed, graph(), slots=1).unplaced.values()) <= {None}


def test_the_longest_chain_comes_first_and_then_the_oldest() -> None:
    needs = graph(d2="d1", d1="deep", s1="wide", s2="wide", s3="wide")
    listed = jobs("alone wide s1 s2 s3 deep d1 d2 last")
    assert begun(turns(listed, needs, slots=4)) == "deep wide alone last"
    assert begun(turns(listed, needs, slots=1)) == "deep"
    # Chains go through packages that are not scheduled, and only scheduled ones count.
    through = graph(c="b", b="a", e2="e1", e1="e")
    assert begun(turns(jobs("e a c e2 e1"), through, slots=1)) == "e"
    assert begun(turns(jobs("e a c"), through, slots=1)) == "a"


@pytest.mark.parametrize(
    ("limits", "running", "waiting", "expected"),
    [
        ({}, "", "5 5 5", 3),
        ({"5": 1}, "", "5 5", 1),
        ({"5": 1}, "5", "5", 0),
        ({"5": 1}, "5", "4 6", 1),
        ({"5": 1}, "6", "5", 0),
        ({"5": 1}, "4 4", "5", 1),
        ({"5": 0}, "", "4 5 6", 1),
        ({"2": 2, "5": 1}, "5", "2 3 5", 1),
        ({"2": 2, "5": 1}, "2", "5 5 2", 1),
        ({"10": 0}, "", "9 10", 1),
        ({"1": 1}, "", "- 1", 1),
        ({"2": 0}, "", "- 1 2", 2),
        ({}, "", "here", 1),
        ({}, "", "there", 0),
        ({"there": 1}, "", "there there", 1),
        ({"there": 1}, "there", "there", 0),
        ({"there": 0}, "", "there", 0),
        ({"here": 0}, "", "here 3", 1),
        ({"1": 0}, "", "here 1", 1),
    ],
    ids=str,
)
def test_classes_limit_how_many_are_built_at_once(
    limits: dict[str, int], running: str, waiting: str, expected: int
) -> None:
    listed = [
        job(f"p{number}", number, state, builder_class=None if word == "-" else word)
        for state, words in ((JobState.BUILDING, running.split()), (JobState.QUEUED, waiting.split()))
        for number, word in enumerate(words, start=1 if state is JobState.BUILDING else 10)
    ]
    found = turns(listed, graph(), classes=limits)
    assert len(found.begun) == expected
    assert len(found.unplaced) == len(waiting.split()) - expected


def test_whoever_gets_no_slot_is_told_why() -> None:
    listed = jobs("a/5 b/5 c/there d/7", a=JobState.BUILDING)
    assert turns(listed, graph(), classes={"5": 1, "7": 0}).unplaced == {
        2: "1 of class 5 or higher are being built, and no more are allowed (CI_CLASS_LIMITS)",
        3: "is for the builder there, and this is here",
        4: "1 of class 5 or higher are being built, and no more are allowed (CI_CLASS_LIMITS)",
    }
    assert turns(jobs("d/7"), graph(), classes={"7": 0}).unplaced == {
        1: "builds of class 7 are not for this machine (CI_CLASS_LIMITS)"
    }


def test_one_without_a_slot_keeps_none_from_another() -> None:
    assert begun(turns(jobs("a/5 b c"), graph(), slots=2, classes={"5": 0})) == "b c"


def test_what_somebody_asked_for_comes_first_with_all_that_it_waits_for() -> None:
    needs = graph(wanted="part", part="piece", s1="usual", s2="s1")
    listed = jobs("usual s1 s2 wanted part piece")
    listed[3] = replace(listed[3], priority=1)
    assert begun(turns(listed, needs, slots=1)) == "piece"
    assert begun(turns(listed, needs, slots=2)) == "piece usual"


def test_a_failure_that_is_being_mended_holds_nobody_any_more() -> None:
    listed = jobs("a lib", lib=JobState.PUBLISHING)
    assert begun(turns(listed, graph(a="lib"), failed={"lib": 300.0})) == "a"


# to the end


def reachable(start: Pkgbase, needs: Graph) -> set[Pkgbase]:
    found: set[Pkgbase] = set()
    waiting = list(needs.get(start, ()))
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += needs.get(name, ())
    return found


def has_to_be_before(one: Pkgbase, other: Pkgbase, needs: Graph) -> bool:
    """By the rule: what is needed, and in a circle whoever comes first by name."""
    is_needed, needs_it = one in reachable(other, needs), other in reachable(one, needs)
    return is_needed and (not needs_it or one < other) and one != other


NAMES = [Pkgbase(name) for name in "abcdefghij"]
EDGES = st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(NAMES)), max_size=25)


@given(EDGES, st.sets(st.sampled_from(NAMES)), st.integers(1, 4), st.randoms(use_true_random=False))
def test_in_any_graph_everything_is_built_once_and_never_before_what_it_needs(
    pairs: list[tuple[Pkgbase, Pkgbase]], scheduled: set[Pkgbase], slots: int, chance: random.Random
) -> None:
    needs: Graph = {}
    for user, other in pairs:
        needs[user] = needs.get(user, frozenset()) | {other}
    numbers = chance.sample(range(100), len(scheduled))
    open_jobs = {name: job(name, number) for name, number in zip(sorted(scheduled), numbers, strict=True)}
    built: list[Pkgbase] = []
    while open_jobs:
        found = turns(open_jobs.values(), needs, slots=slots)
        for one in found.begun:
            assert one.state is not JobState.BUILDING
            assert not any(has_to_be_before(other, one.pkgbase, needs) for other in open_jobs)
            open_jobs[one.pkgbase] = replace(one, state=JobState.BUILDING)
        for hold in found.held:
            assert has_to_be_before(hold.waits_for, hold.job.pkgbase, needs)
            assert hold.waits_for in open_jobs
        running = [one.pkgbase for one in open_jobs.values() if one.state is JobState.BUILDING]
        free = len(open_jobs) - len(running) - len(found.held)
        assert 0 < len(running) <= slots
        assert free == 0 or len(running) == slots
        done = chance.choice(running)
        del open_jobs[done]
        built.append(done)
    assert sorted(built) == sorted(scheduled)


def test_thousands_in_one_chain_are_no_matter() -> None:
    names = [Pkgbase(f"p{1000 - number:04}") for number in range(1000)]
    needs = {name: frozenset(names[number - 1 : number]) for number, name in enumerate(names)}
    found = turns([job(name, number) for number, name in enumerate(names)], needs)
    assert begun(found) == names[0]
    assert len(found.held) == 999
