"""The part of `farm.toml` that says where things are: what a master is set up by, and what is put around it."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ci_toolkit.errors import ConfigError
from ci_toolkit.formats.service_url import is_loopback
from ci_toolkit.formats.toml_values import boolean_at, check_keys, number_at, table_at, text_at

if TYPE_CHECKING:
    from collections.abc import Mapping

FARM_FILE = "farm.toml"
_NAME = re.compile(r"[a-z0-9_+][a-z0-9_.+-]{0,99}")
_WORKER_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,62}")
_LISTEN = re.compile(r"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_.-]+):[0-9]{1,5}")
_TOP_KEYS = (
    "url",
    "public",
    "web",
    "workers_listen",
    "deadline",
    "buildbot",
    "grpc",
    "repositories",
    "workers",
    "clients",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerPlan:
    """What a worker is meant for: jobs of this class and lower, and so many at once."""

    builder_class: int
    slots: int


@dataclass(frozen=True, slots=True, kw_only=True)
class GrpcPlan:
    """Where the build service over gRPC listens, as `host:port`, and the files of its certificate and key.

    Without them it is for this machine alone.
    """

    listen: str
    certificate: str | None
    key: str | None

    @property
    def host(self) -> str:
        """The address, without brackets."""
        return self.listen.rpartition(":")[0].strip("[]")

    @property
    def port(self) -> int:
        """The port."""
        return int(self.listen.rpartition(":")[2])


@dataclass(frozen=True, slots=True, kw_only=True)
class FarmLayout:
    """URLs without a slash at their end but for Buildbot's, which has one; endpoints are Twisted's strings.

    `publish` is by repository where it is published, None where farm.toml leaves that to the master; `grpc` is None
    where there is no service over gRPC.
    """

    url: str
    is_public: bool
    web: str
    workers_listen: str
    buildbot_url: str
    buildbot_web: str | None
    grpc: GrpcPlan | None
    publish: Mapping[str, str | None]
    workers: Mapping[str, WorkerPlan]


def parse_farm_table(content: bytes, *, file: str) -> dict[str, Any]:
    """The tables of a `farm.toml`; ConfigError when it is no TOML."""
    try:
        return tomllib.loads(content.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"is no TOML: {error}", file=file) from error
    except RecursionError:
        raise ConfigError("has tables or lists too deep in each other", file=file) from None


def farm_layout(table: Mapping[str, Any]) -> FarmLayout:
    """The places of a farm; ConfigError at the first that cannot be."""
    check_keys(table, _TOP_KEYS, "")
    buildbot = table_at(table, "buildbot")
    check_keys(buildbot, ("url", "web", "database"), "buildbot.")
    return FarmLayout(
        url=text_at(table, "url").rstrip("/"),
        is_public=boolean_at(table, "public", default=True),
        web=text_at(table, "web"),
        workers_listen=text_at(table, "workers_listen"),
        buildbot_url=text_at(buildbot, "url", "http://localhost:8020/", "buildbot.").rstrip("/") + "/",
        buildbot_web=text_at(buildbot, "web", where="buildbot.") if "web" in buildbot else None,
        grpc=_grpc(table_at(table, "grpc")) if "grpc" in table else None,
        publish={name: _publish(name, entry) for name, entry in table_at(table, "repositories").items()},
        workers={name: _worker(name, entry) for name, entry in table_at(table, "workers").items()},
    )


def _grpc(table: Mapping[str, Any]) -> GrpcPlan:
    where = "grpc."
    check_keys(table, ("listen", "certificate", "key"), where)
    listen = text_at(table, "listen", where=where)
    if _LISTEN.fullmatch(listen) is None or not 0 < int(listen.rpartition(":")[2]) < 1 << 16:
        raise ConfigError("is no host with a port", key=f"{where}listen", got=listen, hint="such as 127.0.0.1:9190")
    files = {name: text_at(table, name, where=where) if name in table else None for name in ("certificate", "key")}
    missing = [name for name, file in files.items() if file is None]
    if len(missing) == 1:
        raise ConfigError("is missing", key=f"{where}{missing[0]}", hint="a certificate and its key go together")
    plan = GrpcPlan(listen=listen, **files)
    if missing and not is_loopback(plan.host):
        hint = "add certificate and key, or have it listen on 127.0.0.1"
        problem = "would be reached over a network without encryption"
        raise ConfigError(problem, key=f"{where}listen", got=listen, hint=hint)
    return plan


def _publish(name: str, table: Mapping[str, Any]) -> str | None:
    where = f"repositories.{name}."
    if not _NAME.fullmatch(name):
        raise ConfigError("is no name of a repository", key="repositories", got=name)
    check_keys(table, ("sources", "publish", "key", "key_file", "demo_key", "config"), where)
    return text_at(table, "publish", where=where) if "publish" in table else None


def _worker(name: str, table: Mapping[str, Any]) -> WorkerPlan:
    where = f"workers.{name}."
    if not _WORKER_NAME.fullmatch(name):
        raise ConfigError("is no name of a worker", key="workers", got=name)
    check_keys(table, ("class", "slots"), where)
    return WorkerPlan(
        builder_class=int(number_at(table, "class", default=1, least=1, where=where)),
        slots=int(number_at(table, "slots", default=1, least=1, where=where)),
    )
