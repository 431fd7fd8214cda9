"""Whether what rendered files name of each other is there: mounts, secrets, services, targets, rules."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ci_toolkit.stack.containers.environment import MANIFEST_FILE, manifest_files
from ci_toolkit.stack.deployment import INSIDE_PORT, PORTS, WORKER_PORT
from ci_toolkit.stack.output import read_yaml
from ci_toolkit.stack.secret_files import core_secrets, plugin_secrets

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ci_toolkit.stack.deployment import Deployment
    from ci_toolkit.stack.output import Output

_PROXIED = re.compile(rb"https?://([A-Za-z0-9_.-]+):([0-9]+)")
_LOOPBACK = "127.0.0.1"


def reference_faults(deployment: Deployment, outputs: Iterable[Output]) -> Iterator[str]:
    """A sentence for each name that leads nowhere, with the file that has it."""
    files = {output.path: output.content for output in outputs}
    composed = {path: read_yaml(text) for path, text in files.items() if path.endswith("compose.yml")}
    services = {name: service for content in composed.values() for name, service in content["services"].items()}
    volumes = {name for content in composed.values() for name in content.get("volumes", {})}
    there = _known_paths(deployment, files)
    for path, content in composed.items():
        for name, service in content["services"].items():
            for fault in _service_faults(service, services, volumes, content, there):
                yield f"{path}: {name}: {fault}"
        for name, secret in content.get("secrets", {}).items():
            if secret["file"].removeprefix("./") not in there:
                yield f"{path}: secret {name} is no secret of this stack: {secret['file']}"
    for file in manifest_files(files.get(MANIFEST_FILE, b"").decode()):
        if file not in files and file not in deployment.stack.compose_files:
            yield f"{MANIFEST_FILE} names {file}, which is not there"
    yield from _prometheus_faults(files, _ports(deployment))
    yield from _address_faults(files, _ports(deployment))


def _known_paths(deployment: Deployment, files: Iterable[str]) -> set[str]:
    """Files and folders of the stack's own folder that may be named."""
    stack = deployment.stack
    known = {stack.farm, stack.tls, stack.repositories, "secrets/master.env"}
    known |= {stack.prometheus.workers_ca} if stack.prometheus.workers_ca else set()
    known |= {worker.folder for worker in stack.workers.values() if worker.folder is not None}
    known |= {f"secrets/{secret.name}" for secret in (*core_secrets(deployment), *plugin_secrets(deployment))}
    for path in files:
        parts = path.split("/")
        known |= {"/".join(parts[:end]) for end in range(1, len(parts) + 1)}
    return known


def _service_faults(
    service: dict[str, Any],
    services: dict[str, Any],
    volumes: set[str],
    content: dict[str, Any],
    there: set[str],
) -> Iterator[str]:
    for volume in service.get("volumes", []):
        source = volume.split(":")[0]
        if source.startswith("./") and source.removeprefix("./").rstrip("/") not in there:
            yield f"it mounts {source}, which is not there"
        if not source.startswith(("./", "/")) and source not in volumes:
            yield f"its volume {source} is declared nowhere"
    for secret in service.get("secrets", []):
        if secret not in content.get("secrets", {}):
            yield f"its secret {secret} is declared nowhere"
    network = service.get("network_mode", "")
    for other in (*service.get("depends_on", {}), *([network.removeprefix("service:")] if network else [])):
        if other not in services:
            yield f"it names {other}, which is no service"
    yield from _build_faults(service.get("build", {}), there)


def _build_faults(build: dict[str, Any], there: set[str]) -> Iterator[str]:
    """Of the plugins' own; a checkout of ci-toolkit is somewhere else."""
    if build.get("context", "").startswith("./plugins/"):
        dockerfile = f"{build['context'].removeprefix('./')}/{build['dockerfile']}"
        if dockerfile not in there:
            yield f"it is built from {dockerfile}, which is not there"


def _ports(deployment: Deployment) -> dict[str, set[int]]:
    """Where each service listens, by the name that others find it by."""
    if not deployment.stack.is_composed:
        return {}
    known = {name: {port} for name, port in PORTS.items() if name != "redis" or deployment.needs_redis}
    known["master"] = {INSIDE_PORT, deployment.farm_port, deployment.workers_port}
    known["master"] |= {deployment.grpc_port} if deployment.grpc_port is not None else set()
    known |= {f"worker-{name}".lower(): {WORKER_PORT} for name in deployment.local_workers()}
    for bundle in deployment.bundles:
        for service in bundle.fragment.services:
            if service.port is not None:
                known.setdefault(deployment.service_host(service), set()).add(service.port)
    return known


def _prometheus_faults(files: dict[str, bytes], ports: dict[str, set[int]]) -> Iterator[str]:
    path = "prometheus/prometheus.yml"
    if path not in files:
        return
    content = read_yaml(files[path])
    for rule in content.get("rule_files", []):
        pattern = re.compile(re.escape(f"prometheus/{rule}").replace(r"\*", "[^/]*"))
        if not any(pattern.fullmatch(file) for file in files):
            yield f"{path}: no file is called {rule}"
    targets = [entry for job in content["scrape_configs"] for entry in job["static_configs"]]
    targets += [
        entry for one in content.get("alerting", {}).get("alertmanagers", []) for entry in one["static_configs"]
    ]
    for entry in targets:
        for target in entry["targets"]:
            yield from _address_fault(path, target, ports)


def _address_faults(files: dict[str, bytes], ports: dict[str, set[int]]) -> Iterator[str]:
    """Addresses that the proxy, Promtail and Grafana go to."""
    for path, content in files.items():
        if path.startswith(("nginx/", "promtail/", "grafana/provisioning/datasources/")):
            for host, port in set(_PROXIED.findall(content)):
                yield from _address_fault(path, f"{host.decode()}:{port.decode()}", ports)


def _address_fault(path: str, address: str, ports: dict[str, set[int]]) -> Iterator[str]:
    """Nothing for what is elsewhere: a name with a dot is no service."""
    url = urlsplit(f"//{address}")
    host = url.hostname or ""
    if not ports or host in (_LOOPBACK, "localhost") or "." in host or ":" in host:
        return
    if host not in ports:
        yield f"{path} goes to {address}, and no service is called {host}"
    elif url.port not in ports[host]:
        yield f"{path} goes to {address}, and {host} does not listen there"
