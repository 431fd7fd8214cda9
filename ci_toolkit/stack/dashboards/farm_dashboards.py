"""Dashboards of the farm's work: what waits, what was built and how long that took, upstreams and reviews."""

from __future__ import annotations

from dataclasses import replace

from ci_toolkit.stack.dashboards.page import (
    Page,
    Placed,
    bad_from,
    bars,
    good_from,
    heading,
    lines,
    listing,
    number,
    numbers_of,
    worse_from,
)
from ci_toolkit.stack_fragments.spec import Panel

_HOUR, _DAY = 3600, 86_400
_MINE = 'repository=~"$repository"'
_WAITING = 'state=~"queued|waiting for dependency"'
# What is added to the matcher of repositories.
_FAILED = ',outcome=~"failed|timed out"'
_TRIED = ',outcome=~"succeeded|failed|timed out"'
_NOTHING_TO_DO = ',outcome="already built"'
_UNASKED = ',outcome=~"could_not_ask|unusable"'
_GONE = ',outcome=~"absent|lagging"'
_MOVED = ',outcome="moved"'
_NOT_UNMOVED = ',outcome!="unmoved"'


def _ended(matchers: str, over: str = "$__range") -> str:
    return f"increase(ci_toolkit_farm_builds_total{{{_MINE}{matchers}}}[{over}])"


def _took(share: float, by: str = "", metric: str = "build_duration_seconds") -> str:
    buckets = f"rate(ci_toolkit_farm_{metric}_bucket{{{_MINE}}}[6h])"
    return f"histogram_quantile({share}, sum by (le{by}) ({buckets}))"


def _checked(matchers: str, over: str) -> str:
    return f"increase(ci_toolkit_farm_upstream_checks_total{{{_MINE}{matchers}}}[{over}])"


_IS_UP = replace(
    number(
        "Farm",
        'max(up{job="ci-toolkit-farm"})',
        steps=good_from(1),
        description="While it is down, nothing is begun or published; pipelines hand over again later.",
    ),
    names=((0, "down", "red"), (1, "up", "green")),
)
_STANDING = number(
    "Repositories that stand",
    f"sum(ci_toolkit_farm_repository_fault{{{_MINE}}})",
    steps=bad_from(1),
    description="In these nothing is begun or published. /readyz and the farm's own overview say why.",
    page="farm-queue",
)
_TAKING = number(
    "Workers that take builds",
    "sum(ci_toolkit_farm_worker_taking_builds)",
    steps=good_from(1),
    description="With none, everything waits. Those that are away, drained or in quarantine do not count.",
    page="farm-workers",
)
_FREE = number(
    "Free slots",
    'sum(ci_toolkit_farm_slots{state="free"})',
    steps=((None, "yellow"), (1, "green")),
    description="With none, what waits for a worker waits for a build to end.",
    page="farm-workers",
)
_WAITS = number(
    "Waiting jobs",
    f"sum(ci_toolkit_farm_jobs{{{_MINE},{_WAITING}}})",
    description="Queued, or waiting for what they need.",
    page="farm-queue",
)
_OLDEST = number(
    "Oldest queued job",
    f'max(ci_toolkit_farm_oldest_job_age_seconds{{{_MINE},state="queued"}})',
    unit="s",
    steps=worse_from(_HOUR, 6 * _HOUR),
    description="Since it was scheduled. Jobs that wait for others do not count.",
    page="farm-queue",
)
_FAILURES = number(
    "Failed builds",
    f"round(sum({_ended(_FAILED)}))",
    steps=worse_from(1, 20),
    description="Within the time shown; failed or timed out.",
    page="farm-builds",
)
_FAILURE_SHARE = number(
    "Share of failures",
    numbers_of(f"sum({_ended(_FAILED)}) / sum({_ended(_TRIED)})"),
    unit="percentunit",
    steps=worse_from(0.1, 0.5),
    description="Of what was really built within the time shown.",
    page="farm-builds",
)
_UNPUBLISHED = number(
    "Not published",
    f'round(sum(increase(ci_toolkit_farm_publications_total{{{_MINE},outcome!="published"}}[$__range])))',
    steps=bad_from(1),
    description="Built and then refused, or not to be put into the repository, within the time shown.",
    page="farm-builds",
)
_SLOW = number(
    "95 of 100 builds take less than",
    numbers_of(_took(0.95)),
    unit="s",
    description="Of the last six hours.",
    page="farm-durations",
)
_UNANSWERED = number(
    "Upstreams not to be asked",
    f"round(sum({_checked(_UNASKED, '$__range')}))",
    steps=worse_from(1, 50),
    description="Within the time shown, each time that a pipeline tried.",
    page="farm-upstreams",
)
_SILENT = number(
    "Longest without a pipeline",
    f"max(time() - ci_toolkit_farm_last_checks_timestamp_seconds{{{_MINE}}})",
    unit="s",
    steps=worse_from(6 * _HOUR, _DAY),
    description="Of the package repositories, the one whose pipeline has told of its upstreams the longest ago.",
    page="farm-upstreams",
)
_REVIEWS = number(
    "Open reviews",
    f"sum(ci_toolkit_farm_open_reviews{{{_MINE}}})",
    steps=((None, "green"), (1, "blue")),
    description="They wait for people.",
    page="farm-reviews",
)
_LOST = number(
    "Builds that lost their worker",
    f"round(sum(increase(ci_toolkit_farm_losses_total{{{_MINE}}}[$__range])))",
    steps=worse_from(1, 5),
    description="Within the time shown. They are queued again, three times.",
    page="farm-workers",
)
_SET_ASIDE = number(
    "Workers set aside",
    'sum(ci_toolkit_farm_worker_state{state=~"quarantined|unfit"})',
    steps=bad_from(1),
    description="In quarantine until a person resumes them, or of a version or kind that cannot be used.",
    page="farm-workers",
)

