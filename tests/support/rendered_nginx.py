"""A real nginx with a rendered configuration, on ports and places of this machine."""

from __future__ import annotations

import http.client
import json
import os
import re
import shutil
import ssl
import subprocess
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ci_toolkit.stack.proxy.nginx import nginx_outputs, tls_folder
from tests.support.certificates import self_signed
from tests.support.farm_stand import free_port
from tests.support.http_service import Exchange, HttpService

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from ci_toolkit.stack.deployment import Deployment

FIRST_LINE = b"the first line\n"


class Echo(HttpService):
    """Says what was asked of it; `/…follow=1` has a first line at once, and ends when `released` is set."""

    def __init__(self, name: str) -> None:
        super().__init__(_EchoExchange)
        self.name = name
        self.released = threading.Event()

    @property
    def port(self) -> str:
        """Where it listens."""
        return self.host.rpartition(":")[2]


class _EchoExchange(Exchange):
    service: Echo

    def serve(self) -> None:
        if "follow=1" in self.path:
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            self.wfile.write(f"{len(FIRST_LINE):x}\r\n".encode() + FIRST_LINE + b"\r\n")
            self.wfile.flush()
            self.service.released.wait(20)
            self.wfile.write(b"0\r\n\r\n")
            return
        said = {
            "who": self.service.name,
            "path": self.path,
            "headers": {name.lower(): value for name, value in self.headers.items()},
            "length": len(self.body),
        }
        self.send(200, json.dumps(said).encode(), {})

    def _read_body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))


class Answer:
    """What was answered; `said` is what an `Echo` did."""

    def __init__(self, answer: http.client.HTTPResponse) -> None:
        self.status = answer.status
        self.headers = {name.lower(): value for name, value in answer.getheaders()}
        self.body = answer.read()

    @property
    def said(self) -> dict[str, object]:
        """The request as it arrived."""
        return dict(json.loads(self.body))


class RunningNginx:
    """Where it listens by the port that was rendered, as `80`, and how it is asked there."""

    def __init__(self, folder: Path, ports: Mapping[str, int]) -> None:
        self.ports = ports
        self._context = ssl.create_default_context(cafile=folder / "tls/cert.pem")

    def connected(
        self, *, source: str = "127.0.0.1", port: str = "443", timeout_s: float = 20
    ) -> http.client.HTTPConnection:
        """A connection from an address of this machine."""
        here = ("127.0.0.1", self.ports[port])
        if port != "443":
            return http.client.HTTPConnection(*here, timeout=timeout_s)
        return http.client.HTTPSConnection(*here, timeout=timeout_s, context=self._context, source_address=(source, 0))

    def ask(self, path: str, *, body: bytes | None = None, source: str = "127.0.0.1", port: str = "443") -> Answer:
        """An answer; with a body the request is a POST."""
        connection = self.connected(source=source, port=port)
        try:
            connection.request("GET" if body is None else "POST", path, body=body)
            return Answer(connection.getresponse())
        finally:
            connection.close()


@contextmanager
def running_nginx(deployment: Deployment, folder: Path, moved: Mapping[str, str]) -> Iterator[RunningNginx]:
    """Started with what is rendered, where `moved` has addresses that are elsewhere here."""
    ports: dict[str, int] = {}
    for output in nginx_outputs(deployment):
        path = folder / output.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(_here(output.content.decode(), deployment, folder, moved, ports))
    (folder / "tls").mkdir()
    shutil.move(self_signed(folder / "tls"), folder / "tls/cert.pem")
    argv = ("nginx", "-p", folder, "-c", folder / "nginx/nginx.conf", "-g", "daemon off;")
    process = subprocess.Popen(argv, stderr=subprocess.PIPE)
    try:
        while not (folder / "nginx.pid").exists():
            assert process.poll() is None, process.communicate()[1].decode()
            time.sleep(0.01)
        yield RunningNginx(folder, ports)
    finally:
        process.terminate()
        process.communicate()


def _here(text: str, deployment: Deployment, folder: Path, moved: Mapping[str, str], ports: dict[str, int]) -> str:
    owner = "root" if os.getuid() == 0 else "nobody"
    places = {
        tls_folder(deployment): f"{folder}/tls",
        "include /etc/nginx/mime.types;": "types { text/html html; }",
        "access_log /dev/stdout;": "access_log off;",
        "access_log syslog:server=unix:/dev/log,nohostname,tag=nginx;": "access_log off;",
        "pid /run/nginx.pid;": f"pid {folder}/nginx.pid;",
        "user nginx;": f"user {owner};",
        "user www-data;": f"user {owner};",
        "http2 on;": "",
    }
    for old, new in (places | dict(moved)).items():
        text = text.replace(old, new)
    text = re.sub(r"listen \[::\]:\d+.*;", "", text)

    def listen(found: re.Match[str]) -> str:
        ports[found[1]] = ports.get(found[1]) or free_port()
        return f"listen 127.0.0.1:{ports[found[1]]}"

    return re.sub(r"listen (\d+)", listen, text)
