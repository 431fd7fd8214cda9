"""A service with a JSON API on a loopback socket: real HTTP, faults on demand, and a record of what was asked."""

from __future__ import annotations

import json
import re
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
    """A server for `with`; subclasses answer."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.faults: list[Fault] = []
        self._closing = threading.Event()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.service = self
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    def encrypt(self, certificate: Path) -> None:
        """Speak TLS from now on, with the key in `key.pem` beside the certificate."""
        self._server.socket = server_context(certificate).wrap_socket(self._server.socket, server_side=True)
        self.url = self.url.replace("http://", "https://")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

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

    def wait(self, seconds: float) -> None:
        """Sleep, but not past the end of the server."""
        if seconds:
            self._closing.wait(seconds)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    service: HttpService

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that goes away is no matter."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server
    disable_nagle_algorithm = True

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name in the base
        pass

    def _serve(self) -> None:
        service = self.server.service
        text = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        parts = urlsplit(self.path)
        request = Request(
            method=self.command,
            path=parts.path,
            query=dict(parse_qsl(parts.query, keep_blank_values=True)),
            headers=dict(self.headers.items()),
            body=json.loads(text) if text else None,
        )
        fault = service.note(request)
        if fault is None:
            self._send(service.answer(request))
            return
        reply = service.answer(request) if fault.acts or fault.reply is None else None
        service.wait(fault.hang_s)
        if fault.cut:
            self.close_connection = True
            return
        self._send(fault.reply or reply or Reply(), truncated=fault.truncate)

    do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = _serve  # noqa: N815 - names that the base looks for

    def _send(self, reply: Reply, *, truncated: bool = False) -> None:
        content = reply.content()
        self.send_response(reply.status)
        for name, value in {**(JSON if content else {}), **reply.headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[: len(content) // 2] if truncated else content)
        if truncated:
            self.close_connection = True


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
