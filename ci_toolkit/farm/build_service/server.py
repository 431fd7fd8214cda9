"""Serves the build service beside the farm's API: its methods, whether it is well, and what there is.

It has a thread with a loop of its own, since what serves the API knows nothing of gRPC. Health and reflection are
those that every client of gRPC knows: `grpc.health.v1.Health` and `grpc.reflection.v1alpha.ServerReflection`.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from ci_toolkit.backends.build_service import build_service_pb2_grpc as rpc
from ci_toolkit.backends.build_service.messages import SERVICE
from ci_toolkit.errors import MachineError, ToolkitError
from ci_toolkit.farm.build_service.calls import Calls
from ci_toolkit.farm.build_service.servicer import BuildServiceServicer
from ci_toolkit.farm.build_service.statuses import Refusal
from ci_toolkit.farm.web.access import Access, caller
from ci_toolkit.farm.web.asking import faults_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from ci_toolkit.farm.web.desk import Desk

    _Handler: TypeAlias = grpc.RpcMethodHandler[Any, Any] | None

log = logging.getLogger(__name__)

MOST_MESSAGE_BYTES = 16 << 20
"""What one message may have; a schedule comes in as many as it needs."""
_MOST_CALLS = 256
_OPTIONS = (
    ("grpc.max_receive_message_length", MOST_MESSAGE_BYTES),
    ("grpc.max_concurrent_streams", 100),
    ("grpc.max_metadata_size", 16 << 10),
    # A second master must not take half of the calls.
    ("grpc.so_reuseport", 0),
    # Whoever follows a log that is quiet may ask that often whether the farm is still there.
    ("grpc.http2.min_recv_ping_interval_without_data_ms", 10_000),
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    ("grpc.keepalive_permit_without_calls", 1),
)
_HEALTH = "/grpc.health.v1.Health/"
_ASKED_BY_ANYBODY = frozenset({f"{_HEALTH}Check"})
_GRACE_S = 2.0
_START_S = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerKeys:
    """A certificate with those that lead to its authority, and its key, both as PEM."""

    certificate: bytes
    key: bytes

    def __repr__(self) -> str:
        return "ServerKeys([hidden])"


class BuildServiceServer:
    """`start` it once, and `stop` it; both may be called by any thread.

    `read_keys` gives the certificate and key, anew for each connection; None for a service without encryption.
    `look_s` is how often it looks whether the farm is well.
    """

    def __init__(
        self, desk: Desk, listen: str, read_keys: Callable[[], ServerKeys] | None, *, look_s: float = 5.0
    ) -> None:
        self._desk, self._listen, self._read_keys, self._look_s = desk, listen, read_keys, look_s
        self._port: Future[int] = Future()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ending: asyncio.Event | None = None
        self._thread = threading.Thread(target=self._run, name="build-service", daemon=True)

    def start(self) -> int:
        """Serve; the port. MachineError when nobody can listen there."""
        self._thread.start()
        return self._port.result(_START_S)

    def stop(self) -> None:
        """Say that it is not well any more, give calls a moment to end, and end."""
        if self._loop is not None and self._ending is not None and self._loop.is_running():
            self._loop.call_soon_threadsafe(self._ending.set)
        self._thread.join(_GRACE_S + _START_S)

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except Exception as error:
            if self._port.done():
                log.exception("the build service")
            else:
                self._port.set_exception(error)

    async def _serve(self) -> None:
        self._loop, self._ending = asyncio.get_running_loop(), asyncio.Event()
        calls = Calls(desk=self._desk)
        server = grpc.aio.server(
            interceptors=(_Guard(self._desk),), options=_OPTIONS, maximum_concurrent_rpcs=_MOST_CALLS
        )
        well = health.aio.HealthServicer()
        rpc.add_BuildServiceServicer_to_server(BuildServiceServicer(calls), server)
        health_pb2_grpc.add_HealthServicer_to_server(well, server)
        reflection.enable_server_reflection((SERVICE, health.SERVICE_NAME, reflection.SERVICE_NAME), server)
        port = self._bind(server)
        await self._tell_health(well, calls)
        await server.start()
        self._port.set_result(port)
        try:
            while not await _is_set(self._ending, self._look_s):
                await self._tell_health(well, calls)
        finally:
            await well.enter_graceful_shutdown()
            await server.stop(_GRACE_S)
            calls.threads.shutdown()

    def _bind(self, server: grpc.aio.Server) -> int:
        try:
            if self._read_keys is None:
                return server.add_insecure_port(self._listen)
            return server.add_secure_port(self._listen, _credentials(self._read_keys))
        except RuntimeError as error:
            hint = "see who listens there, and that certificate and key are PEM and belong together"
            raise MachineError(
                f"cannot be listened on: {error}", key="grpc.listen", got=self._listen, hint=hint
            ) from None

    async def _tell_health(self, well: health.aio.HealthServicer, calls: Calls) -> None:
        faults = await calls.in_thread(lambda: faults_of(self._desk))
        is_well = not faults and not self._desk.ends.is_set()
        statuses = health_pb2.HealthCheckResponse
        status = statuses.SERVING if is_well else statuses.NOT_SERVING
        for service in ("", SERVICE):
            await well.set(service, status)


def _credentials(read_keys: Callable[[], ServerKeys]) -> grpc.ServerCredentials:
    """Certificate and key as they are at each connection: certificates are renewed while builds go on."""
    current = read_keys()

    def renewed() -> grpc.ServerCertificateConfiguration | None:
        nonlocal current
        try:
            found = read_keys()
        except ToolkitError as error:  # half of it may be written at this moment
            log.warning("the certificate that was there before is used: %s", error)
            return None
        if found == current:
            return None
        current = found
        return _configuration(current)

    # None means that nothing has changed, which the types leave out.
    return grpc.dynamic_ssl_server_credentials(_configuration(current), renewed)  # type: ignore[arg-type]


def _configuration(keys: ServerKeys) -> grpc.ServerCertificateConfiguration:
    return grpc.ssl_server_certificate_configuration([(keys.key, keys.certificate)])


class _Guard(grpc.aio.ServerInterceptor):
    """Lets nobody keep calls of health and reflection open who may not read; anybody may ask once how it is."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[_Handler]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> _Handler:
        """What answers a call."""
        method = str(handler_call_details.method)
        if method.startswith(f"/{SERVICE}/") or method in _ASKED_BY_ANYBODY:
            return await continuation(handler_call_details)
        sent = dict(handler_call_details.invocation_metadata or ()).get("authorization")
        try:
            caller(self._desk.farm, sent if isinstance(sent, str | None) else "", Access.READ)
        except Exception as error:  # noqa: BLE001 - as of every other call
            return _refusing(Refusal(error, method, self._desk.redactor))
        return await continuation(handler_call_details)


def _refusing(refusal: Refusal) -> grpc.RpcMethodHandler[Any, Any]:
    """What answers any call, of whatever kind, before it has sent anything."""

    async def refuse(_: Any, context: grpc.aio.ServicerContext[Any, Any]) -> None:  # noqa: ANN401 - nothing is read
        await context.abort(refusal.code, refusal.details, refusal.metadata)

    return grpc.stream_stream_rpc_method_handler(refuse)


async def _is_set(event: asyncio.Event, within_s: float) -> bool:
    try:
        await asyncio.wait_for(event.wait(), within_s)
    except TimeoutError:
        return False
    return True
