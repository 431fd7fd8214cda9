"""The program of a worker: Buildbot's own, which logs in at the master and runs what it is sent.

`worker.toml` says to which master it goes and as whom; the password is in the file `password` beside it:
    name = "big"
    master = "tls:farm.example.org:9989"  # Twisted's endpoint strings; trustRoots=DIR for certificates of one's own
    metrics = "tcp:9990:interface=127.0.0.1"  # /metrics and /healthz; without it there are none
"""

from __future__ import annotations

import fcntl
import logging
import os
import re
import sys
import time
import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from buildbot_worker.bot import Worker
from twisted.application import service
from twisted.internet import reactor as _reactor
from twisted.internet import task, threads
from twisted.internet.error import ConnectionDone
from twisted.python import log as twisted_log
from twisted.python.failure import Failure
from twisted.spread.pb import Broker

from ci_toolkit.effects.build_roots import find_root
from ci_toolkit.effects.clock import SystemClock
from ci_toolkit.effects.files import write_file
from ci_toolkit.effects.private_folder import remove_folder
from ci_toolkit.effects.process import Processes
from ci_toolkit.effects.redaction import Redactor
from ci_toolkit.errors import ConfigError, NotReadyError, ToolkitError
from ci_toolkit.farm.build_step import CACHE_FOLDER
from ci_toolkit.farm.endpoints import check_client_endpoint
from ci_toolkit.farm.watched_worker import watch_worker
from ci_toolkit.farm.worker_build import PACKAGES_FOLDER
from ci_toolkit.farm.worker_facts import INFO_FILE, own_facts
from ci_toolkit.farm.worker_metrics import WorkerMetrics
from ci_toolkit.farm.worker_site import METRICS_KEY, MetricsService
from ci_toolkit.model.names import nearest

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

log = logging.getLogger(__name__)
reactor: Any = _reactor  # which module that is, is known when it is imported

WORKER_FILE = "worker.toml"
WORKER_KEYS = ("name", "master", METRICS_KEY)
"""All that the file may have."""
PASSWORD_FILE = "password"  # noqa: S105 - its name
_LOCK_FILE = "lock"
_ATTEMPT_FOLDER = re.compile(r"[0-9a-f]{32}")
_LOG_EVERY_S = 0.4  # how far a log may be behind what the build prints
_KEEPALIVE_S = 30
_SLOWEST_RETURN_S = 30
_LOOK_EVERY_S = 600.0
_KEPT_S = 14 * 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerFile:
    """Who a worker is, where its master is, and where it serves metrics, if it does."""

    name: str
    master: str
    password: str
    metrics: str | None = None

    def __repr__(self) -> str:
        return f"WorkerFile({self.name!r}, {self.master!r})"


def read_worker_file(top: Path) -> WorkerFile:
    """The worker in a folder; NotReadyError when there is none, ConfigError when it cannot be read."""
    path = top / WORKER_FILE
    try:
        table = tomllib.loads(path.read_text())
        password = (top / PASSWORD_FILE).read_text().strip()
    except FileNotFoundError as error:
        hint = "ci-toolkit farm worker create DIR"
        raise NotReadyError("there is no worker here", file=str(error.filename), hint=hint) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"is no TOML: {error}", file=str(path)) from error
    unknown = next((key for key in table if key not in WORKER_KEYS), None)
    if unknown is not None:
        raise ConfigError(
            "is no key of a worker", file=str(path), key=unknown, hint=nearest(unknown, WORKER_KEYS) or None
        )
    for key in ("name", "master"):
        if not isinstance(table.get(key), str) or not table[key]:
            raise ConfigError("is missing", file=str(path), key=key)
    metrics = table.get(METRICS_KEY)
    if metrics is not None and not isinstance(metrics, str):
        raise ConfigError("is no text", file=str(path), key=METRICS_KEY, got=str(metrics))
    if not password:
        raise ConfigError("is empty", file=str(top / PASSWORD_FILE), key="the password")
    return WorkerFile(name=table["name"], master=table["master"], password=password, metrics=metrics)


_CLOSED = Failure(ConnectionDone())


