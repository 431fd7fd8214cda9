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
QUEUE_DURATION = Metric(
    name="ci_toolkit_farm_queue_duration_seconds",
    kind="histogram",
    meaning="How long jobs that came to an end had waited from being scheduled to being begun.",
    labels=("repository",),
    buckets=(1, 5, 15, 60, 300, 900, 1_800, 3_600, 7_200, 14_400, 28_800, 86_400),
)
ARTIFACT_SIZE = Metric(
    name="ci_toolkit_farm_artifact_size_bytes",
    kind="histogram",
    meaning="The size of all files that a build made which succeeded.",
    labels=("repository",),
    buckets=tuple(1 << bits for bits in range(14, 34, 2)),
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
REQUESTS = Metric(
    name="ci_toolkit_farm_requests",
    kind="counter",
    meaning="Requests to pages and API, by the description of the path; `unknown` for a path that is none.",
    labels=("route", "method", "status"),
)
REQUEST_DURATION = Metric(
    name="ci_toolkit_farm_request_duration_seconds",
    kind="histogram",
    meaning="Time from a request until its answer begins to be sent, however long it then takes.",
    labels=("route",),
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)
NOTIFICATIONS = Metric(
    name="ci_toolkit_farm_notifications",
    kind="counter",
    meaning="Attempts to send people a message; one that failed or was postponed is made again.",
    labels=("repository", "notifier", "outcome"),
)
NOTIFICATION_DURATION = Metric(
    name="ci_toolkit_farm_notification_duration_seconds",
    kind="histogram",
    meaning="How long attempts to send people a message took.",
    labels=("notifier",),
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120),
)
LAST_CHECKS = Metric(
    name="ci_toolkit_farm_last_checks_timestamp_seconds",
    kind="gauge",
    meaning="When a pipeline last told what upstreams said, in seconds since 1970.",
    labels=("repository", "source"),
)
OPEN_REVIEWS = Metric(
    name="ci_toolkit_farm_open_reviews",
    kind="gauge",
    meaning="Reviews that wait for people, as a pipeline told last.",
    labels=("repository", "source"),
)
REVIEW_CHANGES = Metric(
    name="ci_toolkit_farm_review_changes",
    kind="counter",
    meaning="Reviews that were opened, and that were merged, declined or given up, as pipelines told.",
    labels=("repository", "source", "change"),
)
WORKERS = Metric(
    name="ci_toolkit_farm_workers",
    kind="gauge",
    meaning="Workers by state.",
    labels=("state",),
)
FARM_WORKER_STATE = Metric(
    name="ci_toolkit_farm_worker_state",
    kind="gauge",
    meaning="1 for the state that a worker is in, 0 for every other one.",
    labels=("worker", "state"),
)
FARM_WORKER_TAKING_BUILDS = Metric(
    name="ci_toolkit_farm_worker_taking_builds",
    kind="gauge",
    meaning="1 while a worker is there and takes builds, or would if it had a free slot.",
    labels=("worker",),
)
FARM_WORKER_RUNNING_BUILDS = Metric(
    name="ci_toolkit_farm_worker_running_builds",
    kind="gauge",
    meaning="Builds that a worker has in its slots.",
    labels=("worker",),
)
FARM_WORKER_SLOTS = Metric(
    name="ci_toolkit_farm_worker_slots",
    kind="gauge",
    meaning="Builds that a worker takes at once.",
    labels=("worker",),
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
FARM_INFO = Metric(
    name="ci_toolkit_farm_info",
    kind="gauge",
    meaning="1, with the version of the program that the master runs.",
    labels=("version",),
)
REPOSITORY_FAULT = Metric(
    name="ci_toolkit_farm_repository_fault",
    kind="gauge",
    meaning="1 while nothing is begun or published in a repository.",
    labels=("repository",),
)

WORKER_INFO = Metric(
    name="ci_toolkit_worker_info",
    kind="gauge",
    meaning="1, with the version of the program that a worker runs, and its name.",
    labels=(
        "version",
        "name",
    ),
)
WORKER_CONNECTED = Metric(
    name="ci_toolkit_worker_connected",
    kind="gauge",
    meaning="1 while the worker is logged in at its master.",
)
WORKER_CONNECTION_CHANGED = Metric(
    name="ci_toolkit_worker_connection_changed_timestamp_seconds",
    kind="gauge",
    meaning="When the worker logged in or lost its master last, in seconds since 1970.",
)
WORKER_CONNECTION_LOSSES = Metric(
    name="ci_toolkit_worker_connection_losses",
    kind="counter",
    meaning="How often the worker lost a master that had let it in.",
)
WORKER_RUNNING = Metric(
    name="ci_toolkit_worker_running_builds",
    kind="gauge",
    meaning="Builds that run now.",
)
WORKER_BUILDS = Metric(
    name="ci_toolkit_worker_builds",
    kind="counter",
    meaning="Builds that came to an end, by what the worker itself knows of them.",
    labels=("outcome",),
)
WORKER_DISK_FREE = Metric(
    name="ci_toolkit_worker_disk_free_bytes",
    kind="gauge",
    meaning="What the disk of the worker's folder has room for.",
)
WORKER_DISK_SIZE = Metric(
    name="ci_toolkit_worker_disk_size_bytes",
    kind="gauge",
    meaning="The size of the disk of the worker's folder.",
)
WORKER_LOAD = Metric(
    name="ci_toolkit_worker_load_average",
    kind="gauge",
    meaning="Processes that run or wait for a processor or disk, on average over so many minutes.",
    labels=("minutes",),
)
WORKER_PROCESSORS = Metric(
    name="ci_toolkit_worker_processors",
    kind="gauge",
    meaning="Processors of the machine.",
)
WORKER_MEMORY_AVAILABLE = Metric(
    name="ci_toolkit_worker_memory_available_bytes",
    kind="gauge",
    meaning="Memory that new programs can have without swapping.",
)
WORKER_MEMORY_SIZE = Metric(
    name="ci_toolkit_worker_memory_size_bytes",
    kind="gauge",
    meaning="Memory of the machine.",
)

MASTER_METRICS: tuple[Metric, ...] = (
    BUILDS,
    BUILD_DURATION,
    QUEUE_DURATION,
    ARTIFACT_SIZE,
    LOSSES,
    PUBLICATIONS,
    SUBMISSIONS,
    UPSTREAM_CHECKS,
    LAST_CHECKS,
    OPEN_REVIEWS,
    REVIEW_CHANGES,
    REQUESTS,
    REQUEST_DURATION,
    NOTIFICATIONS,
    NOTIFICATION_DURATION,
    WORKERS,
    FARM_WORKER_STATE,
    FARM_WORKER_TAKING_BUILDS,
    FARM_WORKER_RUNNING_BUILDS,
    FARM_WORKER_SLOTS,
    SLOTS,
    JOBS,
    OLDEST_JOB_AGE,
    REPOSITORY_FAULT,
    FARM_INFO,
)
"""What the master of a farm tells Prometheus, all of it."""

WORKER_METRICS: tuple[Metric, ...] = (
    WORKER_INFO,
    WORKER_CONNECTED,
    WORKER_CONNECTION_CHANGED,
    WORKER_CONNECTION_LOSSES,
    WORKER_RUNNING,
    WORKER_BUILDS,
    WORKER_DISK_FREE,
    WORKER_DISK_SIZE,
    WORKER_LOAD,
    WORKER_PROCESSORS,
    WORKER_MEMORY_AVAILABLE,
    WORKER_MEMORY_SIZE,
)
"""What a worker tells Prometheus, all of it."""
