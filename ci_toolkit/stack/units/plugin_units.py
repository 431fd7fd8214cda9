"""The services of plugins where there are no other containers: a unit for each, which has podman run it.

Inside, the machine's loopback is at an address of its own. All that a service finds by name in a compose file it finds
there by the same name: the parts of the stack, and other services, whose ports are published on loopback alone.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from ci_toolkit.errors import PluginError, shortened
from ci_toolkit.stack.deployment import PORTS, internal_variable
from ci_toolkit.stack.limits import limit_of
from ci_toolkit.stack.output import Output, text_output
from ci_toolkit.stack.secret_files import database_secrets
from ci_toolkit.stack.stack_file import Limit
from ci_toolkit.stack.units.credentials import DATABASE_UNIT, MASTER_UNIT
from ci_toolkit.stack.units.unit_text import command, lines

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ci_toolkit.stack.deployment import Bundle, Deployment
    from ci_toolkit.stack_fragments.spec import Mount, Service

PODMAN = "/usr/bin/podman"
_MACHINE = "10.0.2.2"  # what slirp4netns calls the machine that it runs on
_CORE_UNITS = {
    "master": MASTER_UNIT,
    "proxy": "nginx.service",
    "postgres": "postgresql.service",
    "redis": "redis-server.service",
    "prometheus": "prometheus.service",
    "alertmanager": "prometheus-alertmanager.service",
    "loki": "loki.service",
    "promtail": "promtail.service",
    "grafana": "grafana-server.service",
}
_NAME = re.compile(r"[a-z][a-z0-9_-]{0,62}")


def plugin_units(deployment: Deployment) -> Iterator[Output]:
    """A unit for each service of each plugin."""
    for bundle in deployment.bundles:
        for service in bundle.fragment.services:
            yield text_output(f"systemd/{service_unit(service)}", _unit(deployment, bundle, service))


def service_unit(service: Service) -> str:
    """The unit of a plugin's service, whose logs go where those of the farm go; PluginError for what is no name."""
    if not _NAME.fullmatch(service.name):
        raise PluginError(f"stack_fragments: {shortened(service.name)!r} is no name for a unit")
    return f"ci-toolkit-farm-{service.name}.service"


def _unit(deployment: Deployment, bundle: Bundle, service: Service) -> str:
    others = [_other_unit(deployment, name) for name in (*service.after, *filter(None, [service.beside]))]
    database = [DATABASE_UNIT] if bundle.fragment.seeds else []
    redis = [_CORE_UNITS["redis"]] if bundle.fragment.needs_redis else []
    first = " ".join((*sorted({*others, *database, *redis}), "network-online.target"))
    return lines(
        "[Unit]",
        f"Description=Service {service.name} of a plugin of the build farm",
        "PartOf=ci-toolkit-stack.target",
        f"Wants={first}",
        f"After={first}",
        "StartLimitIntervalSec=0\n\n[Service]",
        "Type=notify",
        "NotifyAccess=all",
        _building(deployment, bundle, service) if service.dockerfile else "",
        command("ExecStart", PODMAN, "run", *_options(deployment, bundle, service), *_program(deployment, service)),
        "# An image may have to be fetched or built first.",
        "TimeoutStartSec=1800",
        "TimeoutStopSec=30",
        "Restart=always",
        "RestartSec=5\n\n[Install]",
        "WantedBy=ci-toolkit-stack.target",
    )


def _other_unit(deployment: Deployment, name: str) -> str:
    found = deployment.service(name)
    if found is not None:
        return service_unit(found[1])
    if name not in _CORE_UNITS:
        raise PluginError(f"stack_fragments: there is no service {shortened(name)!r} to begin after")
    return _CORE_UNITS[name]


def _image(deployment: Deployment, service: Service) -> str:
    return service.image or f"localhost/{deployment.stack.name}-{service.name}:local"


