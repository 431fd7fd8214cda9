"""A server that keeps what is PUT there, as a bucket does, with the faults of such servers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from tests.support.http_service import Exchange, HttpService

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass
class Asked:
    """One request."""

    method: str
    name: str
    authorization: str | None


@dataclass
class ObjectFault:
    """What goes wrong with requests whose `METHOD name` contains `part`, so often; `acts`: after it was done.

    As many as `skip` go well before; with `halves` the answer is cut off in the middle.
    """

    part: str
    status: int = 0
    times: int = 1
    acts: bool = False
    halves: bool = False
    skip: int = 0
    headers: dict[str, str] = field(default_factory=dict)


class ObjectService(HttpService):
    """Files by name; `saw` is called with each name before it is written, and `before` keeps what was there then."""

    def __init__(self, token: str | None = None) -> None:
        super().__init__(_ObjectExchange)
        self.files: dict[str, bytes] = {}
        self.token = token
        self.requests: list[Asked] = []
        self.faults: list[ObjectFault] = []
        self.seen: Callable[[str], object] = lambda _: None
        self.lies_about: str | None = None

    def fail(self, part: str, status: int = 0, **what: Any) -> None:
        """Add a fault; status 0 is a connection that is cut."""
        self.faults.append(ObjectFault(part, status, **what))

    def fault(self, method: str, name: str) -> ObjectFault | None:
        """The one that is meant for a request."""
        for fault in self.faults:
            if fault.times and fault.part in f"{method} {name}":
                if fault.skip:
                    fault.skip -= 1
                    continue
                fault.times -= 1
                return fault
        return None


class _ObjectExchange(Exchange):
    service: ObjectService

    def serve(self) -> None:
        name = unquote(urlsplit(self.path).path).removeprefix("/")
        service = self.service
        service.requests.append(Asked(self.command, name, self.headers.get("Authorization")))
        fault = service.fault(self.command, name)
        if fault is not None and fault.acts:
            self._done(name)
        if fault is not None and fault.halves:
            self.send(*self._done(name), {}, truncated=True)
            return
        if fault is not None and not fault.status:
            self.hang_up()
        elif fault is not None:
            self.send(fault.status, b"trouble", fault.headers)
        elif service.token is not None and self.headers.get("Authorization") != f"Bearer {service.token}":
            self.send(401, b"who are you?", {})
        else:
            self.send(*self._done(name), {})

    do_HEAD = Exchange._serve  # noqa: N815 - as the base's own names

    def send(self, status: int, content: bytes, headers: Any, *, truncated: bool = False) -> None:
        """To HEAD, the length alone."""
        if self.command != "HEAD":
            super().send(status, content, headers, truncated=truncated)
            return
        self.send_response(status)
        for key, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(key, value)
        self.end_headers()

    def _done(self, name: str) -> tuple[int, bytes]:
        files = self.service.files
        if self.command == "PUT":
            self.service.seen(name)
            lies = self.service.lies_about
            files[name] = self.body[:-1] if lies is not None and lies in name else self.body
            return 201, b""
        if self.command == "DELETE":
            return (204, b"") if files.pop(name, None) is not None else (404, b"")
        return (200, files[name]) if name in files else (404, b"no such file")
