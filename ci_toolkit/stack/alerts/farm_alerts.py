"""What is wrong with a farm: alerts about the master, what it builds, and whom it tells.

The numbers are for a farm of a few machines whose builds take minutes. Spans are long enough for Prometheus to ask
every five minutes.
"""

from __future__ import annotations

from ci_toolkit.stack.alerts.pipeline_alerts import PIPELINE_ALERTS
from ci_toolkit.stack.alerts.stack_alerts import STACK_ALERTS
from ci_toolkit.stack.alerts.worker_alerts import WORKER_ALERTS
from ci_toolkit.stack_fragments.spec import Alert, AlertCase, Firing

FARM_DOWN = Alert(
    name="FarmDown",
    expr='up{job="ci-toolkit-farm"} == 0',
    lasting="3m",
    severity="critical",
    summary="The farm at {{ $labels.instance }} does not answer.",
    description="Nothing is lost; pipelines hand their schedules over again. See the master's log.",
    cases=(
        AlertCase(
            series={'up{job="ci-toolkit-farm", instance="farm"}': "1 0x20"},
            at="5m",
            fires=(
                Firing(
                    labels={"job": "ci-toolkit-farm", "instance": "farm"},
                    summary="The farm at farm does not answer.",
                ),
            ),
        ),
        AlertCase(series={'up{job="ci-toolkit-farm", instance="restarted"}': "1x5 0 0 1x10"}, at="8m"),
        AlertCase(series={'up{job="ci-toolkit-workers", instance="big", worker="big"}': "0x20"}, at="10m"),
    ),
)
REPOSITORY_STANDS = Alert(
    name="FarmRepositoryStands",
    expr="ci_toolkit_farm_repository_fault == 1",
    lasting="5m",
    severity="critical",
    summary="Nothing is begun or published in {{ $labels.repository }}.",
    description="/readyz and the overview of the farm say why. It is tried again every ten seconds.",
    cases=(
        AlertCase(
            series={'ci_toolkit_farm_repository_fault{repository="mine"}': "0 1x20"},
            at="7m",
            fires=(Firing(labels={"repository": "mine"}, summary="Nothing is begun or published in mine."),),
        ),
        AlertCase(series={'ci_toolkit_farm_repository_fault{repository="mine"}': "0 1 1 0x20"}, at="10m"),
    ),
)
QUEUE_IS_OLD = Alert(
    name="FarmQueueIsOld",
    expr='ci_toolkit_farm_oldest_job_age_seconds{state="queued"} > 6 * 3600',
    lasting="15m",
    severity="warning",
    summary="A job of {{ $labels.repository }} has waited for {{ $value | humanizeDuration }}.",
    description="`ci-toolkit builds list --state queued` says what it waits for: a free slot, or a worker.",
    cases=(
        AlertCase(
            series={'ci_toolkit_farm_oldest_job_age_seconds{repository="mine", state="queued"}': "21660+60x30"},
            at="20m",
            fires=(
                Firing(
                    labels={"repository": "mine", "state": "queued"},
                    summary="A job of mine has waited for 6h 21m 0s.",
                ),
            ),
        ),
        AlertCase(
            series={
                'ci_toolkit_farm_oldest_job_age_seconds{repository="mine", state="queued"}': "3600x30",
                'ci_toolkit_farm_oldest_job_age_seconds{repository="mine", state="building"}': "90000x30",
            },
            at="20m",
        ),
    ),
)
FAILURES_RISE = Alert(
    name="FarmFailuresRise",
    expr=(
        'sum by (repository) (increase(ci_toolkit_farm_builds_total{outcome=~"failed|timed out"}[2h]))'
        ' / sum by (repository) (increase(ci_toolkit_farm_builds_total{outcome=~"succeeded|failed|timed out"}[2h]))'
        " > 0.5"
        " and sum by (repository) (increase(ci_toolkit_farm_builds_total[2h])) > 10"
    ),
    severity="warning",
    summary="More than half of what {{ $labels.repository }} built in two hours failed.",
    description="`ci-toolkit builds list --state failed` names the packages. Many at once point to what they all need.",
    cases=(
        AlertCase(
            series={
                'ci_toolkit_farm_builds_total{repository="mine", outcome="failed"}': "0+1x60",
                'ci_toolkit_farm_builds_total{repository="mine", outcome="timed out"}': "0+1x60",
                'ci_toolkit_farm_builds_total{repository="mine", outcome="succeeded"}': "0+1x60",
            },
            at="60m",
            fires=(
                Firing(
                    labels={"repository": "mine"},
                    summary="More than half of what mine built in two hours failed.",
                ),
            ),
        ),
        AlertCase(
            series={
                'ci_toolkit_farm_builds_total{repository="mine", outcome="failed"}': "0+1x60",
                'ci_toolkit_farm_builds_total{repository="mine", outcome="succeeded"}': "0+3x60",
            },
            at="60m",
        ),
        AlertCase(
            series={'ci_toolkit_farm_builds_total{repository="few", outcome="failed"}': "0x10 1x20 2x20 3x20"},
            at="60m",
        ),
    ),
)
PUBLISHING_FAILS = Alert(
    name="FarmPublishingFails",
    expr=('sum by (repository) (increase(ci_toolkit_farm_publications_total{outcome!="published"}[30m])) > 0'),
    severity="warning",
    summary="Something that was built for {{ $labels.repository }} could not be published.",
    description="The master's log says which package and why: a full disk, a key, or a limit of the repository.",
    cases=(
        AlertCase(
            series={'ci_toolkit_farm_publications_total{repository="mine", outcome="refused"}': "0 1x20"},
            at="5m",
            fires=(
                Firing(
                    labels={"repository": "mine"},
                    summary="Something that was built for mine could not be published.",
                ),
            ),
        ),
        AlertCase(
            series={
                'ci_toolkit_farm_publications_total{repository="mine", outcome="published"}': "0+1x60",
                'ci_toolkit_farm_publications_total{repository="mine", outcome="failed"}': "3x60",
            },
            at="60m",
        ),
    ),
)
_SENT = "ci_toolkit_farm_notifications_total"
NOTIFICATIONS_FAIL = Alert(
    name="FarmNotificationsFail",
    expr=(f'sum by (repository, notifier) (increase({_SENT}{{outcome="failed"}}[1h])) > 3'),
    severity="warning",
    summary="{{ $labels.notifier }} takes no messages about {{ $labels.repository }}.",
    description="They are sent again later. The master's log has the answer: often a token that is no longer valid.",
    cases=(
        AlertCase(
            series={
                f'{_SENT}{{repository="mine", notifier="matrix", outcome="failed"}}': "0+1x30",
                f'{_SENT}{{repository="mine", notifier="email", outcome="sent"}}': "0+1x30",
            },
            at="20m",
            fires=(
                Firing(
                    labels={"repository": "mine", "notifier": "matrix"},
                    summary="matrix takes no messages about mine.",
                ),
            ),
        ),
        AlertCase(
            series={
                f'{_SENT}{{repository="mine", notifier="matrix", outcome="failed"}}': "0 1x60",
                f'{_SENT}{{repository="mine", notifier="matrix", outcome="postponed"}}': "0+1x60",
            },
            at="60m",
        ),
    ),
)
_REQUESTS = "ci_toolkit_farm_requests_total"
_ERRORS = f'sum by (instance) (increase({_REQUESTS}{{status=~"5..", route!="/readyz"}}[15m]))'
REQUESTS_FAIL = Alert(
    name="FarmRequestsFail",
    expr=f"{_ERRORS} / sum by (instance) (increase({_REQUESTS}[15m])) > 0.05 and {_ERRORS} > 5",
    lasting="5m",
    severity="warning",
    summary="The farm answers {{ $value | humanizePercentage }} of requests with an error of its own.",
    description="The master's log has a traceback or a fault for each. /readyz, which is to answer so, is not counted.",
    cases=(
        AlertCase(
            series={
                f'{_REQUESTS}{{instance="farm", route="/api/jobs", method="GET", status="200"}}': "0+9x40",
                f'{_REQUESTS}{{instance="farm", route="/api/jobs", method="GET", status="500"}}': "0+1x40",
            },
            at="30m",
            fires=(
                Firing(
                    labels={"instance": "farm"},
                    summary="The farm answers 10% of requests with an error of its own.",
                ),
            ),
        ),
        AlertCase(
            series={
                f'{_REQUESTS}{{instance="farm", route="/readyz", method="GET", status="503"}}': "0+9x40",
                f'{_REQUESTS}{{instance="farm", route="/api/jobs", method="POST", status="403"}}': "0+9x40",
                f'{_REQUESTS}{{instance="farm", route="/api/jobs", method="GET", status="500"}}': "0x20 1x20",
            },
            at="30m",
        ),
    ),
)
_DURATION = "ci_toolkit_farm_request_duration_seconds"
REQUESTS_ARE_SLOW = Alert(
    name="FarmRequestsAreSlow",
    expr=(
        f"histogram_quantile(0.95, sum by (instance, route, le) (rate({_DURATION}_bucket[30m]))) > 2.5"
        f" and sum by (instance, route) (increase({_DURATION}_count[30m])) > 30"
    ),
    lasting="15m",
    severity="warning",
    summary="One of twenty answers at {{ $labels.route }} takes longer than {{ $value | humanizeDuration }}.",
    description="The disk or the database of the master is slow, or somebody asks for more than usual.",
    cases=(
        AlertCase(
            series={
                f'{_DURATION}_bucket{{instance="farm", route="/api/jobs", le="2.5"}}': "0x60",
                f'{_DURATION}_bucket{{instance="farm", route="/api/jobs", le="5"}}': "0+10x60",
                f'{_DURATION}_bucket{{instance="farm", route="/api/jobs", le="+Inf"}}': "0+10x60",
                f'{_DURATION}_count{{instance="farm", route="/api/jobs"}}': "0+10x60",
            },
            at="50m",
            fires=(
                Firing(
                    labels={"instance": "farm", "route": "/api/jobs"},
                    summary="One of twenty answers at /api/jobs takes longer than 4.875s.",
                ),
            ),
        ),
        AlertCase(
            series={
                f'{_DURATION}_bucket{{instance="farm", route="/api/jobs", le="0.5"}}': "0+99x60",
                f'{_DURATION}_bucket{{instance="farm", route="/api/jobs", le="5"}}': "0+100x60",
                f'{_DURATION}_bucket{{instance="farm", route="/api/jobs", le="+Inf"}}': "0+100x60",
                f'{_DURATION}_count{{instance="farm", route="/api/jobs"}}': "0+100x60",
            },
            at="50m",
        ),
        AlertCase(
            series={
                f'{_DURATION}_bucket{{instance="farm", route="/seldom", le="2.5"}}': "0x60",
                f'{_DURATION}_bucket{{instance="farm", route="/seldom", le="5"}}': "0x30 1x30",
                f'{_DURATION}_bucket{{instance="farm", route="/seldom", le="+Inf"}}': "0x30 1x30",
                f'{_DURATION}_count{{instance="farm", route="/seldom"}}': "0x30 1x30",
            },
            at="50m",
        ),
    ),
)

FARM_ALERTS: tuple[Alert, ...] = (
    FARM_DOWN,
    REPOSITORY_STANDS,
    QUEUE_IS_OLD,
    FAILURES_RISE,
    PUBLISHING_FAILS,
    NOTIFICATIONS_FAIL,
    REQUESTS_FAIL,
    REQUESTS_ARE_SLOW,
    *WORKER_ALERTS,
    *PIPELINE_ALERTS,
    *STACK_ALERTS,
)
"""Everything that we alert of, without what plugins do."""

FOLLOWING_FARM_DOWN = (
    "FarmRequestsAreSlow",
    "FarmRequestsFail",
    "FarmWithoutWorkers",
    "FarmWorkerAway",
    "FarmWorkerUnsteady",
)
"""Those that say nothing new while the master is down."""
