"""What the farm tells Prometheus: what happened since it was started, and how it is at the moment it is asked."""

from __future__ import annotations

import threading
from collections import Counter as Tally
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry

from ci_toolkit import __version__
from ci_toolkit.announcing.sendings import SendOutcome
from ci_toolkit.farm.exposition import counter, exposed, gauge, histogram
from ci_toolkit.model import farm_metrics as catalogue
from ci_toolkit.model.job import JobState
from ci_toolkit.model.worker import WorkerState

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from prometheus_client.core import Metric
    from prometheus_client.registry import Collector

    from ci_toolkit.announcing.sendings import Sending
    from ci_toolkit.farm.pipeline_book import ToldLast
    from ci_toolkit.model.job import Job
    from ci_toolkit.model.worker import Worker

_MOST_CHECKS = 200
_OTHER = "other"
_SUBMISSIONS = ("taken", "known", "denied", "malformed", "too large", "failed")


class FarmMetrics:
    """Counts what happens; every method may be called by any thread."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._builds = counter(catalogue.BUILDS, self.registry)
        self._durations = histogram(catalogue.BUILD_DURATION, self.registry)
        self._waits = histogram(catalogue.QUEUE_DURATION, self.registry)
        self._sizes = histogram(catalogue.ARTIFACT_SIZE, self.registry)
        self._losses = counter(catalogue.LOSSES, self.registry)
        self._publications = counter(catalogue.PUBLICATIONS, self.registry)
        self._checks = counter(catalogue.UPSTREAM_CHECKS, self.registry)
        self._submissions = counter(catalogue.SUBMISSIONS, self.registry)
        for outcome in _SUBMISSIONS:
            self._submissions.labels(outcome)
        self._review_changes = counter(catalogue.REVIEW_CHANGES, self.registry)
        self._requests = counter(catalogue.REQUESTS, self.registry)
        self._request_durations = histogram(catalogue.REQUEST_DURATION, self.registry)
        self._notifications = counter(catalogue.NOTIFICATIONS, self.registry)
        self._notification_durations = histogram(catalogue.NOTIFICATION_DURATION, self.registry)
        self._lock = threading.Lock()
        self._lost: Tally[tuple[str, int]] = Tally()
        self._sources: set[tuple[str, str]] = set()

    def begin(self, repository: str, notifiers: Iterable[str]) -> None:
        """Tell of a repository before anything happens in it.

        Prometheus sees no rise in a series that begins with 1, so that the first failure would go unnoticed.
        """
        for state in JobState:
            if state.is_over:
                self._builds.labels(repository, state.value)
        for outcome in ("published", "failed", "refused"):
            self._publications.labels(repository, outcome)
        self._losses.labels(repository)
        for values in (self._durations, self._waits, self._sizes):
            values.labels(repository)
        for notifier in notifiers:
            for sent in SendOutcome:
                self._notifications.labels(repository, notifier, sent.value)

    def moved(self, repository: str, job: Job) -> None:
        """A job has come into the state that it is in."""
        self._count_losses(repository, job)
        if not job.state.is_over:
            return
        self._builds.labels(repository, job.state.value).inc()
        if job.seconds is not None and job.log_of == job.number:
            self._durations.labels(repository).observe(job.seconds)
        if job.started_at_s is not None:
            self._waits.labels(repository).observe(max(0.0, job.started_at_s - job.queued_at_s))
        if job.state is JobState.SUCCEEDED and job.size_bytes is not None:
            self._sizes.labels(repository).observe(job.size_bytes)

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
                labels = (source, outcome.replace(" ", "_")) if known else (_OTHER, _OTHER)
                self._checks.labels(repository, *labels).inc(count)

    def reviewed(self, repository: str, source: str, *, opened: int, closed: int) -> None:
        """A pipeline has told how many reviews there are: so many are new, and so many are gone."""
        self._review_changes.labels(repository, source, "opened").inc(opened)
        self._review_changes.labels(repository, source, "closed").inc(closed)

    def answered(self, route: str, method: str, status: int, seconds: float) -> None:
        """A request was answered; the caller sees to it that route and method are words of ours."""
        self._requests.labels(route, method, str(status)).inc()
        self._request_durations.labels(route).observe(seconds)

    def refused_unread(self, route: str, method: str, status: int) -> None:
        """A request was answered as soon as its headers were there."""
        self._requests.labels(route, method, str(status)).inc()

    def notified(self, repository: str, sending: Sending) -> None:
        """Somebody was told of builds, or could not be."""
        self._notifications.labels(repository, sending.recipient, sending.outcome.value).inc()
        self._notification_durations.labels(sending.recipient).observe(sending.seconds)

    def submitted(self, outcome: str) -> None:
        """A schedule was handed in: it was taken, known, or refused for a reason."""
        self._submissions.labels(outcome).inc()

    def watch(self, collector: Collector) -> None:
        """Ask this, too, whenever somebody wants to know."""
        self.registry.register(collector)

    def text(self) -> bytes:
        """Everything, in the text format of Prometheus."""
        return exposed(self.registry)

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
    family = gauge(catalogue.WORKERS)
    for state in WorkerState:
        family.add_metric([state.value], states[state])
    yield family
    yield from _each_worker(listed)
    family = gauge(catalogue.SLOTS)
    family.add_metric(["busy"], sum(len(worker.running) for worker in listed))
    family.add_metric(["free"], sum(worker.free for worker in listed))
    yield family


def _each_worker(workers: Iterable[Worker]) -> Iterator[Metric]:
    state, takes = gauge(catalogue.FARM_WORKER_STATE), gauge(catalogue.FARM_WORKER_TAKING_BUILDS)
    builds, slots = gauge(catalogue.FARM_WORKER_RUNNING_BUILDS), gauge(catalogue.FARM_WORKER_SLOTS)
    for worker in workers:
        for one in WorkerState:
            state.add_metric([worker.name, one.value], float(worker.state is one))
        takes.add_metric([worker.name], float(worker.state.takes_builds))
        builds.add_metric([worker.name], len(worker.running))
        slots.add_metric([worker.name], worker.slots)
    yield from (state, takes, builds, slots)


def queue_metrics(counts: Mapping[str, Mapping[JobState, tuple[int, float]]], *, now_s: float) -> Iterator[Metric]:
    """How many jobs wait, and for how long: by repository, how many in each state and since when the oldest."""
    number = gauge(catalogue.JOBS)
    age = gauge(catalogue.OLDEST_JOB_AGE)
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
    family = gauge(catalogue.REPOSITORY_FAULT)
    for repository in repositories:
        family.add_metric([repository], float(repository in faults))
    yield family


def pipeline_metrics(told: Mapping[tuple[str, str], ToldLast]) -> Iterator[Metric]:
    """What pipelines told last, and when, by published repository and package repository."""
    at, reviews = gauge(catalogue.LAST_CHECKS), gauge(catalogue.OPEN_REVIEWS)
    for labels, last in told.items():
        at.add_metric(labels, last.at_s)
        if last.open_reviews is not None:
            reviews.add_metric(labels, last.open_reviews)
    yield from (at, reviews)


def info_metrics() -> Iterator[Metric]:
    """What runs here."""
    family = gauge(catalogue.FARM_INFO)
    family.add_metric([__version__], 1)
    yield family
