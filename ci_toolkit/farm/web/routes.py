"""Every route of the web side."""

from __future__ import annotations

from ci_toolkit.farm.web import consumers, health, pages, reading, statistics, writing
from ci_toolkit.farm.web.access import Access
from ci_toolkit.farm.web.intake import MOST_BYTES
from ci_toolkit.farm.web.route import PAGE_TYPE, TEXT_TYPE, Body, Outcome, Parameter, Route
from ci_toolkit.farm.web.schemas import FLAG, GROUP_BY, REVIEWS, STATE, WHOLE, items, named, record

# A type of its own, by which it is known before anything of a body is read that it may be long.
SCHEDULE_TYPE = "application/vnd.ci-toolkit.schedule+json"

_FROM = Parameter(name="from", meaning="The first byte that is wanted, counted from 0.", schema=WHOLE)
_FOLLOW = Parameter(name="follow", meaning="Send the log as it grows, until the job is over.", schema=FLAG)
_REASON = Body(schema=named("Reason"))


def _json(name: str, meaning: str) -> Outcome:
    return Outcome(meaning=meaning, schema=named(name))


def _page(rule: str, view: object, summary: str) -> Route:
    outcomes = {200: Outcome(meaning="A page for people.", content_type=PAGE_TYPE)}
    return Route(method="GET", rule=rule, view=view, summary=summary, access=Access.READ, outcomes=outcomes)  # type: ignore[arg-type]  # a view of pages


_REPOSITORY = "/api/repositories/<repository>"
_JOB = f"{_REPOSITORY}/jobs/<int:number>"

