"""How builds fared over a time: rates, durations, sizes, waiting and use of workers, by package, recipe or worker.

All of it is decided on values alone. What nobody noted is None, and never 0.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from ci_toolkit.model.job import JobState
from ci_toolkit.model.statistics_window import GroupBy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from ci_toolkit.model.job import Job
    from ci_toolkit.model.statistics_window import Window


class JobSample(NamedTuple):
    """What statistics know of a job; `build_s` is how long it was built, None where it was not, or nobody noted it.

    Thousands of these are made at once, so that it is no dataclass.
    """

    package: str
    recipe: str | None
    worker: str | None
    state: JobState
    queued_at_s: float
    started_at_s: float | None
    ended_at_s: float | None
    build_s: float | None
    size_bytes: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """How values are spread; the median is `p50`. A percentile is always one of the values (`percentile`)."""

    count: int
    mean: float
    p50: float
    p95: float
    most: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What there is to say of some jobs in a window.

    `outcomes` counts those that ended in it, by how. `durations` are of builds that ended in it, of whatever outcome,
    `waits` the time from being scheduled to being begun of the same. `sizes` is of what successful builds made, in
    bytes, `sizes_unknown` how many of them nobody noted the size of. `busy_s` is how long slots built in the window,
    also what had not ended then; `slots` is None where nobody knows how many there are.
    """

    outcomes: Mapping[JobState, int]
    durations: Spread | None
    waits: Spread | None
    sizes: Spread | None
    size_bytes: int | None
    sizes_unknown: int
    busy_s: float
    slots: int | None = None
    use: float | None = None

    @property
    def ended(self) -> int:
        """How many jobs came to an end."""
        return sum(self.outcomes.values())

    @property
    def failed(self) -> int:
        """How many of them somebody has to look at."""
        return sum(count for state, count in self.outcomes.items() if state.is_failure)

    @property
    def success_rate(self) -> float | None:
        """The share of good ones among builds that succeeded, failed or timed out; None without any."""
        good = self.outcomes.get(JobState.SUCCEEDED, 0)
        return _share(good, good + self.failed)

    @property
    def cache_hit_rate(self) -> float | None:
        """The share that was found built already, among jobs whose packages are there now; None without any."""
        found = self.outcomes.get(JobState.ALREADY_BUILT, 0)
        return _share(found, found + self.outcomes.get(JobState.SUCCEEDED, 0))


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueFigures:
    """How many jobs waited to be begun: at the end of the window, on average over it, and the most at one time."""

    at_end: int
    mean: float
    most: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildStatistics:
    """All jobs of a window, and the same by group; a group of None are those of which nobody noted it.

    The groups in which most failed come first, of those the ones that take longest.
    """

    window: Window
    by: GroupBy
    total: Figures
    queue: QueueFigures
    groups: tuple[tuple[str | None, Figures], ...]


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest of the values, which are in ascending order, that at least so many percent of them do not exceed.

    That is the nearest rank, without interpolation: a duration that is told is one that was measured.

    >>> percentile([1.0, 2.0, 3.0, 4.0], 50), percentile([1.0, 2.0, 3.0, 4.0], 51)
    (2.0, 3.0)
    """
    return values[max(1, math.ceil(len(values) * percent / 100)) - 1]


def spread(values: Iterable[float]) -> Spread | None:
    """How values are spread, None without any."""
    known = sorted(values)
    if not known:
        return None
    # Rounding must not take the mean out of what there is.
    mean = min(max(math.fsum(known) / len(known), known[0]), known[-1])
    return Spread(count=len(known), mean=mean, p50=percentile(known, 50), p95=percentile(known, 95), most=known[-1])


def sample_of(job: Job) -> JobSample:
    """What statistics know of a job; what an earlier job built is no build of this one."""
    return JobSample(
        package=job.pkgbase,
        recipe=job.recipe,
        worker=job.worker,
        state=job.state,
        queued_at_s=job.queued_at_s,
        started_at_s=job.started_at_s,
        ended_at_s=job.ended_at_s,
        build_s=job.seconds if job.log_of == job.number else None,
        size_bytes=job.size_bytes,
    )


def summarise(
    samples: Iterable[JobSample], window: Window, *, by: GroupBy, slots: Mapping[str | None, int] | None = None
) -> BuildStatistics:
    """The statistics of a window; jobs that have nothing to do with it are passed over.

    `slots` are builds that each worker takes at once, with None for builds that no worker of a farm makes.
    """
    jobs = [sample for sample in samples if _concerns(sample, window)]
    known = slots or {}
    key = _KEYS[by]
    grouped: dict[str | None, list[JobSample]] = {}
    for sample in jobs:
        grouped.setdefault(key(sample), []).append(sample)
    groups = [
        (name, _figures(own, window, slots=known.get(name) if by is GroupBy.WORKER else None))
        for name, own in grouped.items()
    ]
    return BuildStatistics(
        window=window,
        by=by,
        total=_figures(jobs, window, slots=sum(known.values()) if known else None),
        queue=_queue(jobs, window),
        groups=tuple(sorted((group for group in groups if group[1].ended or group[1].busy_s), key=_urgency)),
    )


_KEYS: Mapping[GroupBy, Callable[[JobSample], str | None]] = {
    GroupBy.PACKAGE: lambda sample: sample.package,
    GroupBy.RECIPE: lambda sample: sample.recipe,
    GroupBy.WORKER: lambda sample: sample.worker,
}


def _concerns(sample: JobSample, window: Window) -> bool:
    return sample.queued_at_s < window.end_s and (sample.ended_at_s is None or sample.ended_at_s >= window.begin_s)


def _figures(jobs: Sequence[JobSample], window: Window, *, slots: int | None) -> Figures:
    ended = [job for job in jobs if job.ended_at_s is not None and window.has(job.ended_at_s)]
    built = [job for job in ended if job.build_s is not None]
    good = [job for job in ended if job.state is JobState.SUCCEEDED]
    sizes = [job.size_bytes for job in good if job.size_bytes is not None]
    busy_s = math.fsum(_busy(job, window) for job in jobs)
    return Figures(
        outcomes=dict(sorted(Counter(job.state for job in ended).items(), key=lambda one: _ORDER[one[0]])),
        durations=spread(job.build_s for job in built if job.build_s is not None),
        waits=spread(max(0.0, job.started_at_s - job.queued_at_s) for job in ended if job.started_at_s is not None),
        sizes=spread(sizes),
        size_bytes=sum(sizes) if sizes else None,
        sizes_unknown=len(good) - len(sizes),
        busy_s=busy_s,
        slots=slots,
        use=None if not slots else busy_s / (slots * window.seconds),
    )


_NOT_BUILDING = (JobState.QUEUED, JobState.WAITING, JobState.PUBLISHING)
_ORDER = {state: place for place, state in enumerate(JobState)}


def _busy(job: JobSample, window: Window) -> float:
    """How long a slot was taken in the window.

    A build that was interrupted has no duration, and took its slot until it ended. What a worker built before it was
    lost is not in it, as nobody notes that.
    """
    if job.started_at_s is None:
        return 0.0
    if job.build_s is not None:
        return window.overlap(job.started_at_s, job.started_at_s + job.build_s)
    if job.state.is_good or job.state in _NOT_BUILDING:
        return 0.0
    return window.overlap(job.started_at_s, window.end_s if job.ended_at_s is None else job.ended_at_s)


def _queue(jobs: Iterable[JobSample], window: Window) -> QueueFigures:
    """From when a job was scheduled to when it was begun, or ended without that; one that is queued again waits on."""
    changes: list[tuple[float, int]] = []
    waited_s = []
    at_end = 0
    for job in jobs:
        waits = job.state in (JobState.QUEUED, JobState.WAITING)
        until_s = None if waits else job.started_at_s if job.started_at_s is not None else job.ended_at_s
        left_s = window.end_s if until_s is None else until_s
        begin_s, end_s = max(job.queued_at_s, window.begin_s), min(left_s, window.end_s)
        if end_s > begin_s:
            waited_s.append(end_s - begin_s)
            changes += [(begin_s, 1), (end_s, -1)]
        at_end += until_s is None or until_s >= window.end_s
    length = most = 0
    for _, change in sorted(changes):  # one that leaves goes before one that comes at the same moment
        length += change
        most = max(most, length)
    return QueueFigures(at_end=at_end, mean=math.fsum(waited_s) / window.seconds, most=most)


def _urgency(group: tuple[str | None, Figures]) -> tuple[int, float, str]:
    name, figures = group
    return (-figures.failed, -(figures.durations.mean if figures.durations else 0.0), name or "")


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
