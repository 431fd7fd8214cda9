"""Dashboards of what the farm's work rests upon: workers, pages and API, messages to people, logs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ci_toolkit.stack.dashboards.page import (
    Page,
    Placed,
    bad_from,
    bars,
    good_from,
    lines,
    listing,
    number,
    numbers_of,
    worse_from,
)
from ci_toolkit.stack_fragments.spec import Panel

if TYPE_CHECKING:
    from ci_toolkit.stack.dashboards.page import Colour

_MINE = 'repository=~"$repository"'
_REQUESTS = "ci_toolkit_farm_requests_total"
_SENT = "ci_toolkit_farm_notifications_total"
# Graphs know numbers alone: this is how the states of a worker become some, and how they are read again.
_STATES: tuple[tuple[int, str, Colour], ...] = (
    (1, "idle", "green"),
    (2, "busy", "blue"),
    (3, "draining", "yellow"),
    (4, "quarantined", "red"),
    (5, "unfit", "orange"),
    (6, "away", "text"),
)
_STATE_NUMBER = " or ".join(f'ci_toolkit_farm_worker_state{{state="{name}"}} * {code}' for code, name, _ in _STATES)


def _answered(share: float, by: str = "", *, over: str = "$__rate_interval") -> str:
    buckets = f"rate(ci_toolkit_farm_request_duration_seconds_bucket[{over}])"
    return f"histogram_quantile({share}, sum by (le{by}) ({buckets}))"


def _told(share: float) -> str:
    buckets = "rate(ci_toolkit_farm_notification_duration_seconds_bucket[6h])"
    return f"histogram_quantile({share}, sum by (le, notifier) ({buckets}))"


def _failing(status: str, over: str) -> str:
    return f'(sum(rate({_REQUESTS}{{status=~"{status}"}}[{over}])) or vector(0))'


WORKERS = Page(
    name="farm-workers",
    title="Farm: workers",
    description="Which machines build, and which do not, and why.",
    placed=(
        number("Workers that take builds", "sum(ci_toolkit_farm_worker_taking_builds)", steps=good_from(1)),
        number(
            "Set aside",
            'sum(ci_toolkit_farm_worker_state{state=~"quarantined|unfit"})',
            steps=bad_from(1),
            description="Quarantined: it failed three packages one after the other; look at its disk, memory, clock "
            "and system, then resume it. Unfit: another version; /workers says what has to be done.",
        ),
        number("Away", 'sum(ci_toolkit_farm_worker_state{state="away"})', steps=((None, "green"), (1, "yellow"))),
        number("Busy slots", 'sum(ci_toolkit_farm_slots{state="busy"})'),
        number("Free slots", 'sum(ci_toolkit_farm_slots{state="free"})', steps=((None, "yellow"), (1, "green"))),
        number(
            "Builds that lost their worker",
            "round(sum(increase(ci_toolkit_farm_losses_total[$__range])))",
            steps=worse_from(1, 5),
            description="Within the time shown.",
        ),
        Placed(
            panel=Panel(
                title="State of each worker",
                queries={"{{worker}}": f"sum by (worker) (({_STATE_NUMBER}) > 0)"},
                description="As the master sees it; /workers gives the reason.",
            ),
            drawing="state-timeline",
            width=24,
            height=8,
            names=_STATES,
        ),
        lines("Builds on each worker", {"{{worker}}": "sum by (worker) (ci_toolkit_farm_worker_running_builds)"}),
        bars(
            "What workers could not end well",
            {
                "{{worker}}: {{outcome}}": "round(sum by (worker, outcome) (increase("
                'ci_toolkit_worker_builds_total{outcome!~"built|skipped"}[$__interval])))'
            },
            description="One machine that sticks out is sick; all at once, it is the packages.",
        ),
        lines(
            "Free part of the disk",
            {"{{worker}}": "min by (worker) (ci_toolkit_worker_disk_free_bytes / ci_toolkit_worker_disk_size_bytes)"},
            unit="percentunit",
            description="Of the disk that the worker's folder is on.",
            width=8,
        ),
        lines(
            "Available part of the memory",
            {
                "{{worker}}": "min by (worker) "
                "(ci_toolkit_worker_memory_available_bytes / ci_toolkit_worker_memory_size_bytes)"
            },
            unit="percentunit",
            width=8,
        ),
        lines(
            "Load by processor",
            {
                "{{worker}}": "max by (worker) (ci_toolkit_worker_load_average"
                '{minutes="5"} / ignoring (minutes) ci_toolkit_worker_processors)'
            },
            description="Of the last five minutes. Above 1, processes wait for their turn, or for the disk.",
            width=8,
        ),
        bars(
            "Lost connections to the master",
            {"{{worker}}": "round(sum by (worker) (increase(ci_toolkit_worker_connection_losses_total[$__interval])))"},
            description="Each costs the builds that the worker had. One worker alone: its network, or an overload.",
        ),
        listing(
            "Workers that have metrics",
            {
                "answers": 'max by (worker) (up{job="ci-toolkit-workers"})',
                "connected": "max by (worker) (ci_toolkit_worker_connected)",
                "builds": "max by (worker) (ci_toolkit_worker_running_builds)",
            },
            description="answers: Prometheus reaches it. connected: it is logged in at the master.",
        ),
    ),
)

API = Page(
    name="farm-api",
    title="Farm: API and pages",
    description="What the farm is asked, what of it fails, and how long its answers take.",
    placed=(
        number("Requests", f"sum(rate({_REQUESTS}[5m]))", unit="reqps", width=6),
        number(
            "Errors of the farm",
            numbers_of(f"{_failing('5..', '5m')} / sum(rate({_REQUESTS}[5m]))"),
            unit="percentunit",
            steps=worse_from(0.001, 0.01),
            description="Share of answers with status 500 and above.",
            width=6,
        ),
        number(
            "Refused",
            numbers_of(f"{_failing('4..', '5m')} / sum(rate({_REQUESTS}[5m]))"),
            unit="percentunit",
            description="Share of answers with status 400 to 499: wrong tokens, unknown paths.",
            width=6,
        ),
        number(
            "95 of 100 answers begin within",
            numbers_of(_answered(0.95, over="5m")),
            unit="s",
            steps=worse_from(0.5, 2.5),
            width=6,
        ),
        lines("Requests by path", {"{{route}}": f"sum by (route) (rate({_REQUESTS}[$__rate_interval]))"}, unit="reqps"),
        lines(
            "Answers by status", {"{{status}}": f"sum by (status) (rate({_REQUESTS}[$__rate_interval]))"}, unit="reqps"
        ),
        lines(
            "Share of errors",
            {
                "500 and above": f"{_failing('5..', '$__rate_interval')} / sum(rate({_REQUESTS}[$__rate_interval]))",
                "400 to 499": f"{_failing('4..', '$__rate_interval')} / sum(rate({_REQUESTS}[$__rate_interval]))",
            },
            unit="percentunit",
        ),
        lines(
            "95 of 100 answers begin within, by path",
            {"{{route}}": _answered(0.95, ", route")},
            unit="s",
            description="Until the answer begins to be sent; a log that is followed stays open for as long as a build.",
        ),
        listing(
            "Errors by path, within the time shown",
            {
                "answers": "round(sum by (route, method, status) "
                f'(increase({_REQUESTS}{{status=~"5.."}}[$__range]))) > 0'
            },
        ),
        lines(
            "Schedules handed in",
            {"{{outcome}}": "sum by (outcome) (rate(ci_toolkit_farm_submissions_total[$__rate_interval]))"},
            unit="reqps",
        ),
    ),
)

NOTIFICATIONS = Page(
    name="farm-notifications",
    title="Farm: notifications",
    description="Whether people are told of builds.",
    placed=(
        number(
            "Messages sent",
            f'round(sum(increase({_SENT}{{{_MINE},outcome=~"sent|incomplete"}}[$__range])))',
            description="Within the time shown.",
            width=6,
        ),
        number(
            "Failed attempts",
            f'round(sum(increase({_SENT}{{{_MINE},outcome="failed"}}[$__range])))',
            steps=worse_from(1, 10),
            description="Within the time shown; they are made again.",
            width=6,
        ),
        number(
            "Postponed",
            f'round(sum(increase({_SENT}{{{_MINE},outcome="postponed"}}[$__range])))',
            steps=((None, "green"), (1, "yellow")),
            description="The service has said when to come again.",
            width=6,
        ),
        number(
            "Incomplete",
            f'round(sum(increase({_SENT}{{{_MINE},outcome="incomplete"}}[$__range])))',
            steps=((None, "green"), (1, "yellow")),
            description="Sent, but for a part that the service never takes.",
            width=6,
        ),
        bars(
            "Attempts by notifier",
            {"{{notifier}}": f"round(sum by (notifier) (increase({_SENT}{{{_MINE}}}[$__interval])))"},
        ),
        bars(
            "Failed attempts by notifier",
            {"{{notifier}}": f'round(sum by (notifier) (increase({_SENT}{{{_MINE},outcome="failed"}}[$__interval])))'},
            description="One that fails for long has a wrong token or address; the master's log says which.",
        ),
        lines("95 of 100 attempts take less than", {"{{notifier}}": _told(0.95)}, unit="s"),
        listing(
            "Notifiers, within the time shown",
            {
                "attempts": f"round(sum by (notifier, outcome) (increase({_SENT}{{{_MINE}}}[$__range])))",
            },
        ),
    ),
)


def _log_lines(title: str, query: str, *, height: int, description: str) -> Placed:
    panel = Panel(title=title, queries={title: query}, description=description)
    return Placed(panel=panel, drawing="logs", width=24, height=height)


LOGS = Page(
    name="farm-logs",
    title="Farm: logs",
    description="What master, workers and the programs around them write.",
    placed=(
        _log_lines(
            "Errors",
            '{service=~".+"} |~ `(?i)\\b(error|critical|fatal|traceback|exception|panic)\\b`',
            height=10,
            description="Lines of any service that speak of an error.",
        ),
        _log_lines(
            "Everything",
            '{service=~".+"}',
            height=14,
            description="Logs of builds are on the farm's own pages.",
        ),
    ),
)

SERVICE_PAGES: tuple[Page, ...] = (WORKERS, API, NOTIFICATIONS, LOGS)
"""In the order in which questions come up."""