OVERVIEW = Page(
    name="farm",
    title="Farm",
    description="Each row is a question; each number leads to the page that says more.",
    placed=(
        heading("Why is nothing being built?"),
        _IS_UP,
        _STANDING,
        _TAKING,
        _FREE,
        _WAITS,
        _OLDEST,
        heading("What fails, and what is slow?"),
        _FAILURES,
        _FAILURE_SHARE,
        _UNPUBLISHED,
        _SLOW,
        number(
            "Requests that fail",
            'sum(rate(ci_toolkit_farm_requests_total{status=~"5.."}[5m])) or vector(0)',
            unit="reqps",
            steps=bad_from(0.001),
            description="Answers of the farm with status 500 and above.",
            page="farm-api",
        ),
        number(
            "Messages that fail",
            f'round(sum(increase(ci_toolkit_farm_notifications_total{{{_MINE},outcome="failed"}}[$__range])))',
            steps=bad_from(1),
            description="Within the time shown, each attempt; they are made again.",
            page="farm-notifications",
        ),
        heading("Which worker is sick, which upstream is broken, and what waits for me?"),
        _SET_ASIDE,
        _LOST,
        _UNANSWERED,
        _SILENT,
        _REVIEWS,
        number(
            "Alerts",
            'count(ALERTS{alertstate="firing"}) or vector(0)',
            steps=bad_from(1),
            description="Those that fire now; the table below names them.",
        ),
        heading("Now"),
        listing(
            "Alerts that fire",
            {"firing": 'sum by (alertname, severity, repository, worker, plugin) (ALERTS{alertstate="firing"})'},
            description="Alertmanager says who was told.",
        ),
        listing(
            "What does not answer Prometheus",
            {"answers": "up == 0"},
            steps=bad_from(0),
            description="Empty when all is well.",
        ),
        lines("Jobs", {"{{state}}": f"sum by (state) (ci_toolkit_farm_jobs{{{_MINE}}})"}),
        bars("Builds", {"{{outcome}}": f"round(sum by (outcome) ({_ended('', '$__interval')}))"}),
    ),
)

QUEUE = Page(
    name="farm-queue",
    title="Farm: queue",
    description="What waits, for how long, and what for.",
    placed=(
        _IS_UP,
        _STANDING,
        _TAKING,
        _FREE,
        _WAITS,
        _OLDEST,
        lines(
            "Jobs by state",
            {"{{state}}": f"sum by (state) (ci_toolkit_farm_jobs{{{_MINE}}})"},
            description="Waiting for dependency: something that they need comes first, or has failed.",
        ),
        lines(
            "Oldest job by state",
            {"{{state}}": f"max by (state) (ci_toolkit_farm_oldest_job_age_seconds{{{_MINE}}})"},
            unit="s",
            description="Since it was scheduled.",
        ),
        lines(
            "Waiting jobs by repository",
            {"{{repository}}": f"sum by (repository) (ci_toolkit_farm_jobs{{{_MINE},{_WAITING}}})"},
        ),
        lines("Slots", {"{{state}}": "sum by (state) (ci_toolkit_farm_slots)"}),
        bars(
            "Schedules handed in",
            {"{{outcome}}": "round(sum by (outcome) (increase(ci_toolkit_farm_submissions_total[$__interval])))"},
            description="Taken, or known already; denied: a wrong token or a repository that the client may not use.",
        ),
        listing(
            "Repositories",
            {
                "waiting": f"sum by (repository) (ci_toolkit_farm_jobs{{{_MINE},{_WAITING}}})",
                "building": f'sum by (repository) (ci_toolkit_farm_jobs{{{_MINE},state="building"}})',
                "stands": f"sum by (repository) (ci_toolkit_farm_repository_fault{{{_MINE}}})",
            },
            description="Where stands is 1, nothing is begun or published; /readyz says why.",
        ),
    ),
)

