"""Whether a master or a worker could be run as its folder is, found out without running it."""

from __future__ import annotations

from contextlib import chdir
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from twisted.internet import reactor as _reactor

from ci_toolkit.effects.build_roots import find_root
from ci_toolkit.effects.clock import SystemClock
from ci_toolkit.effects.process import Processes
from ci_toolkit.effects.redaction import Redactor
from ci_toolkit.effects.sandbox import Sandbox
from ci_toolkit.errors import ConfigError, NotReadyError
from ci_toolkit.farm.build_step import CACHE_FOLDER
from ci_toolkit.farm.endpoints import LOOPBACK, check_client_endpoint, is_loopback, server_endpoint
from ci_toolkit.farm.farm_file import read_farm_file
from ci_toolkit.farm.grpc_door import check_build_service
from ci_toolkit.farm.worker_service import WORKER_FILE, read_worker_file
from ci_toolkit.farm.worker_site import METRICS_KEY
from ci_toolkit.formats.farm_layout import FARM_FILE
from ci_toolkit.publishers.signing_key import PASSPHRASE_VARIABLE, opened_key

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from ci_toolkit.farm.farm_file import FarmFile
    from ci_toolkit.formats.farm_layout import FarmLayout

reactor: Any = _reactor  # which module that is, is known when it is imported


def check_folder(top: Path, environ: Mapping[str, str]) -> Iterator[str]:
    """A line for everything that is well; the first thing that is not is a ToolkitError."""
    if (top / FARM_FILE).exists():
        with chdir(top):  # which endpoints name files from, as the master does that runs there
            yield from _check_master(read_farm_file(top), environ)
    elif (top / WORKER_FILE).exists():
        yield from _check_worker(top, environ)
    else:
        hint = "ci-toolkit farm master create, or farm worker create, makes one"
        raise NotReadyError("there is neither a master nor a worker", file=str(top), hint=hint)


def _check_master(file: FarmFile, environ: Mapping[str, str]) -> Iterator[str]:
    layout = file.layout
    server_endpoint(reactor, layout.web, key="web")
    server_endpoint(reactor, layout.workers_listen, key="workers_listen")
    if layout.buildbot_web is not None:
        server_endpoint(reactor, layout.buildbot_web, key="buildbot.web")
        if not layout.is_public and not is_loopback(layout.buildbot_web):
            hint = "have it listen on 127.0.0.1 behind a proxy that asks who it is, or leave it out"
            raise ConfigError("would show anybody what public = false hides", key="buildbot.web", hint=hint)
    _check_tls(layout)
    check_build_service(file)
    processes = Processes(redactor=Redactor(environ))
    if not file.repositories:
        raise ConfigError("has no entry, so that nothing is published", key="repositories")
    for name, choice in file.keys.items():
        with opened_key(
            choice, processes=processes, environ=environ, passphrase=environ.get(PASSPHRASE_VARIABLE)
        ) as key:
            yield f"repository {name}: signed by {key.fingerprint}, submitted to by {_clients(file, name)}"
    if not file.workers:
        raise ConfigError("has no entry, so that nothing is built", key="workers")
    for entry in file.workers.values():
        yield f"worker {entry.name}: class {entry.builder_class}, {entry.slots} at once"
    if layout.grpc is not None:
        how = "encrypted" if layout.grpc.certificate is not None else "for this machine alone"
        yield f"the build service over gRPC is at {layout.grpc.listen}, {how}"
    yield f"workers come to {layout.workers_listen}, people and clients to {layout.web}"


def _check_worker(top: Path, environ: Mapping[str, str]) -> Iterator[str]:
    file = read_worker_file(top)
    check_client_endpoint(reactor, file.master, key="master", file=str(top / WORKER_FILE))
    if file.metrics is not None:
        server_endpoint(reactor, file.metrics, key=METRICS_KEY, file=str(top / WORKER_FILE))
        whom = "this machine" if is_loopback(file.metrics) else "whoever reaches this machine"
        yield f"its metrics are at {file.metrics}, for {whom}"
    redactor = Redactor(environ)
    processes = Processes(redactor=redactor)
    root = find_root(
        environ.get("CI_BUILD_ROOT", ""),
        processes=processes,
        environ=environ,
        cache=top / CACHE_FOLDER,
        clock=SystemClock(),
    )
    yield f"worker {file.name} goes to {file.master} and builds in {root.identity()[:20]}…"
    sandbox = Sandbox(processes=processes, environ=environ, wish=environ.get("CI_SANDBOX", "auto"))
    yield f"strangers' code runs in: {sandbox.kind}"


def _check_tls(layout: FarmLayout) -> None:
    """Passwords of workers and tokens of clients never go over a network in the clear."""
    for key, text in (("workers_listen", layout.workers_listen), ("web", layout.web)):
        if not text.startswith("ssl:") and not is_loopback(text):
            hint = "ssl:PORT:privateKey=…:certKey=…, or 127.0.0.1 behind a proxy that encrypts"
            raise ConfigError("would be reached over a network without encryption", key=key, got=text, hint=hint)
    address = urlsplit(layout.url)
    if address.scheme != "https" and address.hostname not in LOOPBACK:
        raise ConfigError("is not https", key="url", got=layout.url)


def _clients(file: FarmFile, repository: str) -> str:
    names = [entry.client.name for entry in file.clients if repository in entry.client.repositories]
    return ", ".join(names) or "nobody"