def _building(deployment: Deployment, bundle: Bundle, service: Service) -> str:
    top = f"{deployment.stack.installed_at}/plugins/{bundle.name}"
    file = f"--file={top}/Dockerfile.{service.name}"
    return command(
        "ExecStartPre", PODMAN, "build", f"--tag={_image(deployment, service)}", file, "--format=docker", top
    )


def _options(deployment: Deployment, bundle: Bundle, service: Service) -> Iterator[str]:
    limit = limit_of(deployment.stack, service.name, Limit(memory=service.memory, cpus=service.cpus))
    yield from (f"--name={_container(service.name)}", "--replace", "--rm", "--init")
    yield from ("--sdnotify=conmon", "--cgroups=no-conmon", "--log-driver=passthrough")
    yield from ("--cap-drop=all", "--security-opt=no-new-privileges", "--read-only", "--pids-limit=512")
    yield from (f"--memory={limit.memory}", f"--cpus={limit.cpus}")
    yield from _network(deployment, service)
    for name, value in sorted(_environment(deployment, service).items()):
        yield f"--env={name}={value}"
    for name in sorted(_secrets(bundle, service)):
        yield f"--volume={deployment.stack.installed_at}/secrets/{name}:/run/secrets/{name}:ro"
    for mount in service.mounts:
        yield f"--volume={_source(deployment, bundle, mount)}"
    if service.health:
        # One that is not well is ended, and begun anew by its unit.
        yield f"--health-cmd={_health(service.health)}"
        yield from ("--health-interval=30s", "--health-timeout=10s", "--health-start-period=60s")
    if service.health or service.dockerfile:
        yield "--health-on-failure=kill"


def _health(words: tuple[str, ...]) -> str:
    """A command that no shell is asked for, as podman 4.3 takes it: several words as JSON, and one by a word before."""
    return json.dumps(words) if len(words) > 1 else f"CMD {words[0]}"


def _container(name: str) -> str:
    return f"ci-toolkit-farm-{name}"


def _network(deployment: Deployment, service: Service) -> Iterator[str]:
    if service.beside:
        found = deployment.service(service.beside)
        # What belongs to the stack itself is no container here.
        yield f"--network=container:{_container(service.beside)}" if found is not None else "--network=host"
        return
    yield "--network=slirp4netns:allow_host_loopback=true"
    names = [other.name for bundle in deployment.bundles for other in bundle.fragment.services]
    for name in sorted({"master", *PORTS, *names} - {service.name}):
        yield f"--add-host={name}:{_MACHINE}"
    for port in sorted(_ports(deployment, service)):
        yield f"--publish=127.0.0.1:{port}:{port}"


def _ports(deployment: Deployment, service: Service) -> set[int]:
    """Its own, and those of its sidecars, which have no others."""
    all_services = (one for bundle in deployment.bundles for one in bundle.fragment.services)
    here = (one for one in all_services if service.name in (one.name, one.beside))
    return {one.port for one in here if one.port is not None}


def _environment(deployment: Deployment, service: Service) -> dict[str, str]:
    urls = {}
    for bundle in deployment.bundles:
        found = bundle.service(bundle.fragment.internal)
        if bundle.name in service.uses and found is not None:
            urls[internal_variable(bundle.name)] = f"http://{deployment.service_host(found)}:{found.port}"
    return {**service.environment, **urls}


def _secrets(bundle: Bundle, service: Service) -> set[str]:
    """Its own, and what a plugin's services are handed for their part of a database."""
    return {*(secret.name for secret in service.secrets), *database_secrets(bundle)}


def _source(deployment: Deployment, bundle: Bundle, mount: Mount) -> str:
    if mount.source.startswith("./"):
        top = f"{deployment.stack.installed_at}/plugins/{bundle.name}"
        return f"{top}/{mount.source.removeprefix('./')}:{mount.target}:ro"
    return f"{deployment.stack.name}_{mount.source}:{mount.target}"


def _program(deployment: Deployment, service: Service) -> Iterator[str]:
    yield _image(deployment, service)
    yield from service.command
