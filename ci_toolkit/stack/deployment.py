"""The stack of one farm, with everything decided: what renderers are handed, and where each part finds the others."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from ci_toolkit.errors import ConfigError
from ci_toolkit.model.names import nearest
from ci_toolkit.stack.units.credentials import credential_path

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ci_toolkit.formats.farm_layout import FarmLayout
    from ci_toolkit.stack.stack_file import Stack
    from ci_toolkit.stack_fragments.spec import Fragment, Service

PORTS = {
    "postgres": 5432,
    "redis": 6379,
    "prometheus": 9090,
    "alertmanager": 9093,
    "loki": 3100,
    "promtail": 9080,
    "grafana": 3000,
}
WORKER_PORT = 9990  # of a worker in a container; on a machine without containers it is this and the following
INSIDE_PORT = 9180  # where nginx shows the farm's metrics to the other containers
_TCP = re.compile(r"(?:tcp|ssl):(?:port=)?(\d+)(?::.*)?")
_LOOPBACK = "127.0.0.1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """What one installed plugin adds, and which package it comes from."""

    name: str
    origin: str
    fragment: Fragment

    def service(self, name: str) -> Service | None:
        """One of its services by name."""
        return next((service for service in self.fragment.services if service.name == name), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerTarget:
    """A worker that has metrics: `address` is `host:port`."""

    name: str
    address: str
    scheme: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """The farm, its stack, and what plugins add, in the order of their names."""

    stack: Stack
    farm: FarmLayout
    bundles: tuple[Bundle, ...]
    version: str

    @property
    def host(self) -> str:
        """The name that people know the farm by."""
        return urlsplit(self.farm.url).hostname or ""

    @property
    def authority(self) -> str:
        """The same as it stands in URLs: with the port, where there is one, and brackets around an IPv6 address."""
        return urlsplit(self.farm.url).netloc.lower()

    @property
    def needs_redis(self) -> bool:
        """Whether any plugin does."""
        return any(bundle.fragment.needs_redis for bundle in self.bundles)

    @property
    def farm_port(self) -> int:
        """Where the farm's own pages and API listen on loopback."""
        return self._port(self.farm.web, "web")

    @property
    def buildbot_port(self) -> int | None:
        """Where Buildbot's pages listen on loopback; None: there are none."""
        return None if self.farm.buildbot_web is None else self._port(self.farm.buildbot_web, "buildbot.web")

    @property
    def workers_port(self) -> int:
        """Where workers come to."""
        return self._port(self.farm.workers_listen, "workers_listen")

    @property
    def grpc_port(self) -> int | None:
        """Where the build service over gRPC listens; None: there is none."""
        return None if self.farm.grpc is None else self.farm.grpc.port

    @property
    def metrics_address(self) -> str:
        """Where Prometheus asks the farm."""
        return f"master:{INSIDE_PORT}" if self.stack.is_composed else f"{_LOOPBACK}:{self.farm_port}"

    def address(self, part: str) -> str:
        """Where one of `PORTS` is reached by the others, as `host:port`."""
        return f"{part if self.stack.is_composed else _LOOPBACK}:{self.port(part)}"

    def port(self, part: str) -> int:
        """Where one of `PORTS` listens."""
        return self.stack.ports.get(part, PORTS[part])

    def service_address(self, service: Service) -> str:
        """Where a service of a plugin is reached, as `host:port`."""
        host = self.service_host(service)
        return f"{host if self.stack.is_composed else _LOOPBACK}:{service.port}"

    def service_host(self, service: Service) -> str:
        """The name that containers find a service by: a sidecar by that of the service that it is beside."""
        return service.beside or service.name

    def service(self, name: str) -> tuple[Bundle, Service] | None:
        """A service of a plugin by its name."""
        for bundle in self.bundles:
            for service in bundle.fragment.services:
                if service.name == name:
                    return bundle, service
        return None

    def internal_urls(self) -> dict[str, str]:
        """`PLUGIN_X_INTERNAL_URL` of every plugin that is there and can be reached."""
        urls = {}
        for bundle in self.bundles:
            found = bundle.service(bundle.fragment.internal)
            if found is not None:
                urls[internal_variable(bundle.name)] = f"http://{self.service_address(found)}"
        return urls

    def secret_path(self, name: str) -> str:
        """Where a program finds a secret."""
        return f"/run/secrets/{name}" if self.stack.is_composed else credential_path(name)

    def local_workers(self) -> tuple[str, ...]:
        """The workers that run on this machine, by name."""
        return tuple(sorted(name for name, worker in self.stack.workers.items() if worker.folder is not None))

    def worker_targets(self) -> Iterator[WorkerTarget]:
        """Every worker that Prometheus asks, by name."""
        here = self.local_workers()
        for name, worker in sorted(self.stack.workers.items()):
            if worker.metrics is not None:
                url = urlsplit(worker.metrics)
                yield WorkerTarget(name=name, address=url.netloc, scheme=url.scheme)
            elif name in here:
                local = f"{_LOOPBACK}:{WORKER_PORT + here.index(name)}"
                address = f"worker-{name}:{WORKER_PORT}" if self.stack.is_composed else local
                yield WorkerTarget(name=name, address=address, scheme="http")

    def check(self) -> None:
        """Nothing; ConfigError when the two files cannot be had together."""
        for name in self.stack.workers:
            if name not in self.farm.workers:
                hint = nearest(name, self.farm.workers) or f"ci-toolkit farm master add-worker enters {name}"
                raise ConfigError("is no worker of farm.toml", file="stack.toml", key=f"workers.{name}", hint=hint)
        if not self.farm.web.startswith("tcp:") or f"interface={_LOOPBACK}" not in self.farm.web:
            hint = f'web = "tcp:8010:interface={_LOOPBACK}"'
            raise ConfigError(
                "is not on loopback, where the proxy looks for it",
                file="farm.toml",
                key="web",
                got=self.farm.web,
                hint=hint,
            )
        for key, url in (("url", self.farm.url), ("buildbot.url", self.farm.buildbot_url)):
            _split(url, file="farm.toml", key=key)
        for name, worker in self.stack.workers.items():
            _split(worker.metrics or "", file="stack.toml", key=f"workers.{name}.metrics")
        _ = (self.farm_port, self.buildbot_port, self.workers_port)
        if not self.farm.is_public and not self.stack.prometheus.sends_token:
            hint = "add a client to the farm, put its token into secrets/farm-token, and set it to true"
            raise ConfigError(
                "is false, and farm.toml says public = false", file="stack.toml", key="prometheus.token", hint=hint
            )

    def _port(self, endpoint: str, key: str) -> int:
        found = _TCP.fullmatch(endpoint)
        if found is None or not 0 < int(found[1]) < 65536:
            raise ConfigError(
                "names no port", file="farm.toml", key=key, got=endpoint, hint="tcp:PORT or ssl:PORT first"
            )
        return int(found[1])


def _split(url: str, *, file: str, key: str) -> None:
    """Nothing; ConfigError for what only looks like a URL."""
    try:
        _ = urlsplit(url).port
    except ValueError as error:
        raise ConfigError(f"is no URL: {error}", file=file, key=key, got=url) from error


def internal_variable(plugin: str) -> str:
    """The variable that has the URL of a plugin."""
    return f"PLUGIN_{re.sub('[^A-Z0-9]', '_', plugin.upper())}_INTERNAL_URL"
