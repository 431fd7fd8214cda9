"""When what is queued is going to be built, by what is known."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from ci_toolkit.farm.web.estimates import QueuePlace, queue_places
from ci_toolkit.model.job import Job, JobState
from ci_toolkit.model.names import Oid, Pkgbase
from ci_toolkit.model.worker import Worker, WorkerState
from ci_toolkit.scheduling.queue import Needs

if TYPE_CHECKING:
    from collections.abc import Mapping

NOW_S = 10_000.0


def job(number: int, name: str, state: JobState = JobState.QUEUED, **more: Any) -> Job:
    values: dict[str, Any] = {"reason": "it was scheduled", "builder_class": None, **more}
    return Job(
        number=number,
        pkgbase=Pkgbase(name),
        state=state,
        request="r1",
        commit=Oid("c" * 40),
        queued_at_s=NOW_S - 100,
        **values,
    )


def worker(name: str, state: WorkerState = WorkerState.IDLE, *, builder_class: int = 3, slots: int = 1) -> Worker:
    return Worker(name=name, builder_class=builder_class, slots=slots, state=state, reason="", since_s=0.0)


def places(
    *jobs: Job,
    workers: tuple[Worker, ...] = (worker("w1"),),
    needs: dict[str, str] | None = None,
    took: Mapping[str, tuple[float, ...]] | None = None,
) -> dict[str, QueuePlace]:
    direct = {Pkgbase(one): frozenset(map(Pkgbase, others.split())) for one, others in (needs or {}).items()}
    durations = {Pkgbase(name): times for name, times in (took or {}).items()}
    found = queue_places(
        jobs, Needs(direct), repository="samples", failures={}, workers=workers, durations=durations, now_s=NOW_S
    )
    return {place.job.pkgbase: place for place in found}


def span(place: QueuePlace) -> tuple[float | None, float | None]:
    """Seconds from now."""
    start, end = place.starts_at_s, place.ends_at_s
    return None if start is None else start - NOW_S, None if end is None else end - NOW_S


def test_one_worker_takes_one_after_the_other_by_the_median_of_what_each_took() -> None:
    found = places(job(1, "a"), job(2, "b"), took={"a": (10, 1000, 60), "b": (30,)})
    assert {name: span(place) for name, place in found.items()} == {"a": (0, 60), "b": (60, 90)}
    assert [place.position for place in found.values()] == [1, 2]


def test_slots_and_workers_build_beside_each_other_and_classes_are_kept() -> None:
    took = dict.fromkeys("abc", (60.0,))
    small, large = worker("small", builder_class=1), worker("large", builder_class=5)
    found = places(
        job(1, "a", builder_class="4"), job(2, "b", builder_class="4"), job(3, "c"), workers=(small, large), took=took
    )
    assert {name: span(place) for name, place in found.items()} == {"a": (0, 60), "b": (60, 120), "c": (0, 60)}


def test_what_is_being_built_takes_as_long_as_it_took_before() -> None:
    building = job(1, "a", JobState.BUILDING, started_at_s=NOW_S - 40, worker="w1")
    late = job(3, "late", JobState.BUILDING, started_at_s=NOW_S - 400, worker="w2")
    found = places(
        building,
        job(2, "b"),
        late,
        workers=(worker("w1", WorkerState.BUSY),),
        took=dict.fromkeys(["a", "b", "late"], (60.0,)),
    )
    assert span(found["a"])[1] == 20
    assert span(found["b"]) == (20, 80)
    assert span(found["late"])[1] == 0
    assert (found["a"].position, found["b"].position) == (None, 1)


def test_what_is_built_for_other_repositories_keeps_workers_busy() -> None:
    elsewhere = replace(worker("w1", WorkerState.BUSY), running=(("other", 4),))
    found = places(job(1, "a"), workers=(elsewhere,), took={"a": (60.0,)})
    assert span(found["a"]) == (60, 120)


def test_what_needs_others_waits_for_all_of_them() -> None:
    two = (worker("w1"), worker("w2"))
    found = places(
        job(1, "top", JobState.WAITING, waits_for=Pkgbase("one")),
        job(2, "one"),
        job(3, "two"),
        workers=two,
        needs={"top": "one two"},
        took={"top": (5,), "one": (10,), "two": (100,)},
    )
    assert span(found["top"]) == (100, 105)
    assert [place.position for _, place in sorted(found.items())] == [1, 3, 2]


def test_without_history_nothing_is_said_of_the_end_nor_of_what_waits_for_it() -> None:
    found = places(job(1, "a"), job(2, "b"), job(3, "new"), needs={"b": "new"}, took={"a": (50,), "b": (5,)})
    assert span(found["new"])[1] is None
    assert span(found["b"]) == (None, None)
    assert found["b"].reason == "it was scheduled"


@pytest.mark.parametrize(("wanted", "said"), [("9", "no worker of class 9"), ("large", "no worker is called large")])
def test_what_no_worker_takes_says_so(wanted: str, said: str) -> None:
    found = places(job(1, "a", builder_class=wanted), took={"a": (50,)})
    assert (found["a"].reason, span(found["a"])) == (said, (None, None))


def test_a_worker_that_takes_nothing_now_is_no_promise() -> None:
    found = places(job(1, "a"), workers=(worker("w1", WorkerState.AWAY),), took={"a": (50,)})
    assert (found["a"].reason, span(found["a"])) == ("it was scheduled", (None, None))


def test_what_failed_before_says_nothing_of_when() -> None:
    held = job(1, "a", JobState.WAITING, waits_for=Pkgbase("broken"), reason="needs broken, whose job 0 failed")
    found = places(held, needs={"a": "broken"}, took={"a": (50,)})
    assert (found["a"].reason, span(found["a"])) == ("needs broken, whose job 0 failed", (None, None))
