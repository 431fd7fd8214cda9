"""Where a worker answers Prometheus and whoever wants to know whether it is well: two pages, and nothing else."""

from __future__ import annotations

import json
from io import BytesIO
from typing import TYPE_CHECKING

from twisted.application.service import Service
from twisted.internet.defer import gatherResults, maybeDeferred
from twisted.internet.error import CannotListenError
from twisted.web.resource import Resource
from twisted.web.server import Request, Site

from ci_toolkit.errors import NotReadyError
from ci_toolkit.farm.endpoints import server_endpoint
from ci_toolkit.farm.exposition import CONTENT_TYPE

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

    from twisted.python.failure import Failure
    from twisted.web import http

    from ci_toolkit.farm.worker_metrics import WorkerMetrics

METRICS_KEY = "metrics"
_IDLE_S = 30
_TOO_LONG = b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class MetricsService(Service):
    """Serves at the endpoint that the file of a worker names, for as long as the worker runs."""

    def __init__(self, metrics: WorkerMetrics, endpoint: str, file: Path, reactor: Any) -> None:  # noqa: ANN401 - what twisted.internet has a module for
        """ConfigError for what is no endpoint."""
        self._endpoint = server_endpoint(reactor, endpoint, key=METRICS_KEY, file=str(file))
        self._site = _QuietSite(_Pages(metrics), requestFactory=_BodilessRequest, timeout=_IDLE_S, reactor=reactor)
        self._file, self._named = file, endpoint
        self._ports: list[Any] = []

    def privilegedStartService(self) -> None:  # noqa: N802 - Twisted's name
        """Listen; NotReadyError where somebody else does."""
        super().privilegedStartService()
        failures: list[Failure] = []
        # All kinds of endpoints know at once whether they can.
        self._endpoint.listen(self._site).addCallbacks(self._ports.append, failures.append)
        for failure in failures:
            failure.trap(CannotListenError, OSError)
            said = getattr(failure.value, "socketError", failure.value)
            hint = "another program or worker of this machine is there already: each needs a port of its own"
            raise NotReadyError(
                f"cannot be listened at: {said}", file=str(self._file), key=METRICS_KEY, got=self._named, hint=hint
            ) from failure.value

    def stopService(self) -> Any:  # noqa: N802, ANN401 - Twisted's
        """Listen no more."""
        super().stopService()
        return gatherResults([maybeDeferred(port.stopListening) for port in self._ports])


class _QuietSite(Site):
    noisy = False

    def log(self, request: http.Request) -> None:
        """Nothing: nobody reads a line for each time that somebody has scraped."""


class _Pages(Resource):
    isLeaf = True  # noqa: N815 - Twisted's name

    def __init__(self, metrics: WorkerMetrics) -> None:
        super().__init__()
        self._metrics = metrics

    def render_GET(self, request: Request) -> bytes:  # noqa: N802 - Twisted's name
        """One of the two, or that there is no such page."""
        request.setHeader("X-Content-Type-Options", "nosniff")
        request.setHeader("Cache-Control", "no-store")
        match request.path:
            case b"/metrics":
                request.setHeader("Content-Type", CONTENT_TYPE)
                return self._metrics.text()
            case b"/healthz":
                fault = self._metrics.fault
                return _said(request, 200 if fault is None else 503, fault or "alive")
            case _:
                return _said(request, 404, "there are /metrics and /healthz")


def _said(request: Request, status: int, text: str) -> bytes:
    request.setResponseCode(status)
    request.setHeader("Content-Type", "application/json")
    return json.dumps({"said": text}).encode() + b"\n"


class _BodilessRequest(Request):
    """A request that brings nothing: Twisted would put what is long into files."""

    is_refused = False

    def gotLength(self, length: int | None) -> None:  # noqa: N802 - Twisted's name
        """All headers are there, and nothing else of it was looked at."""
        if length == 0:
            super().gotLength(length)
            return
        self.is_refused, self.content = True, BytesIO()
        self.channel.write(_TOO_LONG)
        self.channel.loseConnection()

    def handleContentChunk(self, data: bytes) -> None:  # noqa: N802 - Twisted's name
        """Nothing is kept of a body."""

    def requestReceived(self, command: bytes, path: bytes, version: bytes) -> None:  # noqa: N802 - Twisted's name
        """All of it is there; what was refused is answered."""
        if not self.is_refused:
            super().requestReceived(command, path, version)