class _TellingBroker(Broker):
    """A connection to the master that says why it ended; nobody would hear of a certificate that is not trusted."""

    def connectionLost(self, reason: Failure = _CLOSED) -> None:  # noqa: N802 - Twisted's
        """Say it; what was under way ends."""
        twisted_log.msg(f"the connection to the master ended: {reason.getErrorMessage()}")
        super().connectionLost(reason)


def worker_application(top: Path, environ: Mapping[str, str]) -> Any:  # noqa: ANN401 - Twisted's
    """What Twisted runs; MachineError when nothing can be built here, NotReadyError when the folder is in use.

    Where metrics cannot be served, starting it is a NotReadyError, too.
    """
    file = read_worker_file(top)
    check_client_endpoint(reactor, file.master, key="master", file=str(top / WORKER_FILE))
    _lock_folder(top)
    _remove_leftovers(top, file.name)
    _look(top, environ)
    worker = Worker(
        None,
        None,
        file.name,
        file.password,
        str(top),
        _KEEPALIVE_S,
        connection_string=file.master,
        umask=0o022,
        allow_shutdown="signal",
        maxdelay=_SLOWEST_RETURN_S,
    )
    worker.bot.buffer_timeout = _LOG_EVERY_S
    worker.bf.protocol = _TellingBroker
    application = service.Application("ci-toolkit worker")
    worker.setServiceParent(application)
    if file.metrics is not None:
        metrics = WorkerMetrics(top, file.name, SystemClock())
        watch_worker(worker, metrics)
        MetricsService(metrics, file.metrics, top / WORKER_FILE, reactor).setServiceParent(application)
    return application


def run_worker(top: Path, environ: Mapping[str, str]) -> None:
    """Serve until it is ended: SIGTERM at once, SIGHUP once what it builds is finished."""
    application = worker_application(top, environ)
    twisted_log.startLogging(sys.stderr, setStdout=False)
    running: Any = service.IService(application)
    running.privilegedStartService()
    running.startService()
    reactor.addSystemEventTrigger("before", "shutdown", running.stopService)
    again = task.LoopingCall(_look_again, top, environ)
    again.start(_LOOK_EVERY_S, now=False)
    reactor.run()


def _lock_folder(top: Path) -> None:
    """Have the folder to oneself until the process ends, however it ends: a second one would disturb the builds."""
    lock = os.open(top / _LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        hint = "one process is enough for all its slots; another worker needs a folder and a name of its own"
        raise NotReadyError("this worker is running already", key=str(top), hint=hint) from None


def _remove_leftovers(top: Path, name: str) -> None:
    """Remove what builds left that were killed together with an earlier process of this worker."""
    for slot in top.glob(f"{name}-*"):
        for folder in slot.iterdir():
            if _ATTEMPT_FOLDER.fullmatch(folder.name):
                try:
                    remove_folder(folder)
                except OSError as error:  # the build is ending only now, or its files are a stranger's
                    log.warning("what a killed build left stays until the next start: %s", error)


async def _look_again(top: Path, environ: Mapping[str, str]) -> None:
    try:
        await threads.deferToThread(_look, top, environ)
    except (ToolkitError, OSError) as error:  # the master goes by what was written down last
        log.warning("what this machine is cannot be told: %s", error)


def _look(top: Path, environ: Mapping[str, str]) -> None:
    """Write down what this machine is now, and remove packages that no build has used for long."""
    redactor = Redactor(environ)
    root = find_root(
        environ.get("CI_BUILD_ROOT", ""),
        processes=Processes(redactor=redactor),
        environ=environ,
        cache=top / CACHE_FOLDER,
        clock=SystemClock(),
    )
    write_file(top / "info" / INFO_FILE, own_facts(root.identity()))
    for name, text in (("admin", environ.get("CI_WORKER_ADMIN", "nobody")), ("host", os.uname().nodename)):
        write_file(top / "info" / name, f"{text}\n".encode())
    for path in (top / CACHE_FOLDER / PACKAGES_FOLDER).glob("*"):
        if path.stat().st_mtime < time.time() - _KEPT_S:
            path.unlink(missing_ok=True)
