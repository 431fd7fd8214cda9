"""Every metric of a farm: whatever exposes, draws or watches one takes its name from here.

Source of the names and units: prometheus.io/docs/practices/naming.
"""

from __future__ import annotations

from ci_toolkit.model.metric import Metric

BUILDS = Metric(
    name="ci_toolkit_farm_builds",
    kind="counter",
    meaning="Jobs that came to an end.",
    labels=("repository", "outcome"),
)
BUILD_DURATION = Metric(
    name="ci_toolkit_farm_build_duration_seconds",
    kind="histogram",
    meaning="How long builds took, of whatever outcome.",
    labels=("repository",),
    buckets=(10, 30, 60, 120, 300, 600, 1_200, 1_800, 3_600, 7_200, 14_400, 28_800),
)
LOSSES = Metric(
    name="ci_toolkit_farm_losses",
    kind="counter",
    meaning="Builds whose worker was lost.",
    labels=("repository",),
)
PUBLICATIONS = Metric(
    name="ci_toolkit_farm_publications",
    kind="counter",
    meaning="Changes of what is published.",
    labels=("repository", "outcome"),
)
SUBMISSIONS = Metric(
    name="ci_toolkit_farm_submissions",
    kind="counter",
    meaning="Schedules that were handed in.",
    labels=("outcome",),
)
UPSTREAM_CHECKS = Metric(
    name="ci_toolkit_farm_upstream_checks",
    kind="counter",
    meaning="Upstreams that pipelines have asked.",
    labels=("repository", "source", "outcome"),
)
WORKERS = Metric(
    name="ci_toolkit_farm_workers",
    kind="gauge",
    meaning="Workers by state.",
    labels=("state",),
)
SLOTS = Metric(
    name="ci_toolkit_farm_slots",
    kind="gauge",
    meaning="Builds that workers take at once.",
    labels=("state",),
)
JOBS = Metric(
    name="ci_toolkit_farm_jobs",
    kind="gauge",
    meaning="Jobs that are not over.",
    labels=("repository", "state"),
)
OLDEST_JOB_AGE = Metric(
    name="ci_toolkit_farm_oldest_job_age_seconds",
    kind="gauge",
    meaning="Time since the oldest of the jobs that are not over was scheduled.",
    labels=("repository", "state"),
)
REPOSITORY_FAULT = Metric(
    name="ci_toolkit_farm_repository_fault",
    kind="gauge",
    meaning="1 while nothing is begun or published in a repository.",
    labels=("repository",),
)

MASTER_METRICS: tuple[Metric, ...] = (
    BUILDS,
    BUILD_DURATION,
    LOSSES,
    PUBLICATIONS,
    SUBMISSIONS,
    UPSTREAM_CHECKS,
    WORKERS,
    SLOTS,
    JOBS,
    OLDEST_JOB_AGE,
    REPOSITORY_FAULT,
)
"""What the master of a farm tells Prometheus, all of it."""

WORKER_METRICS: tuple[Metric, ...] = ()
"""What a worker tells Prometheus, all of it."""
