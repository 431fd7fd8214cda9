"""A connection to a farm's build service: whom it speaks to, as whom, and what becomes of faults."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

import grpc

from ci_toolkit.backends.build_service import build_service_pb2_grpc as rpc
from ci_toolkit.effects.token import FARM_VARIABLES, first_token
from ci_toolkit.errors import ConfigError, NotReadyError, RefusedError, shortened
from ci_toolkit.formats.service_url import is_loopback

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ci_toolkit.backends.spec import BackendTools
    from ci_toolkit.effects.clock import Clock
    from ci_toolkit.effects.token import Token
    from ci_toolkit.model.job import Job

T = TypeVar("T")
HINT_KEY = "hint-bin"
CALL_S = 120.0
_OPTIONS = (
    ("grpc.max_receive_message_length", 16 << 20),
    # A farm that is gone without a word is noticed also while a log is quiet.
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    ("grpc.max_reconnect_backoff_ms", 2_000),
    ("grpc.enable_retries", 0),  # what may be repeated is known here
)
_ATTEMPTS, _BACKOFF_S = 5, 0.5
_PASSING = frozenset({grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED})
_TOKEN_KEY = FARM_VARIABLES[0]
_SAID_MAX = 500


class FaultError(Exception):
    """What the farm, or the way to it, said instead of an answer; `said` is without the hint."""

    def __init__(self, error: grpc.RpcError, token: Token) -> None:
        super().__init__()
        self.code: grpc.StatusCode = error.code() if isinstance(error, grpc.Call) else grpc.StatusCode.UNKNOWN
        details = (error.details() if isinstance(error, grpc.Call) else None) or self.code.name.lower()
        self.hint = _hint(error)
        if self.hint is not None:
            details = details.removesuffix(f" ({self.hint})")
        self.said = _plain(token.hidden_in(details))

    @property
    def is_passing(self) -> bool:
        """Whether it may be otherwise a moment later."""
        return self.code in _PASSING


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """One farm; `metadata` goes with every call, and holds the token."""

    stub: Any  # generated, and without types
    metadata: tuple[tuple[str, str], ...]
    token: Token
    clock: Clock

    def ask(self, method: str, request: Any, *, timeout_s: float = CALL_S) -> Any:  # noqa: ANN401 - messages of the service
        """The answer to one request, asked once; FaultError otherwise."""
        call = getattr(self.stub, method)
        with self._faults():
            return call(request, timeout=timeout_s, metadata=self.metadata)

    def parts(self, method: str, request: Any, *, timeout_s: float | None = CALL_S) -> Iterator[Any]:  # noqa: ANN401 - likewise
        """The parts of an answer as they come; FaultError when they end otherwise than the farm meant them to."""
        with self._faults():
            call = getattr(self.stub, method)(request, timeout=timeout_s, metadata=self.metadata)
            try:
                yield from call
            finally:
                call.cancel()

    def again(self, ask: Callable[[], T]) -> T:
        """What `ask` gives that may be asked again and again, as it changes nothing, or nothing twice."""
        attempt = 1
        while True:
            try:
                return ask()
            except FaultError as error:
                if not error.is_passing or attempt == _ATTEMPTS:
                    raise
            self.clock.sleep(_BACKOFF_S * 2 ** (attempt - 1))
            attempt += 1

    @contextmanager
    def _faults(self) -> Iterator[None]:
        try:
            yield
        except grpc.RpcError as error:
            raise FaultError(error, self.token) from None  # its text may have what was sent


@contextmanager
def connected(tools: BackendTools) -> Iterator[Connection]:
    """The farm at CI_FARM_URL, as the client whose token is in CI_FARM_TOKEN; ConfigError for what is not set right."""
    token = _token(tools)
    channel = _channel(tools, token)
    try:
        yield Connection(
            stub=rpc.BuildServiceStub(channel),
            metadata=tuple((key.lower(), value) for key, value in token.header("Bearer").items()),
            token=token,
            clock=tools.clock,
        )
    finally:
        channel.close()


@contextmanager
def telling(tools: BackendTools, job: Job | None = None) -> Iterator[Connection]:
    """Likewise, with faults as errors of a backend; those of `job` name its package."""
    package = job.pkgbase if job else None
    with connected(tools) as farm:
        try:
            yield farm
        except FaultError as error:
            if error.code is grpc.StatusCode.FAILED_PRECONDITION:
                raise RefusedError(error.said, package=package, hint=error.hint) from error
            if error.code is grpc.StatusCode.NOT_FOUND and job is not None:
                raise NotReadyError(error.said, package=package, hint=error.hint) from error
            raise NotReadyError(f"the farm: {error.said}", hint=what_to_do(error)) from error


def what_to_do(error: FaultError) -> str:
    """What a person does about a fault: what the farm says, or else what such faults mostly come from."""
    if error.hint is not None:
        return error.hint
    if error.code is grpc.StatusCode.UNIMPLEMENTED:
        return "the farm does not know this: CI_FARM_URL is no build service, or one of an earlier version"
    if error.code in (grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED):
        return f"{_TOKEN_KEY} holds the token of this repository's client"
    if "certificate" in error.said.lower() or "handshake" in error.said.lower() or "ssl" in error.said.lower():
        return "set CI_FARM_CA to a file with the farm's authority, and see that CI_FARM_URL has the certificate's name"
    if error.is_passing or error.code is grpc.StatusCode.DEADLINE_EXCEEDED:
        return "see that the farm runs, and that CI_FARM_URL is where [grpc] of its farm.toml listens; then try again"
    return "the farm's log says more"


def _channel(tools: BackendTools, token: Token) -> grpc.Channel:
    settings = tools.settings
    if settings.farm_url is None:
        raise ConfigError("is missing", key="CI_FARM_URL", hint="the address of the build service: https://host:9190")
    parts = urlsplit(settings.farm_url)
    shown = token.hidden_in(settings.farm_url)
    try:
        port = parts.port
    except ValueError:
        port = 0
    is_plain = bool(parts.hostname) and "@" not in parts.netloc and parts.path in ("", "/") and not parts.query
    if parts.scheme not in ("https", "http") or not is_plain or port == 0:
        raise ConfigError("is no address of a build service", key="CI_FARM_URL", got=shown, hint="https://host:9190")
    host = parts.hostname or ""
    target = f"dns:///{f'[{host}]' if ':' in host else host}:{port or (443 if parts.scheme == 'https' else 80)}"
    if parts.scheme == "http":
        if not is_loopback(host) and not settings.allow_local_upstreams:
            raise ConfigError(
                "is not encrypted, and a token would be sent to it", key="CI_FARM_URL", got=shown, hint="write https://"
            )
        return grpc.insecure_channel(target, options=_OPTIONS)
    return grpc.secure_channel(target, grpc.ssl_channel_credentials(_authority(settings.farm_ca)), options=_OPTIONS)


def _authority(file: str | None) -> bytes | None:
    """Certificates to trust; None for those that are trusted anyway."""
    if file is None:
        return None
    try:
        return Path(file).read_bytes()
    except OSError as error:
        raise ConfigError("is no file of certificates", key="CI_FARM_CA", got=file) from error


def _token(tools: BackendTools) -> Token:
    try:
        token = first_token(tools.environ, FARM_VARIABLES)
    except ValueError:
        raise ConfigError("holds something that is no token", key=_TOKEN_KEY) from None
    if token is None:
        raise ConfigError("is missing", key=_TOKEN_KEY, hint="the farm's operator gives one to each repository")
    return token


def _hint(error: grpc.RpcError) -> str | None:
    if not isinstance(error, grpc.Call):
        return None
    for key, value in error.trailing_metadata() or ():
        if key == HINT_KEY:
            return _plain(value.decode(errors="replace") if isinstance(value, bytes) else value)
    return None


def _plain(text: str) -> str:
    """One line of what strangers may have written."""
    return shortened("".join(sign if sign.isprintable() else " " for sign in text), _SAID_MAX)
