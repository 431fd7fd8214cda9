"""The application behind Twisted: what may be sent is decided by the headers, before anything of a body is read.

Twisted puts long bodies into files. Nobody but clients of the farm gets that far: a body without a token that somebody
has, without a length, or of a length or type that no route takes is answered at once, and whatever comes is dropped.
"""

from __future__ import annotations

import json
from io import BytesIO
from typing import TYPE_CHECKING, Any

from twisted.internet import endpoints
from twisted.internet.threads import deferToThreadPool
from twisted.python.threadpool import ThreadPool
from twisted.web.server import Request, Site
from twisted.web.wsgi import WSGIResource

from ci_toolkit.farm.web.access import WRITE_CHALLENGE, Access, client_of, unauthorized
from ci_toolkit.farm.web.answers import error_record
from ci_toolkit.farm.web.app import desk_of, end_app
from ci_toolkit.farm.web.intake import MOST_BYTES
from ci_toolkit.farm.web.request_counting import OTHER_METHOD, UNKNOWN_ROUTE
from ci_toolkit.farm.web.route import JSON_TYPE, SMALL_BYTES
from ci_toolkit.farm.web.routes import SCHEDULE_TYPE

if TYPE_CHECKING:
    from flask import Flask
    from twisted.internet.defer import Deferred
    from twisted.internet.interfaces import IListeningPort
    from twisted.web import http

    from ci_toolkit.farm.web.desk import Desk

THREADS = 24
_LIMITS = {SCHEDULE_TYPE: MOST_BYTES, JSON_TYPE: SMALL_BYTES}
_REASONS = {401: "Unauthorized", 411: "Length Required", 413: "Content Too Large", 415: "Unsupported Media Type"}
# Who is still sending when the connection is closed loses the answer on the way.
_LINGER_S = 2.0
_IDLE_S = 60


def farm_site(app: Flask, reactor: Any) -> Site:  # noqa: ANN401 - what twisted.internet has a module for
    """What serves the application in threads of its own, which end with the reactor."""
    pool = ThreadPool(minthreads=2, maxthreads=THREADS, name="farm-web")
    pool.start()

    def end() -> Deferred[None]:
        desk_of(app).ends.set()
        # Not here: what still answers in one of these threads has the reactor send it, and waits for that.
        ended: Deferred[None] = deferToThreadPool(reactor, reactor.getThreadPool(), pool.stop)
        return ended.addCallback(lambda _: end_app(app))

    reactor.addSystemEventTrigger("before", "shutdown", end)
    return _FarmSite(WSGIResource(reactor, pool, app), desk_of(app), reactor)


def listen(site: Site, description: str, reactor: Any) -> Deferred[IListeningPort]:  # noqa: ANN401 - as above
    """Serve at an endpoint, such as `tcp:8011:interface=127.0.0.1` or `ssl:443:privateKey=key.pem:certKey=cert.pem`."""
    listening: Deferred[IListeningPort] = endpoints.serverFromString(reactor, description).listen(site)
    return listening


class _FarmSite(Site):
    def __init__(self, resource: WSGIResource, desk: Desk, reactor: Any) -> None:  # noqa: ANN401 - as above
        super().__init__(resource, requestFactory=_GuardedRequest, timeout=_IDLE_S, reactor=reactor)
        self.desk = desk
        # Nobody reads the lines that this would write of every request.
        self.noisy = False

    def log(self, request: http.Request) -> None:
        """Nothing: a proxy in front has a log of requests, and what goes wrong is logged where it does."""

    def acceptableProtocols(self) -> list[bytes]:  # noqa: N802 - Twisted's name
        """HTTP/1.1 alone, whatever libraries are there for others."""
        return [b"http/1.1"]


class _GuardedRequest(Request):
    """A request whose body is read only if it is one that is wanted."""

    is_refused = False

    def gotLength(self, length: int | None) -> None:  # noqa: N802 - Twisted's name
        """All headers are there, and nothing else of it was looked at."""
        refused = None if length == 0 else self._refusal(length)
        if refused is None:
            super().gotLength(length)
            return
        self.is_refused = True
        if self._kind == SCHEDULE_TYPE:
            self._served_by.desk.metrics.submitted("denied" if refused[0] == 401 else "malformed")
        self._served_by.desk.metrics.refused_unread(UNKNOWN_ROUTE, OTHER_METHOD, refused[0])
        self.content = BytesIO()
        self._answer(*refused)

    def handleContentChunk(self, data: bytes) -> None:  # noqa: N802 - Twisted's name
        """More of the body; of one that is refused nothing is kept."""
        if not self.is_refused:
            super().handleContentChunk(data)

    def requestReceived(self, command: bytes, path: bytes, version: bytes) -> None:  # noqa: N802 - Twisted's name
        """All of it is there; what was refused is over with that."""
        if self.is_refused:
            self.channel.loseConnection()
            return
        super().requestReceived(command, path, version)

    @property
    def _served_by(self) -> _FarmSite:
        site: _FarmSite = self.channel.site  # type: ignore[attr-defined]  # Twisted gives it to every channel
        return site

    def _refusal(self, length: int | None) -> tuple[int, str, str | None] | None:
        if client_of(self._served_by.desk.farm, self._header(b"Authorization"), is_reading=False) is None:
            error = unauthorized(Access.WRITE)
            return 401, error.problem, error.hint
        if length is None:
            return 411, "the request has to say how long it is", None
        kind = self._kind
        if kind not in _LIMITS:
            return 415, f"what is sent here has the type {' or '.join(sorted(_LIMITS))}", None
        if length > _LIMITS[kind]:
            return 413, f"what is sent here has at most {_LIMITS[kind]:,} bytes", None
        return None

    @property
    def _kind(self) -> str:
        return self._header(b"Content-Type").partition(";")[0].strip().lower()

    def _header(self, name: bytes) -> str:
        """A header as WSGI gives it to the application: any byte is a character."""
        values = self.requestHeaders.getRawHeaders(name) or [b""]
        return values[0].decode("latin-1")

    def _answer(self, status: int, problem: str, hint: str | None) -> None:
        """Answer now, and drop what comes until the other side has had time to read that."""
        body = json.dumps(error_record(problem, hint)).encode() + b"\n"
        lines = [
            f"HTTP/1.1 {status} {_REASONS[status]}",
            "Content-Type: application/json",
            f"Content-Length: {len(body)}",
            "Cache-Control: no-store",
            "Connection: close",
        ]
        lines += [f"WWW-Authenticate: {WRITE_CHALLENGE}"] if status == 401 else []
        self.channel.write("\r\n".join([*lines, "", ""]).encode() + body)
        later: Any = self._served_by.reactor
        later.callLater(_LINGER_S, self.channel.loseConnection)
