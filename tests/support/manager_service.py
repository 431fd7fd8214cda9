"""A chaotic-manager's web pages on a loopback socket: its queue, and logs that grow."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

from tests.support.http_service import Exchange, HttpService

TEXT = "text/plain; charset=utf-8"
NOT_FOUND = b"\x1b[1;3;31mBuild task not found\x1b[0m "
_LOOK_S = 0.02
INVALID = b"\x1b[1;3;31mParameters are invalid or no parameters provided. Did you copy the querystring?\x1b[0m "


@dataclass
class Log:
    """A log: what is stored, and whether its build goes on.

    The connections of the first `cuts` readers break after what is stored; the first `forgotten` hear nothing after it.
    """

    stored: bytes
    live: bool = False
    cuts: int = 0
    forgotten: int = 0


@dataclass
class Raw:
    """An answer that the manager itself would not give."""

    status: int = 200
    content: bytes = b""
    kind: str = TEXT
    truncated: bool = False
    hang_s: float = 0.0
    headers: dict[str, str] = field(default_factory=dict)


class ManagerService(HttpService):
    """Answers as the manager does; `instead` has other answers by path."""

    def __init__(self) -> None:
        super().__init__(_Pages)
        self.active: list[dict[str, Any]] = []
        self.waiting: list[dict[str, Any]] = []
        self.idle: list[dict[str, Any]] = []
        self.logs: dict[str, Log] = {}
        self.instead: dict[str, Raw] = {}
        self.asked: list[str] = []

    def build(self, name: str, node: str, builder_class: int | str = 1, *, queued_ms: int | None = None) -> None:
        """A build that is going on; `name` is `repository/arch/package`."""
        record = {"name": name, "node": node, "build_class": builder_class}
        if queued_ms is not None:
            package = name.rpartition("/")[2]
            record["liveLog"] = f"https://logs.example.org/logs.html?timestamp={queued_ms}&id={package}"
        self.active.append(record)

    def queue(self, name: str, builder_class: int | str = 1) -> None:
        """One that waits."""
        self.waiting.append({"name": name, "build_class": builder_class})

    def stats(self) -> dict[str, Any]:
        """`/api/queue/stats`."""
        return {
            "active": {"count": len(self.active), "packages": self.active},
            "waiting": {"count": len(self.waiting), "packages": self.waiting},
            "idle": {"count": len(self.idle), "nodes": self.idle},
        }


class _Pages(Exchange):
    service: ManagerService

    def serve(self) -> None:
        self.service.asked.append(self.path)
        instead = self.service.instead.get(self.path)
        if instead is not None:
            self.service.wait(instead.hang_s)
            headers = {"Content-Type": instead.kind, **instead.headers}
            self.send(instead.status, instead.content, headers, truncated=instead.truncated)
        elif self.path == "/api/queue/stats":
            self._text(200, json.dumps(self.service.stats()).encode())
        elif self.path.startswith("/api/logs/"):
            self._log(self.path.removeprefix("/api/logs/"))
        else:
            self._text(404, b"Cannot GET")

    def _text(self, status: int, content: bytes) -> None:
        self.send(status, content, {"Content-Type": TEXT, "Cache-Control": "no-cache"})

    def _log(self, package: str) -> None:
        log = self.service.logs.get(package)
        if re.fullmatch(r"[a-z0-9_.+-]+", package) is None:
            self._text(400, INVALID)
        elif log is None:
            self._text(404, NOT_FOUND)
        else:
            self._stream(log)

    def _stream(self, log: Log) -> None:
        self.send_response(200)
        self.send_header("Content-Type", TEXT)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        sent, is_cut, is_forgotten = 0, log.cuts > 0, log.forgotten > 0
        log.cuts -= is_cut
        log.forgotten -= is_forgotten
        while not self.service.is_closing:
            is_last, new = not log.live, log.stored[sent:]
            if new:
                self.wfile.write(b"%x\r\n%s\r\n" % (len(new), new))
                sent += len(new)
            if is_cut:
                self.hang_up()
                return
            while is_forgotten and not self.service.is_closing:
                self.service.wait(_LOOK_S)
            if is_last:
                self.wfile.write(b"0\r\n\r\n")
                return
            self.service.wait(_LOOK_S)
        self.close_connection = True
