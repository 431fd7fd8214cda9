"""Names and ports that there may be once only, in everything that was rendered."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from ci_toolkit.stack.deployment import INSIDE_PORT, PORTS, WORKER_PORT
from ci_toolkit.stack.monitoring.loki import LOKI_GRPC_PORT
from ci_toolkit.stack.output import read_yaml

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ci_toolkit.stack.deployment import Deployment
    from ci_toolkit.stack.output import Output


def name_faults(deployment: Deployment, outputs: Iterable[Output]) -> Iterator[str]:
    """A sentence for each that is there twice, with the files that have it."""
    files = {output.path: output.content for output in outputs}
    composed = {path: read_yaml(files[path]) for path in files if path.endswith("compose.yml")}
    yield from _twice("service", _keys(composed, "services"))
    yield from _twice("volume", _keys(composed, "volumes"))
    if deployment.stack.is_composed:
        yield from _twice("port of this machine", _published(composed))
        yield from _twice("port in the network of master", _beside_master(deployment))
    else:
        yield from _twice("port of this machine", _listened(deployment))
    rules = {path: read_yaml(text) for path, text in files.items() if path.startswith("prometheus/rules/")}
    yield from _twice("alert", _alerts(rules))
    for path, key in (("prometheus/prometheus.yml", "scrape_configs"), ("alertmanager/alertmanager.yml", "receivers")):
        entries = read_yaml(files[path])[key] if path in files else []
        what = "scrape job" if key == "scrape_configs" else "receiver"
        yield from _twice(what, ((entry.get("job_name") or entry.get("name"), path) for entry in entries))


def _twice(what: str, named: Iterable[tuple[object, str]]) -> Iterator[str]:
    listed = list(named)
    for name, count in Counter(name for name, _ in listed).items():
        if count > 1:
            places = sorted({place for other, place in listed if other == name})
            yield f"{what} {name} is there {count} times: {', '.join(places)}"


def _keys(composed: dict[str, Any], key: str) -> Iterator[tuple[object, str]]:
    for path, content in composed.items():
        yield from ((name, path) for name in content.get(key, {}))


def _published(composed: dict[str, Any]) -> Iterator[tuple[object, str]]:
    for path, content in composed.items():
        for name, service in content["services"].items():
            yield from ((port.rpartition(":")[0], f"{path}: {name}") for port in service.get("ports", []))


def _beside_master(deployment: Deployment) -> Iterator[tuple[object, str]]:
    """The master's own, those of the proxy, and those of sidecars."""
    yield from ((port, "the proxy") for port in (80, 443, INSIDE_PORT))
    yield from _farm_ports(deployment)
    for bundle in deployment.bundles:
        for service in bundle.fragment.services:
            if deployment.service_host(service) == "master" and service.port is not None:
                yield service.port, f"plugin {bundle.name}: {service.name}"


def _farm_ports(deployment: Deployment) -> Iterator[tuple[object, str]]:
    yield deployment.farm_port, "farm.toml: web"
    yield deployment.workers_port, "farm.toml: workers_listen"
    if deployment.buildbot_port is not None:
        yield deployment.buildbot_port, "farm.toml: buildbot.web"
    if deployment.grpc_port is not None:
        yield deployment.grpc_port, "farm.toml: grpc.listen"


def _listened(deployment: Deployment) -> Iterator[tuple[object, str]]:
    """Without containers everything shares the machine's ports."""
    yield from ((port, "the proxy") for port in (80, 443))
    yield from _farm_ports(deployment)
    yield from ((deployment.port(name), name) for name in PORTS if name != "redis" or deployment.needs_redis)
    yield LOKI_GRPC_PORT, "loki"
    for number, name in enumerate(deployment.local_workers()):
        yield WORKER_PORT + number, f"worker {name}"
    for bundle in deployment.bundles:
        for service in bundle.fragment.services:
            if service.port is not None:
                yield service.port, f"plugin {bundle.name}: {service.name}"


def _alerts(rules: dict[str, Any]) -> Iterator[tuple[object, str]]:
    for path, content in rules.items():
        for group in content["groups"]:
            yield from ((rule["alert"], path) for rule in group["rules"])
