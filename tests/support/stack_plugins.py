"""Five plugins that add to a stack, each something else, all of it together everything that there is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ci_toolkit.model.metric import Metric
from ci_toolkit.stack_fragments.spec import (
    Alert,
    AlertCase,
    Dashboard,
    Firing,
    Fragment,
    Mount,
    Panel,
    Requests,
    Route,
    Scrape,
    Secret,
    SeedTable,
    Service,
    Template,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

_CHECK = ("wget", "-q", "-O", "/dev/null", "http://127.0.0.1:8080/healthz")

# A service with metrics, alerts and requests, which others use.
FINDER = Fragment(
    services=(
        Service(
            name="finder",
            image="registry.example.org/finder:2.1.0",
            command=("serve", "--listen=:8080", "--cost=$5"),
            environment={"LOG_LEVEL": "info"},
            port=8080,
            health=_CHECK,
            mounts=(Mount(source="finder-index", target="/index"),),
        ),
    ),
    internal="finder",
    routes=(Route(service="finder"), Route(service="finder", below="live/", path="/live/", streams=True)),
    scrapes=(Scrape(service="finder"),),
    metrics=(
        Metric(name="finder_requests", kind="counter", meaning="Requests.", labels=("status",)),
        Metric(name="finder_request_seconds", kind="histogram", meaning="Their duration."),
    ),
    requests=Requests(total="finder_requests_total", errors='status=~"5.."', duration="finder_request_seconds"),
    alerts=(
        Alert(
            name="FinderFails",
            expr='sum by (status) (rate(finder_requests_total{status=~"5.."}[5m])) > 1',
            severity="warning",
            lasting="2m",
            summary="Finder answers with {{ $labels.status }}.",
            cases=(
                AlertCase(
                    series={'finder_requests_total{status="500"}': "0+120x20"},
                    at="10m",
                    fires=(Firing(labels={"status": "500"}, summary="Finder answers with 500."),),
                ),
                AlertCase(series={'finder_requests_total{status="200"}': "0+120x20"}, at="10m"),
            ),
        ),
    ),
)

# A service that is built here, beside the master, with secrets and a template, and uses the finder where it is there.
SEALER = Fragment(
    services=(
        Service(
            name="sealer",
            dockerfile='FROM docker.io/library/alpine:3.22\nHEALTHCHECK CMD pgrep sealer\nCMD ["sealer"]\n',
            beside="master",
            port=8090,
            secrets=(Secret(name="sealer-pin", owner=1000), Secret(name="sealer-seal", owner=1000, made=True)),
            mounts=(Mount(source="./sealer.conf", target="/etc/sealer.conf"),),
            uses=("finder", "absent"),
        ),
    ),
    templates=(
        Template(path="sealer.conf", text="slot=${SLOT}\nlevel=${LEVEL}\n", defaults={"LEVEL": "2", "SLOT": "0"}),
    ),
)

# Rows in the database, and nothing that runs.
LEDGER = Fragment(
    seeds=(
        SeedTable(
            name="ledger",
            columns={"id": "text", "text": "text NOT NULL", "free": "boolean", "weight": "numeric(6, 2)"},
            rows=(("MIT", "It's \\ free\nto use", True, 1), ("none", "", False, 2.5), ("odd", "E'\u2028'", None, None)),
        ),
    ),
)

# A hoard in Redis, with a dashboard of its own.
HOARD = Fragment(
    services=(
        Service(
            name="hoard",
            image="registry.example.org/hoard@sha256:" + "ab" * 32,
            port=8070,
            health=("hoard", "check"),
            after=("redis",),
            memory="64m",
            cpus=0.25,
        ),
    ),
    needs_redis=True,
    scrapes=(Scrape(service="hoard", path="/internal/metrics"),),
    metrics=(Metric(name="hoard_entries", kind="gauge", meaning="What is kept."),),
    dashboards=(
        Dashboard(
            name="hoard",
            title="Hoard",
            panels=(Panel(title="Entries", queries={"entries": "sum(hoard_entries)"}),),
        ),
    ),
)

# An alert on the farm's own metrics, and nothing else.
ONLOOKER = Fragment(
    alerts=(
        Alert(
            name="OnlookerSeesQueue",
            expr='sum by (repository) (ci_toolkit_farm_jobs{state="queued"}) > 1000',
            severity="info",
            summary="{{ $labels.repository }} has {{ $value }} jobs.",
        ),
    ),
)

PLUGINS: Mapping[str, Fragment] = {
    "finder": FINDER,
    "sealer": SEALER,
    "ledger": LEDGER,
    "hoard": HOARD,
    "onlooker": ONLOOKER,
}