API_ROUTES: tuple[Route, ...] = (
    Route(
        method="GET",
        rule="/api/repositories",
        view=reading.repositories,
        summary="What the farm publishes.",
        access=Access.READ,
        outcomes={200: Outcome(meaning="All of them.", schema=record(repositories=items(named("Repository"))))},
    ),
    Route(
        method="POST",
        rule=f"{_REPOSITORY}/schedules",
        view=writing.submit,
        summary="Hand a schedule in. The same one again, by its request, builds nothing twice.",
        access=Access.WRITE,
        parameters=(Parameter(name="source", meaning="The package repository that it comes from.", required=True),),
        body=Body(
            content_type=SCHEDULE_TYPE,
            most_bytes=MOST_BYTES,
            schema={"type": "object", "required": ["form", "request", "commit", "at", "builds", "deptree", "folders"]},
            meaning="A schedule as `.ci/schedule.json` has it; Content-Encoding may be gzip or zstd.",
        ),
        outcomes={
            200: _json("Submission", "It had been taken before."),
            201: _json("Submission", "It is taken, and on disk."),
        },
    ),
    Route(
        method="GET",
        rule=f"{_REPOSITORY}/jobs",
        view=reading.jobs,
        summary="Jobs, oldest first.",
        access=Access.READ,
        parameters=(
            Parameter(name="package", meaning="Only jobs of these packages.", many=True),
            Parameter(name="state", meaning="Only jobs in these states.", many=True, schema=STATE),
            Parameter(name="number", meaning="Only these jobs.", many=True, schema=WHOLE),
            Parameter(name="newest", meaning="Only the last job of each package.", schema=FLAG),
        ),
        outcomes={200: _json("Jobs", "Those that are meant.")},
    ),
    Route(
        method="GET",
        rule=_JOB,
        view=reading.job,
        summary="A job, and how it came to be where it is.",
        access=Access.READ,
        outcomes={200: _json("JobWithSteps", "The job.")},
    ),
    Route(
        method="POST",
        rule=f"{_JOB}/cancel",
        view=writing.cancel,
        summary="End a job: one that waits at once, one that is built soon.",
        access=Access.WRITE,
        body=_REASON,
        outcomes={200: _json("Done", "It ends.")},
    ),
    Route(
        method="POST",
        rule=f"{_JOB}/retry",
        view=writing.retry,
        summary="Build the same once more.",
        access=Access.WRITE,
        outcomes={201: _json("NewJob", "There is a new job.")},
    ),
    Route(
        method="GET",
        rule=f"{_JOB}/log",
        view=reading.log,
        summary="A job's log. Whoever follows one asks from `Log-Next` on until `Log-Complete` is true.",
        access=Access.READ,
        parameters=(_FROM, _FOLLOW),
        outcomes={
            200: Outcome(
                meaning="At most 1 MiB of it, or all of it as it grows.",
                content_type=TEXT_TYPE,
                headers={
                    reading.LOG_NEXT: "The byte that comes after these.",
                    reading.LOG_COMPLETE: "`true` when the job is over and nothing comes after these.",
                    reading.JOB_STATE: "The state that the job is in.",
                },
            )
        },
    ),
    Route(
        method="GET",
        rule=f"{_JOB}/artifacts",
        view=reading.artifacts,
        summary="What a job made, or found made, with digests.",
        access=Access.READ,
        outcomes={200: _json("Artifacts", "By file; none where nothing was made, or an earlier version built it.")},
    ),
    Route(
        method="POST",
        rule=f"{_REPOSITORY}/purge",
        view=writing.purge_finished,
        summary=(
            "Forget jobs that ended before a time, with their logs, but for the last of each package, the last of it"
            " that succeeded or failed, and those whose log another one points to."
        ),
        access=Access.OPERATE,
        body=Body(
            schema=named("Purge"),
            meaning="`before` as `since` of the statistics, and not in the future; `dry_run` forgets nothing.",
        ),
        outcomes={200: _json("Purged", "These are forgotten, or would be.")},
    ),
    Route(
        method="GET",
        rule=f"{_REPOSITORY}/queue",
        view=reading.queue,
        summary="What has begun, and what waits: why, and until about when.",
        access=Access.READ,
        outcomes={200: _json("Queue", "The queue.")},
    ),
    Route(
        method="GET",
        rule=f"{_REPOSITORY}/statistics",
        view=statistics.statistics,
        summary="How builds fared over a time: rates, durations, sizes, waiting, and use of workers.",
        access=Access.READ,
        parameters=(
            Parameter(
                name="since", meaning="From when on: `7d`, `12h`, a date, or seconds since 1970; `7d` without it."
            ),
            Parameter(name="until", meaning="Until when, likewise; until now without it."),
            Parameter(name="by", meaning="What the groups are; packages without it.", schema=GROUP_BY),
            Parameter(name="package", meaning="Only builds of these packages count.", many=True),
        ),
        outcomes={200: _json("Statistics", "The figures, as far as jobs are kept.")},
    ),
    Route(
        method="POST",
        rule=f"{_REPOSITORY}/checks",
        view=writing.checks,
        summary="Tell how a pipeline fared with its upstreams, for the metrics.",
        access=Access.WRITE,
        parameters=(
            Parameter(name="source", meaning="The package repository whose pipeline it is."),
            Parameter(name="reviews_open", meaning="Its reviews that wait for people.", schema=REVIEWS),
            Parameter(name="reviews_opened", meaning="Those of them that this run has opened.", schema=REVIEWS),
        ),
        body=Body(schema=named("Checks"), meaning="Counts by source and outcome."),
        outcomes={200: _json("Done", "They are counted.")},
    ),
    Route(
        method="GET",
        rule="/api/workers",
        view=reading.workers,
        summary="Every machine that builds.",
        access=Access.READ,
        outcomes={200: _json("Workers", "All of them.")},
    ),
    Route(
        method="POST",
        rule="/api/workers/<worker>/drain",
        view=writing.drain,
        summary="Have a worker finish what it builds and take nothing more.",
        access=Access.OPERATE,
        body=_REASON,
        outcomes={200: _json("Done", "It takes nothing more.")},
    ),
    Route(
        method="POST",
        rule="/api/workers/<worker>/resume",
        view=writing.resume,
        summary="Have a worker take builds again.",
        access=Access.OPERATE,
        outcomes={200: _json("Done", "It takes builds.")},
    ),
    Route(
        method="GET",
        rule="/api/queue/stats",
        view=consumers.queue_stats,
        summary="What is built, waits and is idle, as a chaotic-manager tells it.",
        access=Access.READ,
        outcomes={200: Outcome(meaning="JSON.", content_type=TEXT_TYPE, schema=named("QueueStats"))},
    ),
    Route(
        method="GET",
        rule="/api/logs/<pkgbase>",
        view=consumers.package_log,
        summary="The log of a package's last build, as it grows.",
        access=Access.READ,
        outcomes={200: Outcome(meaning="The log.", content_type=TEXT_TYPE)},
    ),
    Route(
        method="GET",
        rule="/api/logs/<pkgbase>/<timestamp>",
        view=consumers.package_log_of,
        summary="The log of the build that began at a time, in milliseconds or seconds since 1970.",
        access=Access.READ,
        outcomes={200: Outcome(meaning="The log.", content_type=TEXT_TYPE)},
    ),
    Route(
        method="GET",
        rule="/metrics",
        view=health.metrics,
        summary="Metrics for Prometheus.",
        access=Access.READ,
        outcomes={200: Outcome(meaning="Its text format.", content_type=TEXT_TYPE)},
    ),
    Route(
        method="GET",
        rule="/healthz",
        view=health.alive,
        summary="Whether the farm answers at all.",
        access=Access.OPEN,
        outcomes={200: _json("Done", "It does.")},
    ),
    Route(
        method="GET",
        rule="/readyz",
        view=health.ready,
        summary="Whether schedules are taken and built.",
        access=Access.OPEN,
        outcomes={200: _json("Readiness", "They are."), 503: _json("Readiness", "They are not.")},
    ),
)

PAGE_ROUTES: tuple[Route, ...] = (
    _page("/", pages.overview_page, "The farm at a glance."),
    _page("/queue", pages.queue_page, "What waits, why, and until about when."),
    _page("/workers", pages.workers_page, "The machines."),
    _page("/packages/<repository>/<pkgbase>", pages.package_page, "A package with its builds."),
    _page("/jobs/<repository>/<int:number>", pages.job_page, "A job with its log."),
    Route(
        method="GET",
        rule="/jobs/<repository>/<int:number>/log",
        view=pages.log_lines,
        summary="A passage of a log as markup, for the page of its job.",
        access=Access.READ,
        parameters=(_FROM,),
        outcomes={
            200: Outcome(
                meaning="Lines of the log.",
                content_type=PAGE_TYPE,
                headers={reading.LOG_NEXT: "The byte that comes after these.", reading.LOG_COMPLETE: "As of the API."},
            )
        },
    ),
)
