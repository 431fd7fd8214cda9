"""What the farm tells Prometheus: what happened since it was started, and how it is at the moment it is asked.

Source of the names and units: prometheus.io/docs/practices/naming.
"""

from __future__ import annotations

import threading
from collections import Counter as Tally
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily

from ci_toolkit.model.job import JobState
from ci_toolkit.model.worker import WorkerState

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from prometheus_client.core import Metric
    from prometheus_client.registry import Collector

    from ci_toolkit.model.job import Job
    from ci_toolkit.model.worker import Worker

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_PREFIX = "ci_toolkit_farm_"
_BUCKETS_S = (10, 30, 60, 120, 300, 600, 1_200, 1_800, 3_600, 7_200, 14_400, 28_800)
_MOST_CHECKS = 200
_OTHER = "other"


class FarmMetrics:
    """Counts what happens; every method may be called by any thread."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._builds = self._counter("builds", "Jobs that came to an end.", "repository", "outcome")
        self._durations = Histogram(
            f"{_PREFIX}build_duration_seconds",
            "How long builds took, of whatever outcome.",
            ("repository",),
            buckets=_BUCKETS_S,
            registry=self.registry,
        )
        self._losses = self._counter("losses", "Builds whose worker was lost.", "repository")
        self._publications = self._counter("publications", "Changes of what is published.", "repository", "outcome")
        self._checks = self._counter(
            "upstream_checks", "Upstreams that pipelines have asked.", "repository", "source", "outcome"
        )
        self._submissions = self._counter("submissions", "Schedules that were handed in.", "outcome")
        self._lock = threading.Lock()
        self._lost: Tally[tuple[str, int]] = Tally()
        self._sources: set[tuple[str, str]] = set()

    def moved(self, repository: str, job: Job) -> None:
        """A job has come into the state that it is in."""
        self._count_losses(repository, job)
        if not job.state.is_over:
            return
        self._builds.labels(repository, job.state.value).inc()
        if job.seconds is not None and job.log_of == job.number:
            self._durations.labels(repository).observe(job.seconds)

    def published(self, repository: str, outcome: str) -> None:
        """What is published was changed, or could not be."""
        self._publications.labels(repository, outcome).inc()

    def checked(self, repository: str, counts: Mapping[str, Mapping[str, int]]) -> None:
        """A pipeline has asked upstreams: how often with which outcome, by kind of source.

        Strangers to this farm choose these words; beyond the first so many of them, all are one.
        """
        for source, outcomes in counts.items():
            for outcome, count in outcomes.items():
                with self._lock:
                    if len(self._sources) < _MOST_CHECKS:
                        self._sources.add((source, outcome))
                    known = (source, outcome) in self._sources
                labels = (source, outcome) if known else (_OTHER, _OTHER)
                self._checks.labels(repository, *labels).inc(count)

    def submitted(self, outcome: str) -> None:
        """A schedule was handed in: it was taken, known, or refused for a reason."""
        self._submissions.labels(outcome).inc()

    def watch(self, collector: Collector) -> None:
        """Ask this, too, whenever somebody wants to know."""
        self.registry.register(collector)

    def text(self) -> bytes:
        """Everything, in the text format of Prometheus."""
        return generate_latest(self.registry)

    def _counter(self, name: str, meaning: str, *labels: str) -> Counter:
        return Counter(f"{_PREFIX}{name}", meaning, labels, registry=self.registry)

    def _count_losses(self, repository: str, job: Job) -> None:
        key = (repository, job.number)
        with self._lock:
            new = job.losses - self._lost[key]
            if job.state.is_over:
                del self._lost[key]
            elif new > 0:
                self._lost[key] = job.losses
        if new > 0:
            self._losses.labels(repository).inc(new)


def worker_metrics(workers: Iterable[Worker]) -> Iterator[Metric]:
    """How many workers there are in each state, and what they have room for."""
    listed = tuple(workers)
    states = Tally(worker.state for worker in listed)
    family = GaugeMetricFamily(f"{_PREFIX}workers", "Workers by state.", labels=["state"])
    for state in WorkerState:
        family.add_metric([state.value], states[state])
    yield family
    family = GaugeMetricFamily(f"{_PREFIX}slots", "Builds that workers take at once.", labels=["state"])
    family.add_metric(["busy"], sum(len(worker.running) for worker in listed))
    family.add_metric(["free"], sum(worker.free for worker in listed))
    yield family


def queue_metrics(counts: Mapping[str, Mapping[JobState, tuple[int, float]]], *, now_s: float) -> Iterator[Metric]:
    """How many jobs wait, and for how long: by repository, how many in each state and since when the oldest."""
    number = GaugeMetricFamily(f"{_PREFIX}jobs", "Jobs that are not over.", labels=["repository", "state"])
    age = GaugeMetricFamily(
        f"{_PREFIX}oldest_job_age_seconds",
        "Time since the oldest of the jobs that are not over was scheduled.",
        labels=["repository", "state"],
    )
    for repository, states in counts.items():
        for state in JobState:
            if not state.is_over:
                count, oldest_s = states.get(state, (0, now_s))
                number.add_metric([repository, state.value], count)
                age.add_metric([repository, state.value], max(0.0, now_s - oldest_s))
    yield number
    yield age


def fault_metrics(repositories: Iterable[str], faults: Mapping[str, str]) -> Iterator[Metric]:
    """Which repositories are at a standstill."""
    family = GaugeMetricFamily(
        f"{_PREFIX}repository_fault", "1 while nothing is begun or published in a repository.", labels=["repository"]
    )
    for repository in repositories:
        family.add_metric([repository], float(repository in faults))
    yield family