BUILDS = Page(
    name="farm-builds",
    title="Farm: builds",
    description="What became of jobs, and of what was published.",
    placed=(
        number("Jobs that ended", f"round(sum({_ended('')}))", description="Within the time shown."),
        _FAILURES,
        _FAILURE_SHARE,
        _UNPUBLISHED,
        _LOST,
        number(
            "Already built",
            numbers_of(f"sum({_ended(_NOTHING_TO_DO)}) / sum({_ended('')})"),
            unit="percentunit",
            description="Jobs for which nothing had to be built, as the same content was built before.",
        ),
        bars("Jobs by outcome", {"{{outcome}}": f"round(sum by (outcome) ({_ended('', '$__interval')}))"}),
        bars(
            "Failures by repository",
            {"{{repository}}": f"round(sum by (repository) ({_ended(_FAILED, '$__interval')}))"},
            description="Failed or timed out. ci-toolkit builds list --state failed names the packages.",
        ),
        bars(
            "Changes of what is published",
            {
                "{{outcome}}": "round(sum by (outcome) (increase("
                f"ci_toolkit_farm_publications_total{{{_MINE}}}[$__interval])))"
            },
        ),
        listing(
            "Repositories, within the time shown",
            {
                "ended": f"round(sum by (repository) ({_ended('')}))",
                "failed": f"round(sum by (repository) ({_ended(_FAILED)}))",
                "lost their worker": "round(sum by (repository) (increase("
                f"ci_toolkit_farm_losses_total{{{_MINE}}}[$__range])))",
            },
        ),
    ),
)

DURATIONS = Page(
    name="farm-durations",
    title="Farm: durations",
    description="How long builds take, how long they wait for their turn, and how much they make.",
    placed=(
        number(
            "Half of builds take less than",
            numbers_of(_took(0.5)),
            unit="s",
            description="Of the last six hours.",
            width=6,
        ),
        number(
            "95 of 100 take less than", numbers_of(_took(0.95)), unit="s", description="Of the last six hours.", width=6
        ),
        number(
            "Built at the same time",
            f"sum(rate(ci_toolkit_farm_build_duration_seconds_sum{{{_MINE}}}[$__range]))",
            description="On average within the time shown, by what ended in it.",
            width=6,
        ),
        number(
            "Time spent building",
            f"sum(increase(ci_toolkit_farm_build_duration_seconds_sum{{{_MINE}}}[$__range]))",
            unit="s",
            description="Of all workers within the time shown.",
            width=6,
        ),
        Placed(
            panel=Panel(
                title="Builds by duration",
                queries={
                    "{{le}}": "sum by (le) (increase("
                    f"ci_toolkit_farm_build_duration_seconds_bucket{{{_MINE}}}[$__interval]))"
                },
                unit="s",
                description="The darker, the more builds of that length ended in that hour.",
            ),
            drawing="heatmap",
            width=24,
            height=9,
            every="1h",
        ),
        lines(
            "Half of builds take less than, by repository",
            {"{{repository}}": _took(0.5, ", repository")},
            unit="s",
        ),
        lines(
            "95 of 100 builds take less than, by repository",
            {"{{repository}}": _took(0.95, ", repository")},
            unit="s",
        ),
        lines(
            "Half of jobs wait less than, 95 of 100 wait less than",
            {
                "half": _took(0.5, metric="queue_duration_seconds"),
                "95 of 100": _took(0.95, metric="queue_duration_seconds"),
            },
            unit="s",
            description="From being scheduled to being begun, of jobs that ended.",
        ),
        lines(
            "Half of builds make less than, 95 of 100 make less than",
            {"half": _took(0.5, metric="artifact_size_bytes"), "95 of 100": _took(0.95, metric="artifact_size_bytes")},
            unit="bytes",
            description="All files of one build together.",
        ),
        lines(
            "Time spent building, by repository",
            {
                "{{repository}}": "sum by (repository) (rate("
                f"ci_toolkit_farm_build_duration_seconds_sum{{{_MINE}}}[6h]))"
            },
            description="As a number of slots that were busy all the time.",
        ),
        lines(
            "Oldest queued job by repository",
            {
                "{{repository}}": "max by (repository) "
                f'(ci_toolkit_farm_oldest_job_age_seconds{{{_MINE},state="queued"}})'
            },
            unit="s",
        ),
    ),
)

