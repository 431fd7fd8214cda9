"""Services on a loopback socket; those with a JSON API have faults on demand and a record of what was asked."""

from __future__ import annotations

import json
import re
import socket
import sys
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import parse_qsl, urlsplit

from tests.support.certificates import server_context

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

JSON = {"Content-Type": "application/json; charset=utf-8"}


@dataclass
class Request:
    """One request; `body` is its JSON value, None without one."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: Any
    raw: bytes = b""


@dataclass
class Reply:
    """An answer; a value that is not bytes is sent as JSON."""

    status: int = 200
    value: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)

    def content(self) -> bytes:
        return (
            self.value
            if isinstance(self.value, bytes)
            else b""
            if self.value is None
            else json.dumps(self.value).encode()
        )


@dataclass
class Fault:
    """What goes wrong with requests whose `METHOD path` matches; `acts`: after the service has done as it was asked."""

    pattern: str
    reply: Reply | None = None
    acts: bool = False
    hang_s: float = 0.0
    cut: bool = False
    truncate: bool = False
    times: int | None = None


class HttpService:
    """A server for `with`; `url` is its address, and what becomes of a request is the matter of an `Exchange`."""

    def __init__(self, exchange: type[Exchange], *, port: int = 0) -> None:
        self._closing = threading.Event()
        self._server = _Server(("127.0.0.1", port), exchange)
        self._server.service = self
        self.host = f"127.0.0.1:{self._server.server_port}"
        self.url = f"http://{self.host}"
        self._thread = threading.Thread(target=self._accept, daemon=True)

    def encrypt(self, certificate: Path) -> None:
        """Speak TLS from now on, with the key in `key.pem` beside the certificate."""
        self._server.socket = server_context(certificate).wrap_socket(self._server.socket, server_side=True)
        self.url = self.url.replace("http://", "https://")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        # A last client, because whoever waits for one sees nothing else; polling would make every test wait at its end.
        socket.create_connection(("127.0.0.1", self._server.server_port)).close()
        self._thread.join()
        self._server.server_close()

    def _accept(self) -> None:
        while not self._closing.is_set():
            self._server.handle_request()

    @property
    def is_closing(self) -> bool:
        """Whether nobody is to be answered any more."""
        return self._closing.is_set()

    def wait(self, seconds: float) -> None:
        """Sleep, but not past the end of the server."""
        if seconds:
            self._closing.wait(seconds)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256
    service: HttpService

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that goes away is no matter; anything else is shown with the test that fails for it."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]  # as it was handed to us


class Exchange(BaseHTTPRequestHandler):
    """A request of `command` for `path` with `headers` and `body`, and the ways to answer it."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server
    service: Any
    body: bytes

    def setup(self) -> None:
        super().setup()
        self.service = self.server.service

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name in the base
        pass

    def _serve(self) -> None:
        self.body = self._read_body()
        self.serve()

    do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = _serve  # noqa: N815 - names that the base looks for

    def serve(self) -> None:
        """Answer, or not."""
        raise NotImplementedError

    def send(self, status: int, content: bytes, headers: Mapping[str, str], *, truncated: bool = False) -> None:
        """The answer; a truncated one is half of what it says it is."""
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if status != 304:
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[: len(content) // 2] if truncated else content)
        if truncated:
            self.hang_up()

    def hang_up(self) -> None:
        """No more is said, nor heard."""
        self.wfile.flush()
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def _read_body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", "0")))
        parts = []
        while size := int(self.rfile.readline(), 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)


class JsonService(HttpService):
    """A service with a JSON API; subclasses answer."""

    def __init__(self) -> None:
        super().__init__(_JsonExchange)
        self.requests: list[Request] = []
        self.faults: list[Fault] = []

    def answer(self, request: Request) -> Reply:
        """What the service does."""
        raise NotImplementedError

    def fail(self, pattern: str, status: int | None = None, value: Any = None, **what: Any) -> Fault:
        """Add a fault; `headers` are those of its answer, all others the fields of Fault."""
        headers = what.pop("headers", JSON)
        reply = None if status is None else Reply(status, value, headers)
        fault = Fault(pattern, reply, **what)
        self.faults.append(fault)
        return fault

    def asked(self, pattern: str = ".*") -> list[Request]:
        """The requests whose `METHOD path` matches."""
        return [one for one in self.requests if re.fullmatch(pattern, f"{one.method} {one.path}")]

    def note(self, request: Request) -> Fault | None:
        """Record a request and find the fault that is meant for it."""
        self.requests.append(request)
        for fault in self.faults:
            if fault.times != 0 and re.fullmatch(fault.pattern, f"{request.method} {request.path}"):
                if fault.times is not None:
                    fault.times -= 1
                return fault
        return None


class _JsonExchange(Exchange):
    service: JsonService

    def serve(self) -> None:
        parts = urlsplit(self.path)
        request = Request(
            method=self.command,
            path=parts.path,
            query=dict(parse_qsl(parts.query, keep_blank_values=True)),
            headers=dict(self.headers.items()),
            body=json.loads(self.body) if self.body else None,
            raw=self.body,
        )
        fault = self.service.note(request)
        if fault is None:
            self._reply(self.service.answer(request))
            return
        reply = self.service.answer(request) if fault.acts or fault.reply is None else None
        self.service.wait(fault.hang_s)
        if fault.cut:
            self.hang_up()
            return
        self._reply(fault.reply or reply or Reply(), truncated=fault.truncate)

    def _reply(self, reply: Reply, *, truncated: bool = False) -> None:
        content = reply.content()
        self.send(reply.status, content, {**(JSON if content else {}), **reply.headers}, truncated=truncated)


class FakeClock:
    """A clock that stands still but for its own sleeps, which it keeps."""

    def __init__(self, start: float = 1_800_000_000.0) -> None:
        self.time = start
        self.sleeps: list[float] = []

    def now(self) -> float:
        return self.time

    def monotonic(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        if seconds > 0:
            self.sleeps.append(seconds)
            self.time += seconds


def paged(rows: list[Any], request: Request, base: str, *, size_key: str, most: int) -> tuple[list[Any], str | None]:
    """One page, and the URL of the next one if there is one."""
    size = min(most, int(request.query.get(size_key, 30)))
    page = int(request.query.get("page", 1))
    following = None
    if page * size < len(rows):
        query = "&".join(f"{key}={value}" for key, value in {**request.query, "page": str(page + 1)}.items())
        following = f"{base}{request.path}?{query}"
    return rows[(page - 1) * size : page * size], following


def routes(table: Mapping[str, Callable[..., Reply]], request: Request) -> Reply:
    """What the first function whose pattern matches `METHOD path` says; it gets the request and the groups."""
    for pattern, function in table.items():
        found = re.fullmatch(pattern, f"{request.method} {request.path}")
        if found is not None:
            return function(request, *found.groups())
    return Reply(404, {"message": "Not Found", "status": "404"})
