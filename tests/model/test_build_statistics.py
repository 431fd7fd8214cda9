"""What statistics say of jobs: by hand, and laws that hold for whatever there was."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci_toolkit.errors import RefusedError
from ci_toolkit.model.build_statistics import (
    BuildStatistics,
    Figures,
    JobSample,
    percentile,
    sample_of,
    spread,
    summarise,
)
from ci_toolkit.model.job import Job, JobState
from ci_toolkit.model.names import Pkgbase
from ci_toolkit.model.statistics_window import DAY_S, GroupBy, StatisticsWish, Window, window_of

if TYPE_CHECKING:
    import random

HOUR = Window(begin_s=1_000.0, end_s=4_600.0)


def sample(state: JobState = JobState.SUCCEEDED, **more: Any) -> JobSample:
    """A build of 100 s that was begun 50 s after it was scheduled, in the middle of the hour."""
    values: dict[str, Any] = {
        "package": "a",
        "recipe": "makepkg",
        "worker": "w1",
        "queued_at_s": 2_000.0,
        "started_at_s": 2_050.0,
        "ended_at_s": 2_200.0,
        "build_s": 100.0,
        "size_bytes": 1_000,
    }
    return JobSample(state=state, **{**values, **more})


def found(state: JobState = JobState.ALREADY_BUILT, **more: Any) -> JobSample:
    """A job for which nothing was begun."""
    return sample(state, **{"started_at_s": None, "build_s": None, "worker": None, **more})


def of(
    *samples: JobSample, by: GroupBy = GroupBy.PACKAGE, slots: dict[str | None, int] | None = None
) -> BuildStatistics:
    return summarise(samples, HOUR, by=by, slots=slots)


def group(statistics: BuildStatistics, name: str | None) -> Figures:
    return dict(statistics.groups)[name]


# percentiles


@pytest.mark.parametrize(
    ("values", "percent", "expected"),
    [
        # The example by which the nearest rank is usually explained.
        *[
            ([15, 20, 35, 40, 50], percent, value)
            for percent, value in ((5, 15), (30, 20), (40, 20), (50, 35), (100, 50))
        ],
        ([3, 6, 7, 8, 8, 10, 13, 15, 16, 20], 25, 7),
        ([3, 6, 7, 8, 8, 9, 10, 13, 15, 16, 20], 75, 15),
        (range(1, 101), 95, 95),
        (range(1, 21), 95, 19),
        ([7], 1, 7),
        ([7], 95, 7),
    ],
)
def test_a_percentile_is_the_nearest_rank(values: list[float], percent: float, expected: float) -> None:
    assert percentile(values, percent) == expected


@given(st.lists(st.floats(0, 1e9), min_size=1, max_size=60), st.randoms(use_true_random=False))
def test_a_spread_is_within_what_there_is_and_needs_no_order(values: list[float], chance: random.Random) -> None:
    known = spread(values)
    assert known is not None
    assert min(values) <= known.p50 <= known.p95 <= known.most == max(values)
    assert min(values) <= known.mean <= max(values)
    assert {known.p50, known.p95} <= set(values)
    for percent, value in ((50, known.p50), (95, known.p95)):
        assert sum(one <= value for one in values) >= len(values) * percent / 100
        assert sum(one < value for one in values) < len(values) * percent / 100
    shuffled = list(values)
    chance.shuffle(shuffled)
    assert spread(shuffled) == known


def test_nothing_has_no_spread() -> None:
    assert spread([]) is None


# rates


def test_success_is_a_share_of_what_was_built_alone() -> None:
    told = of(
        *[sample()] * 6,
        sample(JobState.FAILED),
        sample(JobState.TIMED_OUT),
        sample(JobState.SKIPPED),
        *[found(state) for state in (JobState.CANCELLED, JobState.REPLACED, JobState.ALREADY_BUILT)],
    ).total
    assert (told.ended, told.failed) == (12, 2)
    assert told.success_rate == 0.75
    assert told.cache_hit_rate == 1 / 7


def test_without_a_build_there_is_no_rate() -> None:
    told = of(found(JobState.CANCELLED)).total
    assert (told.success_rate, told.cache_hit_rate, told.durations, told.waits) == (None, None, None, None)
    assert of(found()).total.cache_hit_rate == 1.0
    assert of(found()).total.success_rate is None


# the window


def test_what_ended_before_or_after_is_not_counted() -> None:
    told = of(
        sample(ended_at_s=999.9, queued_at_s=0.0, started_at_s=10.0),
        sample(ended_at_s=1_000.0, queued_at_s=0.0, started_at_s=10.0, package="first"),
        sample(ended_at_s=4_599.9, package="last"),
        sample(ended_at_s=4_600.0, package="a", started_at_s=4_550.0),
        sample(JobState.BUILDING, ended_at_s=None, build_s=None, package="b"),
    )
    assert told.total.ended == 2
    # Those that ended outside were built in it nevertheless.
    assert [name for name, _ in told.groups] == ["first", "last", "a", "b"]
    assert group(told, "a").ended == 0
    assert group(told, "a").busy_s == 50.0


@pytest.mark.parametrize(
    ("begin_s", "end_s", "expected"),
    [
        (90 * DAY_S, None, (90 * DAY_S, 100 * DAY_S)),
        (10 * DAY_S, None, (70 * DAY_S, 100 * DAY_S)),
        (90 * DAY_S, 95 * DAY_S, (90 * DAY_S, 95 * DAY_S)),
        (90 * DAY_S, 400 * DAY_S, (90 * DAY_S, 100 * DAY_S)),
    ],
    ids=["until now", "before anything is kept", "both", "later than now"],
)
def test_a_window_is_of_the_time_that_there_are_jobs_of(
    begin_s: float, end_s: float | None, expected: tuple[float, float]
) -> None:
    found = window_of(StatisticsWish(begin_s=begin_s, end_s=end_s), now_s=100 * DAY_S, kept_days=30)
    assert (found.begin_s, found.end_s) == expected


@pytest.mark.parametrize(("begin_s", "end_s"), [(100 * DAY_S, None), (5.0, 5.0), (10.0, 20 * DAY_S), (9.0, 8.0)])
def test_a_time_that_nothing_is_known_of_is_refused(begin_s: float, end_s: float | None) -> None:
    with pytest.raises(RefusedError, match=r"last 30 days \(CI_LOG_DAYS\)"):
        window_of(StatisticsWish(begin_s=begin_s, end_s=end_s), now_s=100 * DAY_S, kept_days=30)


# durations, sizes and waiting


def test_durations_are_of_builds_of_whatever_outcome_and_of_their_own() -> None:
    told = of(sample(build_s=10.0), sample(JobState.FAILED, build_s=30.0), found()).total.durations
    assert told is not None
    assert (told.count, told.mean, told.p50, told.most) == (2, 20.0, 10.0, 30.0)


def test_a_size_that_nobody_noted_is_unknown_and_not_0() -> None:
    told = of(sample(size_bytes=None), sample(size_bytes=300), sample(size_bytes=100), sample(JobState.FAILED))
    assert (told.total.size_bytes, told.total.sizes_unknown) == (400, 1)
    assert told.total.sizes is not None
    assert told.total.sizes.p50 == 100
    old = of(sample(size_bytes=None)).total
    assert (old.size_bytes, old.sizes, old.sizes_unknown) == (None, None, 1)


def test_what_was_found_built_made_nothing() -> None:
    told = of(sample(size_bytes=300), found(size_bytes=300)).total
    assert (told.size_bytes, told.sizes_unknown) == (300, 0)


def test_waiting_is_from_being_scheduled_to_being_begun() -> None:
    waits = of(sample(), sample(started_at_s=2_150.0), found()).total.waits
    assert waits is not None
    assert (waits.count, waits.p50, waits.most) == (2, 50.0, 150.0)
    behind = of(sample(started_at_s=1_999.0)).total.waits  # the clock was set back meanwhile
    assert behind is not None
    assert behind.most == 0.0


# use of workers


def test_use_is_what_slots_built_of_the_time_that_they_had() -> None:
    told = of(
        sample(),
        sample(worker="w2"),
        sample(worker="w2"),
        sample(worker="gone"),
        by=GroupBy.WORKER,
        slots={"w1": 1, "w2": 2},
    )
    assert group(told, "w1").use == pytest.approx(100 / 3_600)
    assert group(told, "w2").use == pytest.approx(200 / 7_200)
    assert (group(told, "gone").use, group(told, "gone").busy_s) == (None, 100.0)
    assert told.total.use == pytest.approx(400 / (3 * 3_600))
    assert of(sample(), by=GroupBy.WORKER).total.use is None
    assert group(of(sample(), slots={"w1": 1}), "a").use is None, "a package has no slots"


@pytest.mark.parametrize(
    ("job", "busy_s"),
    [
        (sample(started_at_s=950.0), 50.0),
        (sample(started_at_s=4_580.0, ended_at_s=5_000.0), 20.0),
        (sample(started_at_s=500.0, build_s=9_999.0, ended_at_s=None, state=JobState.BUILDING), 3_600.0),
        (sample(JobState.BUILDING, build_s=None, ended_at_s=None), 2_550.0),
        (sample(JobState.CANCELLED, build_s=None), 150.0),
        (sample(JobState.PUBLISHING, ended_at_s=None), 100.0),
        (sample(JobState.QUEUED, build_s=None, ended_at_s=None), 0.0),
        (sample(JobState.SUCCEEDED, build_s=None, ended_at_s=3_000.0), 0.0),
        (found(), 0.0),
    ],
    ids=[
        "before",
        "after",
        "throughout",
        "now",
        "interrupted",
        "to be published",
        "queued again",
        "found when begun again",
        "found",
    ],
)
def test_a_slot_is_taken_while_something_is_built(job: JobSample, busy_s: float) -> None:
    assert of(job).total.busy_s == pytest.approx(busy_s)


# the queue


def test_the_length_of_the_queue_follows_from_when_jobs_came_and_left() -> None:
    told = of(
        sample(queued_at_s=1_000.0, started_at_s=1_360.0),
        sample(queued_at_s=0.0, started_at_s=1_720.0),
        found(queued_at_s=1_180.0, ended_at_s=1_360.0),
        found(JobState.WAITING, queued_at_s=4_240.0, ended_at_s=None),
        sample(queued_at_s=4_500.0, started_at_s=4_700.0, ended_at_s=4_800.0),
        found(JobState.QUEUED, queued_at_s=4_600.0, ended_at_s=None),
    ).queue
    assert told.mean == pytest.approx((360 + 720 + 180 + 360 + 100) / 3_600)
    assert (told.most, told.at_end) == (3, 2)


def test_one_that_leaves_as_another_comes_is_not_in_its_way() -> None:
    told = of(sample(queued_at_s=2_000.0, started_at_s=2_050.0), sample(queued_at_s=2_050.0, started_at_s=2_100.0))
    assert told.queue.most == 1


# groups


def test_groups_are_ordered_by_what_needs_somebody() -> None:
    told = of(
        sample(package="quick"),
        sample(package="slow", build_s=900.0),
        sample(JobState.FAILED, package="broken", build_s=1.0),
        *[sample(JobState.TIMED_OUT, package="worse", build_s=1.0)] * 2,
        found(package="found"),
        found(JobState.QUEUED, package="waits", ended_at_s=None),
    )
    assert [name for name, _ in told.groups] == ["worse", "broken", "slow", "quick", "found"]


def test_what_nobody_noted_is_a_group_of_its_own() -> None:
    told = of(sample(recipe=None), sample(recipe="makepkg"), by=GroupBy.RECIPE)
    assert {name for name, _ in told.groups} == {None, "makepkg"}


STATES = st.sampled_from(JobState)
MOMENTS = st.floats(0, 6_000)


@st.composite
def any_sample(draw: st.DrawFn) -> JobSample:
    queued, *later = sorted(draw(st.lists(MOMENTS, min_size=3, max_size=3)))
    state = draw(STATES)
    return sample(
        state,
        package=draw(st.sampled_from("abc")),
        worker=draw(st.sampled_from(["w1", None])),
        queued_at_s=queued,
        started_at_s=draw(st.sampled_from([later[0], None])),
        ended_at_s=later[1] if state.is_over else None,
        build_s=draw(st.sampled_from([None, later[1] - later[0]])),
        size_bytes=draw(st.sampled_from([None, 5])),
    )


@given(st.lists(any_sample(), max_size=30), st.randoms(use_true_random=False), st.sampled_from(GroupBy))
def test_groups_add_up_and_order_does_not_matter(samples: list[JobSample], chance: random.Random, by: GroupBy) -> None:
    told = summarise(samples, HOUR, by=by, slots={"w1": 40})
    figures = [one for _, one in told.groups]
    assert sum(one.ended for one in figures) == told.total.ended
    assert sum(one.busy_s for one in figures) == pytest.approx(told.total.busy_s)
    assert sum(one.size_bytes or 0 for one in figures) == (told.total.size_bytes or 0)
    for one in (told.total, *figures):
        assert all(rate is None or 0 <= rate <= 1 for rate in (one.success_rate, one.cache_hit_rate, one.use))
    assert 0 <= told.queue.mean <= told.queue.most <= len(samples) + 1e-9
    assert told.queue.at_end <= len(samples)
    chance.shuffle(samples)
    assert summarise(samples, HOUR, by=by, slots={"w1": 40}) == told


def test_what_another_job_built_is_no_build_of_this_one() -> None:
    job = Job(
        number=2,
        pkgbase=Pkgbase("a"),
        state=JobState.SUCCEEDED,
        reason="",
        request="r",
        commit="c",
        builder_class=None,
        queued_at_s=1.0,
        phases=(("build", 3.0), ("package", 1.5)),
        log_of=2,
    )
    assert sample_of(job).build_s == 4.5
    assert sample_of(Job(**{**{name: getattr(job, name) for name in job.__slots__}, "log_of": 1})).build_s is None
