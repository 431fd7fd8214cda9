"""A real registry of images on this machine, and a front before it that has faults on demand."""

from __future__ import annotations

import http.client
import os
import re
import shutil
import socket
import subprocess
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.support.http_service import Exchange, HttpService

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_MISSING = [program for program in ("docker-registry", "skopeo") if shutil.which(program) is None]
needs_registry = pytest.mark.skipif(
    bool(_MISSING) and not os.environ.get("CI"), reason=f"{' and '.join(_MISSING)} is not installed"
)
USER, PASSWORD = "robot", "canary-of-the-first-registry"
# bcrypt of it, as `htpasswd -nbB -C 4` writes it.
_HTPASSWD = "robot:$2y$04$abcdefghijklmnopqrstuuSVqwk.HAfxSDupDtjhDFgjEiOGm728e\n"
_CONFIG = """version: 0.1
log: {{level: error, accesslog: {{disabled: true}}}}
storage:
  filesystem: {{rootdirectory: {folder}}}
  delete: {{enabled: {deletes}}}
  maintenance: {{uploadpurging: {{enabled: false}}}}
http: {{addr: "127.0.0.1:{port}", secret: none, relativeurls: true}}
{auth}"""
_AUTH = "auth: {{htpasswd: {{realm: tests, path: {path}}}}}\n"


class Registry:
    """docker-registry within `with`; `host` is its address."""

    def __init__(self, folder: Path, *, deletes: bool = True, has_users: bool = False) -> None:
        self._folder, self._deletes, self._has_users = folder, deletes, has_users
        folder.mkdir(parents=True)
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.host = f"127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        users = self._folder / "users"
        users.write_text(_HTPASSWD)
        config = self._folder / "config.yml"
        text = _CONFIG.format(
            folder=self._folder / "data",
            deletes=str(self._deletes).lower(),
            port=self.port,
            auth=_AUTH.format(path=users) if self._has_users else "",
        )
        config.write_text(text)
        env = {"PATH": os.environ["PATH"], "HOME": str(self._folder), "OTEL_TRACES_EXPORTER": "none"}
        log = (self._folder / "log").open("wb")
        with log:
            self._process = subprocess.Popen(["docker-registry", "serve", str(config)], env=env, stdout=log, stderr=log)
        end = time.monotonic() + 20
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port)).close()
            except OSError:
                assert self._process.poll() is None, (self._folder / "log").read_text()
                assert time.monotonic() < end
                time.sleep(0.02)
            else:
                return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()


@dataclass
class FrontFault:
    """What goes wrong with requests whose `METHOD path` matches.

    `unread`: nobody listens to what is sent; `alter` changes what the registry has answered.
    """

    pattern: str
    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    content: bytes = b""
    cut: bool = False
    unread: bool = False
    alter: Callable[[int, dict[str, str], bytes], tuple[int, dict[str, str], bytes]] | None = None
    times: int | None = None


@dataclass(frozen=True)
class Asked:
    """One request that came to the front."""

    what: str
    authorization: str | None


class RegistryFront(HttpService):
    """Hands requests on to a registry, but for its faults; with `issues_tokens` it wants a token first."""

    def __init__(self, registry: Registry, *, issues_tokens: bool = False) -> None:
        super().__init__(_FrontExchange)
        self.registry = registry
        self.issues_tokens = issues_tokens
        self.tokens: list[str] = []
        self.asked: list[Asked] = []
        self.faults: list[FrontFault] = []

    def fail(self, pattern: str, status: int | None = None, **what: Any) -> FrontFault:
        """Add a fault."""
        fault = FrontFault(pattern, status, **what)
        self.faults.append(fault)
        return fault

    def fault_of(self, what: str) -> FrontFault | None:
        """The first fault that is meant for a request."""
        for fault in self.faults:
            if fault.times != 0 and re.fullmatch(fault.pattern, what):
                if fault.times is not None:
                    fault.times -= 1
                return fault
        return None


class _FrontExchange(Exchange):
    service: RegistryFront

    def _serve(self) -> None:
        fault = self.service.fault_of(f"{self.command} {urlsplit(self.path).path}")
        if fault is not None and fault.unread:
            self.hang_up()
            self.connection.close()
            return
        self.body = self._read_body()
        self._serve_with(fault)

    def _serve_with(self, fault: FrontFault | None) -> None:
        what = f"{self.command} {urlsplit(self.path).path}"
        authorization = self.headers.get("Authorization")
        self.service.asked.append(Asked(what, authorization))
        if fault is not None and fault.cut:
            self.hang_up()
        elif fault is not None and fault.status is not None:
            self._send(fault.status, fault.headers, fault.content)
        elif what == "GET /token":
            self._issue(authorization)
        elif self.service.issues_tokens and not self._has_token(authorization):
            challenge = f'Bearer realm="{self.service.url}/token",service="tests"'
            self._send(401, {"WWW-Authenticate": challenge}, b"")
        else:
            answer = self._forwarded()
            self._send(*(fault.alter(*answer) if fault is not None and fault.alter is not None else answer))

    do_HEAD = do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = _serve  # noqa: N815 - as the base has them

    def _issue(self, authorization: str | None) -> None:
        scope = parse_qs(urlsplit(self.path).query)["scope"][0]
        token = f"token-{len(self.service.tokens)}-{scope.replace(':', '.').replace('/', '.').replace(',', '.')}"
        if authorization is None:
            self._send(401, {}, b"")
            return
        self.service.tokens.append(token)
        self._send(200, {"Content-Type": "application/json"}, f'{{"token": "{token}"}}'.encode())

    def _has_token(self, authorization: str | None) -> bool:
        return authorization is not None and authorization.removeprefix("Bearer ") in self.service.tokens

    def _forwarded(self) -> tuple[int, dict[str, str], bytes]:
        upstream = http.client.HTTPConnection("127.0.0.1", self.service.registry.port, timeout=20)
        headers = {name: value for name, value in self.headers.items() if name.lower() != "connection"}
        if self.service.issues_tokens:
            headers.pop("Authorization", None)
        try:
            upstream.request(self.command, self.path, self.body, headers)
            answer = upstream.getresponse()
            kept = {name: value for name, value in answer.getheaders() if name.lower() not in ("connection", "date")}
            return answer.status, kept, answer.read()
        finally:
            upstream.close()

    def _send(self, status: int, headers: dict[str, str], content: bytes) -> None:
        self.send_response(status)
        length = headers.pop("Content-Length", str(len(content))) if self.command == "HEAD" else str(len(content))
        for name, value in headers.items():
            if name.lower() != "content-length":
                self.send_header(name, value)
        self.send_header("Content-Length", length)
        self.end_headers()
        self.wfile.write(content)
