"""New masters and workers: folders with their files, and passwords that nobody had to think of."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
from typing import TYPE_CHECKING

from ci_toolkit.effects.files import write_file
from ci_toolkit.errors import RefusedError
from ci_toolkit.farm.farm_file import SECRETS
from ci_toolkit.farm.worker_service import PASSWORD_FILE, WORKER_FILE
from ci_toolkit.farm.worker_site import METRICS_KEY
from ci_toolkit.formats.farm_layout import FARM_FILE

if TYPE_CHECKING:
    from pathlib import Path

_FARM = """\
# What this farm is; every key is described in docs/farm.md. `ci-toolkit farm check DIR` says whether all is well.
url = "http://localhost:8010"
public = true
web = "tcp:8010:interface=127.0.0.1"
workers_listen = "tcp:9989:interface=127.0.0.1"

[buildbot]
url = "http://localhost:8020/"
web = "tcp:8020:interface=127.0.0.1"

# [grpc]           # the build service over gRPC; with certificate and key when it is not for this machine alone
# listen = "127.0.0.1:9190"

# [repositories.NAME]
# sources = ["pkgbuilds"]
# key_file = "secrets/signing-key.asc"

# [workers.NAME]   # ci-toolkit farm master add-worker DIR NAME adds one
# class = 1
# slots = 2

# [clients.NAME]   # ci-toolkit farm master add-client DIR NAME adds one
"""
_MASTER = """\
# Buildbot's configuration of this farm, which farm.toml describes.
from ci_toolkit.farm.master_config import buildmaster_config

BuildmasterConfig = buildmaster_config(basedir)  # noqa: F821 - Buildbot says it
"""
_TAC = """\
# For `buildbot start` and `twistd`; `ci-toolkit farm master run` does the same.
import os

from buildbot.master import BuildMaster
from twisted.application import service

basedir = os.path.dirname(os.path.abspath(__file__))
configfile = "master.cfg"
application = service.Application('buildmaster')
BuildMaster(basedir, configfile).setServiceParent(application)
"""
_WORKER_TAC = """\
# For `buildbot-worker start` and `twistd`; `ci-toolkit farm worker run` does the same.
import os
from pathlib import Path

from ci_toolkit.farm.worker_service import worker_application

application = worker_application(Path(__file__).resolve().parent, os.environ)
"""


def create_master(top: Path) -> None:
    """A folder for a master; RefusedError when there is one already."""
    if (top / FARM_FILE).exists():
        raise RefusedError("there is a farm already", key=str(top / FARM_FILE))
    top.mkdir(parents=True, exist_ok=True, mode=0o700)
    top.chmod(0o700)
    (top / SECRETS).mkdir(exist_ok=True, mode=0o700)
    for name, text in (("master.cfg", _MASTER), ("buildbot.tac", _TAC), (FARM_FILE, _FARM)):
        write_file(top / name, text.encode(), mode=0o600)


def add_worker(top: Path, name: str, *, builder_class: int, slots: int) -> Path:
    """Enter a worker in the farm's file; the file with its new password. RefusedError when there is one of the name."""
    path = top / SECRETS / "workers" / name
    if path.exists():
        raise RefusedError("has a password already", key=f"worker {name}", hint=f"it is in {path}")
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    _give_to_owner(path.parent, (top / FARM_FILE).stat())
    _write_as_owner(path, f"{secrets.token_urlsafe(32)}\n".encode(), like=top / FARM_FILE)
    _append(top, f'\n[workers."{name}"]\nclass = {builder_class}\nslots = {slots}\n')
    return path


def add_client(top: Path, name: str, *, repositories: list[str], sources: list[str], operates: bool) -> str:
    """Enter a client in the farm's file; its new token, of which the farm keeps a digest alone."""
    token = secrets.token_urlsafe(32)
    rows = [
        f'\n[clients."{name}"]',
        f'token_sha256 = "{hashlib.sha256(token.encode()).hexdigest()}"',
        f"repositories = {_list(repositories)}",
        f"sources = {_list(sources)}",
        f"operates = {str(operates).lower()}",
    ]
    _append(top, "".join(f"{row}\n" for row in rows))
    return token


def create_worker(top: Path, *, name: str, master: str, password: str, metrics: str | None = None) -> None:
    """A folder for a worker; RefusedError when there is one already. `metrics` is where it serves them, if it does."""
    if (top / WORKER_FILE).exists():
        raise RefusedError("there is a worker already", key=str(top / WORKER_FILE))
    top.mkdir(parents=True, exist_ok=True, mode=0o700)
    top.chmod(0o700)
    write_file(top / PASSWORD_FILE, f"{password}\n".encode(), mode=0o600)
    write_file(top / "buildbot.tac", _WORKER_TAC.encode(), mode=0o600)
    keys = {"name": name, "master": master} | ({METRICS_KEY: metrics} if metrics is not None else {})
    # A string of JSON is one of TOML, too: endpoints have backslashes.
    text = "".join(f"{key} = {json.dumps(value)}\n" for key, value in keys.items())
    write_file(top / WORKER_FILE, text.encode(), mode=0o600)


def _append(top: Path, text: str) -> None:
    path = top / FARM_FILE
    _write_as_owner(path, path.read_bytes() + text.encode(), like=path)


def _write_as_owner(path: Path, content: bytes, *, like: Path) -> None:
    """What root enters belongs to whom the farm belongs to, who is to read it."""
    owner = like.stat()
    write_file(path, content, mode=0o600)
    _give_to_owner(path, owner)


def _give_to_owner(path: Path, owner: os.stat_result) -> None:
    if os.geteuid() == 0:
        os.chown(path, owner.st_uid, owner.st_gid)


def _list(names: list[str]) -> str:
    return "[" + ", ".join(f'"{name}"' for name in names) + "]"
