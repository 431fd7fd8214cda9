"""What rendering a stack costs: `python -m tests.benchmarks.stack [--plugins N …] [--runs N]`.

Every plugin has a service, routes, metrics, an alert with cases, a dashboard, rows and a template. Rendering is from
inputs to bytes; checking is what is done without other programs. Processor time, and the memory at its highest.
"""

from __future__ import annotations

import resource
import statistics
import time
from argparse import ArgumentParser
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from ci_toolkit.model.metric import Metric
from ci_toolkit.stack.rendering import rendered
from ci_toolkit.stack.validating.all_checks import pure_checks
from ci_toolkit.stack_fragments.spec import (
    Alert,
    Fragment,
    Mount,
    Requests,
    Route,
    Scrape,
    SeedTable,
    Service,
    Template,
)
from tests.support.stacks import deployed_with

if TYPE_CHECKING:
    from collections.abc import Callable

    from ci_toolkit.stack.deployment import Deployment


def main() -> None:
    """Measure and print a table."""
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--plugins", type=int, nargs="+", default=[0, 10, 50, 200])
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    print("| plugins | files | KiB | rendered | checked | memory |")
    print("| ---: | ---: | ---: | ---: | ---: | ---: |")
    for count in options.plugins:
        deployment = deployed_with({f"plugin{number}": _plugin(f"plugin{number}") for number in range(count)})
        outputs = rendered(deployment)
        size = sum(len(output.content) for output in outputs)
        render_s = _median(partial(rendered, deployment), options.runs)
        check_s = _median(partial(_check, deployment), options.runs)
        peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(
            f"| {count} | {len(outputs)} | {size / 1024:,.0f} | {render_s * 1000:.0f} ms | {check_s * 1000:.0f} ms"
            f" | {peak_mib:.0f} MiB |"
        )


def _check(deployment: Deployment) -> None:
    found = [fault for check in pure_checks(deployment, rendered(deployment)) for fault in check.faults]
    if found:
        raise AssertionError(found)


def _median(call: Callable[[], object], runs: int) -> float:
    times = []
    for _ in range(runs):
        began = time.process_time()
        call()
        times.append(time.process_time() - began)
    return statistics.median(times)


def _plugin(name: str) -> Fragment:
    service = Service(
        name=name,
        image="registry.example.org/service:1.2.3",
        environment={"LEVEL": "info"},
        port=8080,
        health=("true",),
        mounts=(Mount(source=f"{name}-data", target="/data"), Mount(source="./service.conf", target="/etc/s.conf")),
    )
    return Fragment(
        services=(service, replace(service, name=f"{name}-side", beside=name, port=8081)),
        internal=name,
        routes=(Route(service=name),),
        scrapes=(Scrape(service=name),),
        metrics=(
            Metric(name=f"{name}_requests", kind="counter", meaning="Requests.", labels=("status",)),
            Metric(name=f"{name}_seconds", kind="histogram", meaning="Their duration."),
        ),
        requests=Requests(total=f"{name}_requests_total", errors='status="500"', duration=f"{name}_seconds"),
        alerts=(
            Alert(
                name=f"{name.capitalize()}Fails",
                expr=f"rate({name}_requests_total[5m]) > 1",
                severity="warning",
                summary="It fails.",
            ),
        ),
        templates=(Template(path="service.conf", text="level=${LEVEL}\n", defaults={"LEVEL": "1"}),),
        seeds=(SeedTable(name="rows", columns={"id": "text"}, rows=tuple((str(number),) for number in range(20))),),
    )


if __name__ == "__main__":
    main()
