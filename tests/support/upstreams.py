"""Upstream services on a loopback socket: the AUR's metadata dump and git over HTTP, with their faults.

Real git answers everything but `ls-refs`, which is answered here from the refs on disk (or from `virtual`, for
benchmarks with hundreds of repositories of which nothing but a head is ever asked).
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import os
import socket
import subprocess
import threading
from collections import Counter
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Self
from urllib.parse import parse_qsl

from tests.support.forge_apis import ForgeApis
from tests.support.git import BASE_TIME_S, GitRepo

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

DUMP_PATH = "/packages-meta-ext-v1.json.gz"


@dataclass(frozen=True)
class Seen:
    """One request: `kind` is dump, ls-refs, advertise, fetch, push, file, graphql, api or other; `origin-…` for the origin."""

    method: str
    path: str
    kind: str


@dataclass
class Fault:
    """What goes wrong with requests that `match`; `times` None: every time."""

    match: Callable[[Seen], bool]
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    cut: bool = False
    lose_answer: bool = False
    hang_s: float = 0.0
    times: int | None = None


@dataclass
class AurPackage:
    """One row of the dump a name; `listed` are fields of the row, such as `Depends` and `Provides`."""

    modified_s: int
    maintainer: str | None = "alice"
    co_maintainers: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    listed: Mapping[str, object] = field(default_factory=dict)


class Upstreams:
    """A server for `with`; `.url` is its address."""

    def __init__(self, root: Path, env: Mapping[str, str], port: int = 0) -> None:
        self.root = root
        self.env = dict(env)
        self.aur_packages: dict[str, AurPackage] = {}
        self.virtual: dict[str, dict[str, str]] = {}
        self.apis = ForgeApis(self.refs_of)
        self.filler = 0
        self.dump_body: bytes | None = None
        self.faults: list[Fault] = []
        self.seen: list[Seen] = []
        self.on_request: Callable[[Seen], None] | None = None
        self.latency_s = 0.0
        self.token: str | None = None
        self.credentials: list[str] = []
        self.files: Path | None = None
        self.has_aur_api = False
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._dumped: tuple[object, bytes] | None = None
        self._time_s = BASE_TIME_S
        root.mkdir(parents=True, exist_ok=True)
        self.aur = GitRepo.bare(root / "aur.git", env)
        self._server = _Server(("127.0.0.1", port), _Handler)
        self._server.upstreams = self
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def dump_url(self) -> str:
        return self.url + DUMP_PATH

    @property
    def aur_git_url(self) -> str:
        return f"{self.url}/aur.git"

    def repository(self, name: str, **options: str) -> GitRepo:
        """The bare repository served at `/<name>.git`, made when it is not there."""
        path = self.root / f"{name}.git"
        return GitRepo(path, self.env) if path.exists() else GitRepo.bare(path, self.env, **options)

    def refs_of(self, path: str) -> dict[str, str] | None:
        """The refs of the repository at `/<name>.git`, None when there is none."""
        folder = self.root / path.lstrip("/")
        if path not in self.virtual and (folder / "HEAD").exists():
            return read_refs(folder)
        return self.virtual.get(path)

    def symref(self, path: str) -> str:
        """The attribute that names the default branch."""
        head = self.root / path.lstrip("/") / "HEAD"
        target = head.read_text().strip().removeprefix("ref: ") if head.exists() else "refs/heads/main"
        return f" symref-target:{target}"

    def peeled(self, path: str) -> dict[str, str]:
        """The annotated tags of a repository and the commits behind them."""
        if path in self.virtual:
            return {ref[:-3]: oid for ref, oid in self.virtual[path].items() if ref.endswith("^{}")}
        rows = GitRepo(self.root / path.lstrip("/"), self.env).git("for-each-ref", "--format=%(refname) %(*objectname)")
        pairs = (row.split(" ") for row in rows.split("\n") if row)
        return {ref: oid for ref, oid in pairs if oid}

    def origin(self) -> GitRepo:
        """A package repository that may be pushed to, as forges allow it."""
        return self.repository("origin", http__receivepack="true", receive__advertisePushOptions="true")

    def publish(
        self,
        pkgbase: str,
        files: Mapping[str, str | bytes],
        *,
        maintainer: str | None = "alice",
        co_maintainers: tuple[str, ...] = (),
        when: int | None = None,
        modes: Mapping[str, str] | None = None,
        names: tuple[str, ...] = (),
        listed: Mapping[str, object] | None = None,
    ) -> str:
        """A new version of an AUR package: its branch moves and the dump says so."""
        self._time_s = self._time_s + 10 if when is None else when
        commit = self.aur.commit(
            files, f"{pkgbase} moves", branch=pkgbase, when=self._time_s, replace_all=True, modes=modes
        )
        self.aur_packages[pkgbase] = AurPackage(self._time_s, maintainer, co_maintainers, names, listed or {})
        return commit

    def fail(self, match: Callable[[Seen], bool] | str, **what: object) -> Fault:
        """Add a fault for a kind of request, or for what a function says."""
        matches = match if callable(match) else lambda seen: seen.kind == match
        fault = Fault(match=matches, **what)  # type: ignore[arg-type]  # the fields of Fault, by name
        self.faults.append(fault)
        return fault

    def count(self) -> Counter[str]:
        """Requests so far, by kind."""
        with self._lock:
            return Counter(seen.kind for seen in self.seen)

    def forget(self) -> None:
        """Count from zero."""
        with self._lock:
            self.seen.clear()

    def dump(self) -> bytes:
        """The compressed dump as it is now."""
        if self.dump_body is not None:
            return self.dump_body
        key = (self.filler, tuple(sorted((name, repr(row)) for name, row in self.aur_packages.items())))
        if self._dumped is None or self._dumped[0] != key:
            self._dumped = (key, gzip.compress(make_dump(self.aur_packages, self.filler), 1, mtime=0))
        return self._dumped[1]

    def note(self, seen: Seen) -> Fault | None:
        """Count a request and find the fault that is meant for it."""
        with self._lock:
            self.seen.append(seen)
            for fault in self.faults:
                if fault.times != 0 and fault.match(seen):
                    if fault.times is not None:
                        fault.times -= 1
                    return fault
        return None

    def wait(self, seconds: float) -> None:
        """Sleep, but not past the end of the server."""
        if seconds:
            self._closing.wait(seconds)


def make_dump(packages: Mapping[str, AurPackage], filler: int = 0) -> bytes:
    """The dump's text in the AUR's shape: one object a line."""
    rows = []
    for number, (pkgbase, package) in enumerate(packages.items()):
        rows += [_row(number, name, pkgbase, package) for name in package.names or (pkgbase,)]
    filling = AurPackage(BASE_TIME_S, "somebody")
    rows += [_row(number, f"filler-{number}", f"filler-{number}", filling) for number in range(filler)]
    return b"[\n" + b",\n".join(rows) + b"\n]\n"


def _row(number: int, name: str, pkgbase: str, package: AurPackage) -> bytes:
    row: dict[str, object] = {
        "ID": number,
        "Name": name,
        "PackageBaseID": number,
        "PackageBase": pkgbase,
        "Version": "1.0-1",
        "Description": "A package with a description of ordinary length, as most of them have",
        "URL": f"https://example.org/{name}",
        "NumVotes": 3,
        "Popularity": 0.01,
        "OutOfDate": None,
        "Maintainer": package.maintainer,
        "FirstSubmitted": 1_500_000_000,
        "LastModified": package.modified_s,
        "URLPath": f"/cgit/aur.git/snapshot/{name}.tar.gz",
        "Depends": ["glibc", "gcc-libs", "python", "qt6-base"],
        "MakeDepends": ["git", "cmake"],
        "License": ["GPL-3.0-or-later"],
        "Keywords": [],
    }
    if package.co_maintainers:
        row["CoMaintainers"] = list(package.co_maintainers)
    row.update(package.listed)
    return json.dumps(row, separators=(",", ":")).encode()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256
    upstreams: Upstreams

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that goes away is no matter."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server
    disable_nagle_algorithm = True

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name in the base
        pass

    def do_GET(self) -> None:
        self._serve(b"")

    def do_POST(self) -> None:
        self._serve(self._body())

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", "0")))
        parts = []
        while size := int(self.rfile.readline(), 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def _serve(self, body: bytes) -> None:
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        upstreams = self.server.upstreams
        path, _, query = self.path.partition("?")
        seen = Seen(self.command, path, _kind(path, query, body))
        if "Authorization" in self.headers:
            upstreams.credentials.append(self.headers["Authorization"])
        if upstreams.on_request:
            upstreams.on_request(seen)
        fault = upstreams.note(seen)
        upstreams.wait(upstreams.latency_s)
        if upstreams.token and path.startswith("/origin.git") and not self._may_enter(upstreams.token):
            self._answer(401, b"", {"WWW-Authenticate": 'Basic realm="origin"'})
            return
        if fault is None or not self._goes_wrong(fault):
            self._go_on(seen, query, body, fault)

    def _go_on(self, seen: Seen, query: str, body: bytes, fault: Fault | None) -> None:
        path, upstreams = seen.path, self.server.upstreams
        if seen.kind == "dump":
            self._dump()
        elif seen.kind.endswith("ls-refs"):
            self._ls_refs(path, body)
        elif seen.kind == "aur-api" and upstreams.has_aur_api:
            self._aur_api(query)
        elif seen.kind == "file":
            self._file(path)
        elif seen.kind in ("graphql", "api"):
            self._answer(*upstreams.apis.answer(self.command, self.path, self.headers, body))
        else:
            self._git(path, query, body, loses_answer=fault is not None and fault.lose_answer)

    def _goes_wrong(self, fault: Fault) -> bool:
        """Do what a fault says; whether that was the answer."""
        self.server.upstreams.wait(fault.hang_s)
        if fault.cut:
            self._cut()
        elif fault.status is not None:
            self._answer(fault.status, fault.body, fault.headers)
        return fault.cut or fault.status is not None

    def _may_enter(self, token: str) -> bool:
        expected = base64.b64encode(f"oauth2:{token}".encode()).decode()
        return self.headers.get("Authorization") == f"Basic {expected}"

    def _answer(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if status != 304:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if status != 304:
            self.wfile.write(body)

    def _cut(self) -> None:
        """Half an answer, then a closed connection."""
        self.send_response(200)
        self.send_header("Content-Type", "application/x-git-upload-pack-result")
        self.send_header("Content-Length", "100000")
        self.end_headers()
        self.wfile.write(b"x" * 100)
        self.wfile.flush()
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def _dump(self) -> None:
        body = self.server.upstreams.dump()
        tag = f'"{hashlib.sha256(body).hexdigest()[:16]}"'
        if self.headers.get("If-None-Match") == tag:
            self._answer(304, b"", {"ETag": tag})
        else:
            self._answer(200, body, {"ETag": tag, "Content-Type": "application/gzip"})

    def _aur_api(self, query: str) -> None:
        asked = [name for key, name in parse_qsl(query) if key == "arg[]"]
        rows = [
            {"Name": name, "PackageBase": base, "Maintainer": package.maintainer, "LastModified": package.modified_s}
            for base, package in self.server.upstreams.aur_packages.items()
            for name in package.names or (base,)
            if name in asked
        ]
        answer = {"version": 5, "type": "multiinfo", "resultcount": len(rows), "results": rows}
        self._answer(200, json.dumps(answer).encode(), {"Content-Type": "application/json"})

    def _file(self, path: str) -> None:
        folder = self.server.upstreams.files
        found = folder / path.removeprefix("/files/") if folder and ".." not in path else None
        if found is None or not found.is_file():
            self._answer(404, b"not here\n", {})
        else:
            self._version_of(found.read_bytes())

    def _version_of(self, content: bytes) -> None:
        """A file as careful servers send it: with an ETag, and from where it was cut off."""
        etag = f'"{hashlib.sha256(content).hexdigest()[:16]}"'
        start = self.headers.get("Range", "").removeprefix("bytes=").removesuffix("-")
        if self.headers.get("If-None-Match") == etag:
            self._answer(304, b"", {"ETag": etag})
        elif start and self.headers.get("If-Range") == etag:
            where = f"bytes {start}-{len(content) - 1}/{len(content)}"
            self._answer(206, content[int(start) :], {"ETag": etag, "Content-Range": where})
        else:
            self._answer(200, content, {"ETag": etag})

    def _ls_refs(self, path: str, body: bytes) -> None:
        repository = path.removesuffix("/git-upload-pack")
        refs = self.server.upstreams.refs_of(repository)
        if refs is None:
            self._answer(404, b"no such repository\n", {})
            return
        lines = _lines(body)
        prefixes = tuple(line.split(b" ", 1)[1].decode() for line in lines if line.startswith(b"ref-prefix "))
        wanted = sorted(ref for ref in refs if not ref.endswith("^{}") and (not prefixes or ref.startswith(prefixes)))
        peeled = self.server.upstreams.peeled(repository) if b"peel" in lines else {}
        attributes = {ref: f" peeled:{oid}" for ref, oid in peeled.items()}
        if b"symrefs" in lines:
            attributes["HEAD"] = self.server.upstreams.symref(repository)
        rows = (f"{refs[ref]} {ref}{attributes.get(ref, '')}\n" for ref in wanted)
        out = b"".join(_packet(row.encode()) for row in rows) + b"0000"
        self._answer(200, out, {"Content-Type": "application/x-git-upload-pack-result"})

    def _git(self, path: str, query: str, body: bytes, *, loses_answer: bool) -> None:
        """Let git answer; a lost answer is one whose request was carried out."""
        env = {
            **self.server.upstreams.env,
            "GIT_PROJECT_ROOT": str(self.server.upstreams.root),
            "GIT_HTTP_EXPORT_ALL": "1",
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "REQUEST_METHOD": self.command,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
            "REMOTE_USER": "tester",
        }
        done = subprocess.run(["git", "http-backend"], input=body, capture_output=True, env=env, check=False)
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n") if ": " in line)
        status = int(headers.pop("Status", "200").split()[0]) if head else 500
        if loses_answer:
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
        else:
            self._answer(status, content, headers)


def _kind(path: str, query: str, body: bytes) -> str:
    if path == DUMP_PATH:
        return "dump"
    if path.startswith("/files/"):
        return "file"
    if path.startswith("/rpc/"):
        return "aur-api"
    if path.startswith("/api/"):
        return "graphql" if path.endswith("/graphql") else "api"
    if path.endswith("/info/refs"):
        return "advertise" if "upload-pack" in query else "push-advertise"
    if path.endswith("/git-upload-pack"):
        origin = "origin-" if path.startswith("/origin.git/") else ""
        return origin + ("ls-refs" if b"command=ls-refs" in body else "fetch")
    return "push" if path.endswith("/git-receive-pack") else "other"


def read_refs(folder: Path) -> dict[str, str]:
    """A bare repository's refs, HEAD among them, straight from its files."""
    refs = {}
    packed = folder / "packed-refs"
    if packed.exists():
        rows = (line.split(" ") for line in packed.read_text().split("\n") if line and line[0] not in "#^")
        refs.update({row[1]: row[0] for row in rows})
    for top, _, names in os.walk(folder / "refs"):
        for name in names:
            if not name.endswith(".lock"):
                path = Path(top) / name
                refs[str(path.relative_to(folder))] = path.read_text().strip()
    head = (folder / "HEAD").read_text().strip().removeprefix("ref: ")
    return {**refs, **({"HEAD": refs[head]} if head in refs else {})}


def _lines(body: bytes) -> list[bytes]:
    lines = []
    position = 0
    while position < len(body):
        length = int(body[position : position + 4], 16)
        lines.append(body[position + 4 : position + max(4, length)].rstrip(b"\n"))
        position += max(4, length)
    return lines


def _packet(content: bytes) -> bytes:
    return f"{len(content) + 4:04x}".encode() + content
