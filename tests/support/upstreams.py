"""Upstream services on a loopback socket: the AUR's metadata dump and git over HTTP, with their faults.

Real git answers everything but `ls-refs`, which is answered here from the refs on disk (or from `virtual`, for
benchmarks with hundreds of repositories of which nothing but a head is ever asked).
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import subprocess
import threading
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from tests.support.forge_apis import ForgeApis
from tests.support.git import BASE_TIME_S, GitRepo, read_refs
from tests.support.http_service import Exchange, HttpService

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

_GIT_SERVICES = ("git-upload-pack", "git-receive-pack")
# What git says it can do, by service, wish and configuration; in the newer protocol that is all that it says unasked.
_ABILITIES: dict[tuple[str, str, bytes], bytes] = {}
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


class Upstreams(HttpService):
    """A server for `with`; `.url` is its address."""

    def __init__(self, root: Path, env: Mapping[str, str], port: int = 0) -> None:
        super().__init__(_Exchange, port=port)
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
        self._behind: dict[str, str] = {}
        self._dumped: tuple[object, bytes] | None = None
        self._time_s = BASE_TIME_S
        root.mkdir(parents=True, exist_ok=True)
        self.aur = GitRepo.bare(root / "aur.git", env)

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
        refs = self.refs_of(path) or {}
        tags = {ref: oid for ref, oid in refs.items() if ref.startswith("refs/tags/")}
        heads = {oid for ref, oid in refs.items() if ref not in tags}
        if unknown := {*tags.values()} - heads - self._behind.keys():
            self._behind |= GitRepo(self.root / path.lstrip("/"), self.env).peeled(sorted(unknown))
        behind = {ref: self._behind.get(oid, oid) for ref, oid in tags.items()}
        return {ref: oid for ref, oid in behind.items() if oid != tags[ref]}

    def origin(self) -> GitRepo:
        """A package repository that takes push options, as those of forges do."""
        return self.repository("origin", receive__advertisePushOptions="true", receive__autoGC="false")

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


class _Exchange(Exchange):
    service: Upstreams

    def serve(self) -> None:
        body = self.body
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        upstreams = self.service
        path, _, query = self.path.partition("?")
        seen = Seen(self.command, path, _kind(path, query, body))
        if "Authorization" in self.headers:
            upstreams.credentials.append(self.headers["Authorization"])
        if upstreams.on_request:
            upstreams.on_request(seen)
        fault = upstreams.note(seen)
        upstreams.wait(upstreams.latency_s)
        if upstreams.token and path.startswith("/origin.git") and not self._may_enter(upstreams.token):
            self.send(401, b"", {"WWW-Authenticate": 'Basic realm="origin"'})
            return
        if fault is None or not self._goes_wrong(fault):
            self._go_on(seen, query, body, fault)

    def _go_on(self, seen: Seen, query: str, body: bytes, fault: Fault | None) -> None:
        path, upstreams = seen.path, self.service
        if seen.kind == "dump":
            self._dump()
        elif seen.kind.endswith("ls-refs"):
            self._ls_refs(path, body)
        elif seen.kind == "aur-api" and upstreams.has_aur_api:
            self._aur_api(query)
        elif seen.kind == "file":
            self._file(path)
        elif seen.kind in ("graphql", "api"):
            self.send(*upstreams.apis.answer(self.command, self.path, self.headers, body))
        else:
            self._git(path, query, body, loses_answer=fault is not None and fault.lose_answer)

    def _goes_wrong(self, fault: Fault) -> bool:
        """Do what a fault says; whether that was the answer."""
        self.service.wait(fault.hang_s)
        if fault.cut:
            self._cut()
        elif fault.status is not None:
            self.send(fault.status, fault.body, fault.headers)
        return fault.cut or fault.status is not None

    def _may_enter(self, token: str) -> bool:
        expected = base64.b64encode(f"oauth2:{token}".encode()).decode()
        return self.headers.get("Authorization") == f"Basic {expected}"

    def _cut(self) -> None:
        """Half an answer, then a closed connection."""
        self.send_response(200)
        self.send_header("Content-Type", "application/x-git-upload-pack-result")
        self.send_header("Content-Length", "100000")
        self.end_headers()
        self.wfile.write(b"x" * 100)
        self.hang_up()

    def _dump(self) -> None:
        body = self.service.dump()
        tag = f'"{hashlib.sha256(body).hexdigest()[:16]}"'
        if self.headers.get("If-None-Match") == tag:
            self.send(304, b"", {"ETag": tag})
        else:
            self.send(200, body, {"ETag": tag, "Content-Type": "application/gzip"})

    def _aur_api(self, query: str) -> None:
        asked = [name for key, name in parse_qsl(query) if key == "arg[]"]
        rows = [
            {"Name": name, "PackageBase": base, "Maintainer": package.maintainer, "LastModified": package.modified_s}
            for base, package in self.service.aur_packages.items()
            for name in package.names or (base,)
            if name in asked
        ]
        answer = {"version": 5, "type": "multiinfo", "resultcount": len(rows), "results": rows}
        self.send(200, json.dumps(answer).encode(), {"Content-Type": "application/json"})

    def _file(self, path: str) -> None:
        folder = self.service.files
        found = folder / path.removeprefix("/files/") if folder and ".." not in path else None
        if found is None or not found.is_file():
            self.send(404, b"not here\n", {})
        else:
            self._version_of(found.read_bytes())

    def _version_of(self, content: bytes) -> None:
        """A file as careful servers send it: with an ETag, and from where it was cut off."""
        etag = f'"{hashlib.sha256(content).hexdigest()[:16]}"'
        start = self.headers.get("Range", "").removeprefix("bytes=").removesuffix("-")
        if self.headers.get("If-None-Match") == etag:
            self.send(304, b"", {"ETag": etag})
        elif start and self.headers.get("If-Range") == etag:
            where = f"bytes {start}-{len(content) - 1}/{len(content)}"
            self.send(206, content[int(start) :], {"ETag": etag, "Content-Range": where})
        else:
            self.send(200, content, {"ETag": etag})

    def _ls_refs(self, path: str, body: bytes) -> None:
        repository = path.removesuffix("/git-upload-pack")
        refs = self.service.refs_of(repository)
        if refs is None:
            self.send(404, b"no such repository\n", {})
            return
        lines = _lines(body)
        prefixes = tuple(line.split(b" ", 1)[1].decode() for line in lines if line.startswith(b"ref-prefix "))
        wanted = sorted(ref for ref in refs if not ref.endswith("^{}") and (not prefixes or ref.startswith(prefixes)))
        peeled = self.service.peeled(repository) if b"peel" in lines else {}
        attributes = {ref: f" peeled:{oid}" for ref, oid in peeled.items()}
        if b"symrefs" in lines:
            attributes["HEAD"] = self.service.symref(repository)
        rows = (f"{refs[ref]} {ref}{attributes.get(ref, '')}\n" for ref in wanted)
        out = b"".join(_packet(row.encode()) for row in rows) + b"0000"
        self.send(200, out, {"Content-Type": "application/x-git-upload-pack-result"})

    def _git(self, path: str, query: str, body: bytes, *, loses_answer: bool) -> None:
        """Let git answer, as `git http-backend` has it do it; a lost answer is one whose request was carried out."""
        place, _, verb = path.rpartition("/")
        service = query.removeprefix("service=") if verb == "refs" else verb
        folder = self.service.root / place.removesuffix("/info").lstrip("/")
        if service not in _GIT_SERVICES or not (folder / "HEAD").exists():
            self.send(404, b"not here\n", {})
            return
        if verb == "refs":
            kind, content = "advertisement", self._advertisement(folder, service)
        else:
            kind, content = "result", self._run(folder, service, body=body)
        if loses_answer:
            self.hang_up()
        else:
            self.send(200, content, {"Content-Type": f"application/x-{service}-{kind}", "Cache-Control": "no-cache"})

    def _advertisement(self, folder: Path, service: str) -> bytes:
        key = (service, self.headers.get("Git-Protocol", ""), (folder / "config").read_bytes())
        if key in _ABILITIES:
            return _ABILITIES[key]
        told = self._run(folder, service, "--http-backend-info-refs")
        if told.startswith(_packet(b"version 2\n")):
            return _ABILITIES.setdefault(key, told)
        return _packet(f"# service={service}\n".encode()) + b"0000" + told

    def _run(self, folder: Path, service: str, *options: str, body: bytes = b"") -> bytes:
        env = {**self.service.env, "GIT_PROTOCOL": self.headers.get("Git-Protocol", "")}
        command = ["git", service.removeprefix("git-"), "--stateless-rpc", *options, str(folder)]
        return subprocess.run(command, input=body, capture_output=True, env=env, check=False).stdout


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
