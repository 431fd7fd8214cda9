"""A farm on loopback: a master and workers as processes of their own, as people run them."""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import sys
import time
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import requests

from ci_toolkit.backends.job_database import JobDatabase
from ci_toolkit.backends.job_logs import JobLogs
from ci_toolkit.backends.local_folder import LocalFolder
from ci_toolkit.backends.spec import BackendTools
from ci_toolkit.effects.clock import SystemClock
from ci_toolkit.farm.creating import add_client, add_worker, create_master, create_worker
from ci_toolkit.formats.key_value import KeyValueFile
from ci_toolkit.model.job import JobState
from ci_toolkit.model.names import Pkgbase
from ci_toolkit.model.settings import parse_settings
from tests.support.built import hostile, member
from tests.support.certificates import self_signed
from tests.support.dropping_proxy import DroppingProxy
from tests.support.jobs import folder_of, schedule

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from ci_toolkit.backends.spec import PackageFolder
    from ci_toolkit.model.job import Job
    from tests.support.local_builds import Described, Tiny

_SOON_S = 60.0
# What a worker runs in place of ci-toolkit's own `farm build`: it builds nothing, at once, and says how that ended by
# the file of the package's name in the folder `told`. Like the real one it ends with its worker, and it does not go on
# with packages to install that are not what they should be. `runs` has a line for what it began and brought to an end.
_STUB = """\
import ctypes, hashlib, json, pathlib, shutil, sys, time
ctypes.CDLL(None).prctl(1, 15, 0, 0, 0)
order = json.load(open("order.json"))
base = order["pkgbase"]
top = pathlib.Path(__file__).parent.parent.parent
told, made = top / "told" / base, top / "made" / base
def note(what):
    with (top / "runs").open("a") as runs: runs.write(f"{what} {base}\\n")
note("begun")
print("stub of", base, "with", *([name for name, _ in order["with"]] or ["nothing"]), flush=True)
while (said := told.read_text() if told.exists() else "built") in ("hang", ""): time.sleep(0.05)
if said == "silent": sys.exit(1)
outcome = {"kind": "skipped", "reason": "a stub"}
if said == "failed": outcome = {"kind": "failed", "phase": "build", "status": 1, "reason": "a stub"}
if said == "unfit": outcome = {"kind": "unfit", "reason": "its disk is full"}
if said == "built" and made.exists():
    shutil.copytree(made, "out")
    packages = [(path.name, path.read_bytes()) for path in pathlib.Path("out").iterdir()]
    packages = [(name, hashlib.sha256(content).hexdigest(), len(content)) for name, content in packages]
    outcome = {"kind": "built", "packages": packages}
cache = pathlib.Path(sys.argv[sys.argv.index("--cache") + 1])
for name, digest in order["with"]:
    if hashlib.sha256((cache / "packages" / digest).read_bytes()).hexdigest() != digest:
        outcome = {"kind": "unfit", "reason": name + " is damaged"}
result = {key: order[key] for key in ("form", "attempt", "pkgbase", "tree")}
result |= {"outcome": outcome, "phases": [], "interference": [], "root": None, "installed": []}
if said.startswith("{"): result |= json.loads(said)
json.dump(result, open("result.json", "w"))
note("ended")
"""
# The worker itself is the real one.
_WORKER = (
    "import os, sys; from ci_toolkit.cli.main import run; os.environ['PYTHONPATH'] = sys.argv.pop(1); sys.exit(run())"
)


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass(kw_only=True)
class FarmStand:
    """`start` the master and workers; everything is ended by `end`, by the numbers of its processes."""

    top: Path
    deadline_s: float = 30.0
    repositories: tuple[str, ...] = ("samples",)
    workers: dict[str, str] = field(default_factory=lambda: {"one": "class 1 slots 1"})
    config: str = ""
    database: str | None = None
    watched: bool = False  # whether workers serve metrics
    listen: str = "tcp:PORT:interface=127.0.0.1"
    connect: str = "tcp:127.0.0.1:PORT"
    serves_grpc: bool = False  # with a certificate of its own, `authority`
    environ: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.workers_port, self.web_port, self.buildbot_port = free_port(), free_port(), free_port()
        self.grpc_port = free_port()
        self.metrics_ports = {name: free_port() for name in self.workers}
        self._write()

    @property
    def url(self) -> str:
        """Where its own pages and API are."""
        return f"http://127.0.0.1:{self.web_port}"

    @property
    def buildbot_url(self) -> str:
        """Where Buildbot's own pages are."""
        return f"http://127.0.0.1:{self.buildbot_port}/"

    @property
    def authority(self) -> Path:
        """The certificate of the build service over gRPC."""
        return self.top / "tls/certificate.pem"

    def worker_url(self, name: str) -> str:
        """Where a worker's metrics are."""
        return f"http://127.0.0.1:{self.metrics_ports[name]}"

    def _write(self) -> None:
        create_master(self.top)
        lines = [
            f'url = "http://127.0.0.1:{self.web_port}"',
            f'web = "tcp:{self.web_port}:interface=127.0.0.1"',
            f'workers_listen = "{self.listen.replace("PORT", str(self.workers_port))}"',
            f"deadline = {self.deadline_s}",
            "[buildbot]",
            f'url = "{self.buildbot_url}"',
            f'web = "tcp:{self.buildbot_port}:interface=127.0.0.1"',
            *([f'database = "{self.database}"'] if self.database else []),
        ]
        if self.serves_grpc:
            (self.top / "tls").mkdir()
            self_signed(self.top / "tls")
            lines += ["[grpc]", f'listen = "127.0.0.1:{self.grpc_port}"']
            lines += ['certificate = "tls/certificate.pem"', 'key = "tls/key.pem"']
        for name in self.repositories:
            lines += [f"[repositories.{name}]", 'sources = ["samples"]', "demo_key = true"]
            lines += [f"[repositories.{name}.config]", 'CI_ALLOW_LOCAL_UPSTREAMS = "true"', self.config]
        (self.top / "farm.toml").write_text("\n".join(lines) + "\n")
        for name, said in self.workers.items():
            words = said.split()
            add_worker(self.top, name, builder_class=int(words[1]), slots=int(words[3]))
        self.token = add_client(
            self.top, "ci", repositories=list(self.repositories), sources=["samples"], operates=True
        )

    # processes

    def start_master(self) -> None:
        """Until it says that it runs."""
        self._spawn("master", "farm", "master", "run", str(self.top))
        self.wait(lambda: "BuildMaster is running" in self.log("master"))

    def start_worker(self, name: str, *, stub: bool = False, environ: dict[str, str] | None = None) -> None:
        """One worker, with more in its environment, until the master has it; with `stub` it builds nothing."""
        seen = self.log("master").count(f"Worker {name} attached to {name}-1")
        self.spawn_worker(name, stub=stub, environ=environ)
        self.wait(lambda: self.log("master").count(f"Worker {name} attached to {name}-1") > seen)

    def spawn_worker(self, name: str, *, stub: bool = False, environ: dict[str, str] | None = None) -> None:
        """Likewise, without waiting for it."""
        folder = self.worker_folder(name)
        if not folder.exists():
            password = (self.top / "secrets/workers" / name).read_text().strip()
            master = self.connect.replace("PORT", str(self.workers_port))
            metrics = f"tcp:{self.metrics_ports[name]}:interface=127.0.0.1" if self.watched else None
            create_worker(folder, name=name, master=master, password=password, metrics=metrics)
        words = ("farm", "worker", "run", str(folder))
        if stub:
            package = folder / "stub/ci_toolkit"
            package.mkdir(parents=True, exist_ok=True)
            (package / "__init__.py").touch()
            (package / "__main__.py").write_text(_STUB)
            self._spawn(name, *words, program=("-c", _WORKER, str(folder / "stub")), environ=environ)
        else:
            self._spawn(name, *words, environ=environ)

    def tell(self, worker: str, package: str, how: str) -> None:
        """How a stub ends that builds a package: skipped, failed, unfit, hang, silent, fields of its result, or
        built, which is how it is when nothing was told: skipped, unless it was to `make` something.
        """
        folder = self.worker_folder(worker) / "told"
        folder.mkdir(exist_ok=True, parents=True)
        (folder / package).write_text(how)

    def make(self, worker: str, package: Tiny, size_bytes: int = 100) -> None:
        """Have a stub deliver a package, of a content that cannot be packed smaller."""
        folder = self.worker_folder(worker) / "made" / package.name
        folder.mkdir(parents=True)
        file = folder / f"{package.name}-{package.version}-{package.release}-any.pkg.tar.zst"
        hostile(file, member(f"usr/share/{package.name}", random.Random(package.name).randbytes(size_bytes)))

    def runs(self, worker: str) -> list[str]:
        """What stubs of a worker began and brought to an end: `begun NAME`, `ended NAME`."""
        path = self.worker_folder(worker) / "runs"
        return path.read_text().splitlines() if path.exists() else []

    def worker(self, name: str) -> dict[str, Any]:
        """What the farm's API says of a worker."""
        answer = requests.get(f"http://127.0.0.1:{self.web_port}/api/workers", timeout=30)
        return next(worker for worker in answer.json()["workers"] if worker["name"] == name)

    def attempts(self, worker: str) -> list[str]:
        """The folders of builds on a worker."""
        return sorted(path.name for path in self.worker_folder(worker).glob(f"{worker}-*/*"))

    @contextmanager
    def routed(self, worker: str) -> Iterator[DroppingProxy]:
        """Once a worker is started again, it goes to its master through a proxy, which ends with this context."""
        place = self.worker_folder(worker) / "worker.toml"
        text = place.read_text()
        proxy = DroppingProxy(self.workers_port)
        place.write_text(text.replace(str(self.workers_port), str(proxy.port)))
        try:
            yield proxy
        finally:
            place.write_text(text)
            proxy.close()

    def worker_folder(self, name: str) -> Path:
        """Where a worker is kept."""
        return self.top.parent / f"worker-{name}"

    @contextmanager
    def stranger(self, folder: Path, log: str = "stranger") -> Iterator[subprocess.Popen[bytes]]:
        """A worker of that folder, which need not be let in, and is ended."""
        self._spawn(log, "farm", "worker", "run", str(folder))
        process = self.processes.pop(log)
        try:
            yield process
        finally:
            process.kill()
            process.wait(30)

    def send(self, name: str, number: int) -> None:
        """Send a process a signal."""
        os.kill(self.processes[name].pid, number)

    def kill(self, name: str, number: int = signal.SIGKILL) -> None:
        """End a process, and wait for that."""
        self.send(name, number)
        self.processes[name].wait(30)

    def end(self) -> None:
        """End everything."""
        for process in self.processes.values():
            if process.poll() is None:
                process.send_signal(signal.SIGCONT)
                process.kill()
                process.wait(30)

    def log(self, name: str) -> str:
        """What a process has said."""
        path = self.top.parent / f"{name}.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def _spawn(
        self,
        name: str,
        *words: str,
        program: tuple[str, ...] = ("-m", "ci_toolkit"),
        environ: dict[str, str] | None = None,
    ) -> None:
        with (self.top.parent / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                (sys.executable, *program, *words),
                stdout=log,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                cwd=self.top.parent,
                env={**os.environ, "HOME": str(self.top.parent), **self.environ, **(environ or {})},
            )

    # jobs

    def tools(self, repository: str = "samples") -> BackendTools:
        """What the farm's client is handed in a package repository."""
        values = {"REPO_NAME": repository, "BUILD_REPO": "samples", "CI_BACKEND": "buildbot"}
        values |= {"CI_FARM_URL": f"http://127.0.0.1:{self.web_port}", "CI_ALLOW_LOCAL_UPSTREAMS": "true"}
        text = "".join(f"{key}={value}\n" for key, value in values.items()).encode()
        settings = parse_settings(KeyValueFile.parse(text, file=".ci/config"), {})
        environ = {"CI_FARM_TOKEN": self.token}
        return BackendTools(top=self.top.parent, environ=environ, settings=settings, clock=SystemClock())

    def grpc_tools(self, repository: str = "samples") -> BackendTools:
        """Likewise, over gRPC."""
        tools = self.tools(repository)
        url = f"https://127.0.0.1:{self.grpc_port}"
        settings = replace(tools.settings, backend="build_service", farm_url=url, farm_ca=str(self.authority))
        return replace(tools, settings=settings)

    def place(self, repository: str = "samples") -> LocalFolder:
        """Where a repository's things are."""
        top = self.top / "repositories" / repository
        return LocalFolder(top=top, repository=top / "repository")

    def submit(
        self,
        request: str,
        *packages: Tiny | Described,
        repository: str = "samples",
        classes: dict[str, str] | None = None,
        priority: int = 0,
    ) -> None:
        """Schedule packages as somebody on this machine could."""
        names = [f"{one.name}/{(classes or {}).get(one.name, '')}".rstrip("/") for one in packages]
        made = schedule(request, *names, needs={one.name: " ".join(one.depends) for one in packages})
        with closing(JobDatabase(self.place(repository).jobs)) as database:
            contents = {Pkgbase(one.name): package_folder(one) for one in packages}
            database.submit(replace(made, priority=priority), contents, source="samples", now_s=time.time())

    def cancel(self, package: str, repository: str = "samples") -> None:
        """Cancel a package's last job."""
        with closing(JobDatabase(self.place(repository).jobs)) as database:
            database.cancel(self.jobs(repository)[package], "nobody wants it", now_s=time.time())

    def jobs(self, repository: str = "samples") -> dict[str, Job]:
        """The last job of each package."""
        return {str(job.pkgbase): job for job in self.every_job(repository)}

    def every_job(self, repository: str = "samples") -> tuple[Job, ...]:
        """All of them, oldest first."""
        with closing(JobDatabase(self.place(repository).jobs)) as database:
            return database.jobs()

    def states(self, repository: str = "samples") -> dict[str, str]:
        """Where they are."""
        return {name: job.state.value for name, job in self.jobs(repository).items()}

    def steps(self, package: str, repository: str = "samples") -> list[tuple[str, str]]:
        """The states that a package's last job went through, with the reasons."""
        with closing(JobDatabase(self.place(repository).jobs)) as database:
            number = self.jobs(repository)[package].number
            return [(step.new.value, step.reason) for step in database.transitions(number)]

    def log_of(self, package: str, repository: str = "samples") -> str:
        """What the build of a package's last job printed."""
        logs = JobLogs(folder=self.place(repository).logs)
        return "".join(logs.read(self.jobs(repository)[package]))

    def finished(self, repository: str = "samples", within_s: float = _SOON_S) -> dict[str, str]:
        """The states once nothing is going on any more."""
        self.wait(lambda: all(job.state.is_over for job in self.jobs(repository).values()), within_s=within_s)
        return self.states(repository)

    def building(self, package: str, repository: str = "samples") -> None:
        """Until a package is being built, as its log shows."""

        def is_built() -> bool:
            job = self.jobs(repository)[package]
            path = self.place(repository).logs / package / f"{job.number}.log"
            return job.state is JobState.BUILDING and path.exists() and path.stat().st_size > 0

        self.wait(is_built)

    def published(self, repository: str = "samples") -> list[str]:
        """The package files that clients get."""
        return sorted(path.name for path in (self.place(repository).repository / "x86_64").glob("*.pkg.tar.zst"))

    def wait(self, holds: Callable[[], bool], *, within_s: float = _SOON_S, look_s: float = 0.1) -> None:
        """Until something holds."""
        end = time.monotonic() + within_s
        while not holds():
            for name, process in self.processes.items():
                assert name != "master" or process.poll() is None, self.log("master")[-3000:]
            assert time.monotonic() < end, (self.states(), self.log("master")[-3000:])
            time.sleep(look_s)


def package_folder(package: Tiny | Described) -> PackageFolder:
    """A package as a backend is handed it."""
    contents = {path.split("/", 1)[1]: text.encode() for path, text in package.folder().items()}
    return folder_of(contents)


@contextmanager
def running_farm(stand: FarmStand, *, stubs: bool = False) -> Iterator[FarmStand]:
    """Started with all its workers, and ended."""
    try:
        stand.start_master()
        for name in stand.workers:
            stand.start_worker(name, stub=stubs)
        yield stand
    finally:
        stand.end()