UPSTREAMS = Page(
    name="farm-upstreams",
    title="Farm: upstreams",
    description="What pipelines heard when they asked upstreams for new versions.",
    placed=(
        number("Upstreams asked", f"round(sum({_checked('', '$__range')}))", description="Within the time shown."),
        _UNANSWERED,
        number(
            "Share not to be asked",
            numbers_of(f"sum({_checked(_UNASKED, '$__range')}) / sum({_checked('', '$__range')})"),
            unit="percentunit",
            steps=worse_from(0.01, 0.1),
            description="No answer, or none that can be used.",
        ),
        number(
            "Gone or behind",
            f"round(sum({_checked(_GONE, '$__range')}))",
            description="Upstreams that do not have the package any more, or are older than what is here.",
        ),
        number(
            "Moved",
            f"round(sum({_checked(_MOVED, '$__range')}))",
            description="Upstreams with something new, within the time shown.",
        ),
        _SILENT,
        lines(
            "Share not to be asked, by kind of source",
            {"{{source}}": f"sum by (source) ({_checked(_UNASKED, '6h')}) / sum by (source) ({_checked('', '6h')})"},
            unit="percentunit",
            description="Of the last six hours. One kind that rises alone is a service that is down or limits us.",
        ),
        bars(
            "What upstreams said, but for unmoved",
            {"{{source}}: {{outcome}}": f"round(sum by (source, outcome) ({_checked(_NOT_UNMOVED, '$__interval')}))"},
        ),
        listing(
            "Without an answer, by repository and kind of source",
            {"times": f"round(sum by (repository, source, outcome) ({_checked(_UNASKED, '$__range')})) > 0"},
            description="Within the time shown.",
        ),
        listing(
            "Since a pipeline told of its upstreams",
            {"ago": f"max by (repository, source) (time() - ci_toolkit_farm_last_checks_timestamp_seconds{{{_MINE}}})"},
            unit="s",
            steps=worse_from(6 * _HOUR, _DAY),
            description="By the package repository whose pipeline it is. One that grows has stopped running.",
        ),
    ),
)

REVIEWS = Page(
    name="farm-reviews",
    title="Farm: reviews",
    description="Updates that wait until people have looked at them.",
    placed=(
        _REVIEWS,
        number(
            "Opened",
            f'round(sum(increase(ci_toolkit_farm_review_changes_total{{{_MINE},change="opened"}}[$__range])))',
            description="Within the time shown.",
        ),
        number(
            "Closed",
            f'round(sum(increase(ci_toolkit_farm_review_changes_total{{{_MINE},change="closed"}}[$__range])))',
            description="Merged, declined or given up within the time shown.",
        ),
        number(
            "Growth within a week",
            f"sum(ci_toolkit_farm_open_reviews{{{_MINE}}}) - sum(ci_toolkit_farm_open_reviews{{{_MINE}}} offset 1w)",
            steps=((None, "green"), (1, "yellow")),
            description="How many more wait now than did then. Above 0, they are opened faster than people look.",
        ),
        listing(
            "Open, by package repository",
            {"open": f"max by (repository, source) (ci_toolkit_farm_open_reviews{{{_MINE}}})"},
            width=8,
        ),
        lines(
            "Open reviews",
            {"{{repository}}: {{source}}": f"max by (repository, source) (ci_toolkit_farm_open_reviews{{{_MINE}}})"},
        ),
        bars(
            "Opened and closed",
            {
                "{{change}}": "round(sum by (change) (increase("
                f"ci_toolkit_farm_review_changes_total{{{_MINE}}}[$__interval])))"
            },
            every="1d",
        ),
    ),
)

FARM_PAGES: tuple[Page, ...] = (OVERVIEW, QUEUE, BUILDS, DURATIONS, UPSTREAMS, REVIEWS)
"""In the order in which questions come up."""
