"""Which worker gets a job, why none does, and who comes first when several repositories want the same."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci_toolkit.model.job import Job, JobState
from ci_toolkit.model.names import Pkgbase
from ci_toolkit.model.worker import Worker, WorkerState
from ci_toolkit.scheduling.placement import FarmPlaces, Wish, fits
from ci_toolkit.scheduling.queue import Place
from tests.support.jobs import COMMIT

IDLE = WorkerState.IDLE


def worker(name: str, class_: int, slots: int = 1, *, state: WorkerState = IDLE, running: int = 0) -> Worker:
    return Worker(
        name=name,
        builder_class=class_,
        slots=slots,
        state=state,
        reason="it said so",
        since_s=0.0,
        running=tuple(("other", number) for number in range(running)),
    )


def job(number: int = 1, class_: str | None = None, *, priority: int = 0, on: str | None = None) -> Job:
    return Job(
        number=number,
        pkgbase=Pkgbase(f"p{number}"),
        state=JobState.QUEUED,
        reason="",
        request="r",
        commit=COMMIT,
        builder_class=class_,
        queued_at_s=0.0,
        priority=priority,
        worker=on,
    )


def places(*workers: Worker, **wishes: tuple[Wish, ...]) -> FarmPlaces:
    return FarmPlaces(workers=workers, repository="own", wishes=wishes)


SMALL, MIDDLE, BIG = worker("small", 1), worker("middle", 5), worker("big", 9)


@pytest.mark.parametrize(
    ("class_", "expected"),
    [(None, "small"), ("1", "small"), ("2", "middle"), ("5", "middle"), ("6", "big"), ("9", "big"), ("big", "big")],
)
def test_a_job_goes_to_the_lowest_class_that_will_do_or_to_the_worker_of_its_name(
    class_: str | None, expected: str
) -> None:
    assert places(SMALL, MIDDLE, BIG).find(job(class_=class_), ()) == Place(worker=expected)


def test_the_one_with_most_free_slots_comes_first() -> None:
    large = worker("large", 3, 4, running=1)
    assert places(worker("a", 3, 2), large).find(job(), ()) == Place(worker="large")
    assert places(worker("a", 3, 4), large).find(job(), ()) == Place(worker="a")


def test_of_as_many_free_slots_the_lowest_class_and_then_the_one_least_in_use_comes_first() -> None:
    half_used, unused = worker("a", 3, 8, running=4), worker("b", 3, 4)
    assert places(half_used, unused).find(job(), ()) == Place(worker="b")
    assert places(half_used, replace(unused, builder_class=9)).find(job(), ()) == Place(worker="a")
    # Half of a large one is more than the whole of a small one.
    assert places(half_used, worker("b", 1, 3)).find(job(), ()) == Place(worker="a")


def test_what_is_begun_in_the_same_decision_takes_a_slot() -> None:
    found = places(worker("a", 1, 2))
    assert found.find(job(3), (job(1, on="a"),)) == Place(worker="a")
    assert found.find(job(3), (job(1, on="a"), job(2, on="a"))) is None
    known = places(replace(worker("a", 1, 2), running=(("own", 1),)))
    assert known.find(job(3), (job(1, on="a"),)) == Place(worker="a")


@pytest.mark.parametrize(
    ("class_", "expected"),
    [
        ("9", "no worker of class 9"),
        ("nobody", "no worker is called nobody"),
        ("5", "of the workers for class 5, middle is away"),
        ("small", None),
    ],
)
def test_whoever_gets_none_is_told_why(class_: str, expected: str | None) -> None:
    away = replace(MIDDLE, state=WorkerState.AWAY)
    assert (
        places(replace(SMALL, running=(("other", 1),), state=WorkerState.BUSY), away).find(job(class_=class_), ())
        == expected
    )


@pytest.mark.parametrize("state", [state for state in WorkerState if not state.takes_builds])
def test_one_that_takes_nothing_gets_nothing(state: WorkerState) -> None:
    assert isinstance(places(worker("a", 1, state=state)).find(job(), ()), str)


def test_of_several_repositories_the_one_that_builds_less_comes_first() -> None:
    wish = (Wish(builder_class=None, priority=0),)
    beside = replace(worker("a", 1, 3), running=(("own", 1), ("own", 2)))
    assert places(beside, other=wish).find(job(3), (job(1, on="a"), job(2, on="a"))) is None
    assert places(beside).find(job(3), (job(1, on="a"), job(2, on="a"))) == Place(worker="a")
    equal = replace(beside, running=(("own", 1), ("other", 7)))
    assert places(equal, other=wish).find(job(3), (job(1, on="a"),)) == Place(worker="a")


def test_of_those_that_build_alike_the_one_whose_turn_is_longer_ago_comes_first() -> None:
    wish = (Wish(builder_class=None, priority=0),)
    assert replace(places(SMALL, other=wish), turns={"own": 2, "other": 1}).find(job(), ()) is None
    assert replace(places(SMALL, other=wish), turns={"own": 2}).find(job(), ()) is None
    later = replace(places(SMALL, other=wish), turns={"own": 1, "other": 2})
    assert later.find(job(), ()) == Place(worker="small")


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2), st.integers(0, 3)), min_size=1, max_size=5))
def test_a_free_slot_is_always_for_one_of_those_that_want_it(drawn: list[tuple[int, int, int]]) -> None:
    names = [f"r{number}" for number in range(len(drawn))]
    running = tuple((name, number) for name, (_, count, _) in zip(names, drawn, strict=True) for number in range(count))
    machine = replace(worker("a", 1, len(running) + 1), running=running)
    turns = {name: turn for name, (_, _, turn) in zip(names, drawn, strict=True)}
    taking = []
    for name, (priority, count, _) in zip(names, drawn, strict=True):
        wishes = {
            other: (Wish(builder_class=None, priority=wished),)
            for other, (wished, _, _) in zip(names, drawn, strict=True)
            if other != name
        }
        found = FarmPlaces(workers=(machine,), repository=name, wishes=wishes, turns=turns).find(
            job(99, priority=priority), [job(number, on="a") for number in range(count)]
        )
        taking += [name] if found is not None else []
    assert taking


def test_what_somebody_asked_for_comes_before_what_pipelines_found_whichever_repository_it_is() -> None:
    urgent, usual = (Wish(builder_class=None, priority=1),), (Wish(builder_class=None, priority=0),)
    assert places(SMALL, other=urgent).find(job(), ()) is None
    assert places(SMALL, other=urgent).find(job(priority=1), ()) == Place(worker="small")
    assert places(worker("a", 1, 2, running=0), other=usual).find(job(priority=1), (job(9, on="b"),)) is not None


def test_a_wish_for_another_machine_is_nobodys_business() -> None:
    wish = (Wish(builder_class="9", priority=5),)
    assert places(SMALL, other=wish).find(job(), ()) == Place(worker="small")


@given(
    st.lists(
        st.tuples(st.integers(1, 9), st.integers(1, 4), st.integers(0, 4), st.sampled_from(WorkerState)), max_size=6
    ),
    st.one_of(st.none(), st.integers(1, 9).map(str), st.sampled_from(["w0", "w3", "nobody"])),
)
def test_a_place_is_always_on_a_worker_that_fits_takes_builds_and_has_a_slot(
    drawn: list[tuple[int, int, int, WorkerState]], class_: str | None
) -> None:
    workers = [
        worker(f"w{number}", builder_class, slots, state=state, running=running)
        for number, (builder_class, slots, running, state) in enumerate(drawn)
    ]
    found = places(*workers).find(job(class_=class_), ())
    able = [one for one in workers if fits(one, class_) and one.free > 0]
    if isinstance(found, Place):
        chosen = next(one for one in workers if one.name == found.worker)
        assert chosen in able
        assert chosen.free == max(one.free for one in able)
    else:
        assert not able
