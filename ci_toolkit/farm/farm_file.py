"""`farm.toml`: everything that a person decides about a farm.

url = "https://farm.example.org"      # where people and clients reach the farm's own pages and API
public = true                         # whether anybody may see queue, history and logs
web = "tcp:8010:interface=127.0.0.1"  # where the farm's own pages and API listen (Twisted's endpoint strings)
workers_listen = "ssl:9989:privateKey=tls/key.pem:certKey=tls/cert.pem"
deadline = 60                         # seconds after which a worker that does not answer is given up
[buildbot]
url = "https://farm.example.org/buildbot/"
web = "tcp:8020:interface=127.0.0.1"  # left out: no pages of Buildbot
database = "sqlite:///state.sqlite"   # or secrets/database-url, when it holds a password
[grpc]                                # left out: no build service over gRPC
listen = "0.0.0.0:9190"
certificate = "tls/cert.pem"          # and key; left out on loopback
key = "tls/key.pem"
[repositories.NAME]                   # one that is published
sources = ["pkgbuilds"]               # BUILD_REPO of those that may have packages built into it
publish = "/srv/repositories/NAME"    # left out: repositories/NAME/repository
key_file = "secrets/signing-key.asc"  # or key = "FINGERPRINT", or demo_key = true
[repositories.NAME.config]            # any of a package repository's keys that are about builds
CI_BUILD_TIMEOUT = 7200
[workers.NAME]                        # its password is in secrets/workers/NAME
class = 9
slots = 4
[clients.NAME]                        # who may submit; token_sha256 by `ci-toolkit farm token`
token_sha256 = "…"
repositories = ["NAME"]
sources = ["pkgbuilds"]
operates = false                      # whether it may drain and resume workers, and purge finished jobs
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ci_toolkit.backends.local_folder import LocalFolder
from ci_toolkit.errors import ConfigError, NotReadyError
from ci_toolkit.farm.spec import Client, FarmRepository
from ci_toolkit.formats.farm_layout import FARM_FILE, farm_layout, parse_farm_table
from ci_toolkit.formats.key_value import KeyValueFile
from ci_toolkit.formats.toml_values import boolean_at, check_keys, number_at, table_at, text_at, texts_at
from ci_toolkit.model.names import nearest
from ci_toolkit.model.settings import parse_settings
from ci_toolkit.publishers.signing_key import KeyChoice

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

    from ci_toolkit.formats.farm_layout import FarmLayout, WorkerPlan

SECRETS = "secrets"
_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerEntry:
    """A machine that may build: of which class, how many builds at once, and the password that it comes with."""

    name: str
    builder_class: int
    slots: int
    password: str

    def __repr__(self) -> str:
        return f"WorkerEntry({self.name!r})"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientEntry:
    """Who may call, by the SHA-256 of its token."""

    token_sha256: str
    client: Client


@dataclass(frozen=True, slots=True, kw_only=True)
class FarmFile:
    """All of it: `database` is the URL of Buildbot's, `keys` are the signing keys of repositories.

    `deadline_s` is when a silent worker is given up.
    """

    top: Path
    layout: FarmLayout
    deadline_s: float
    database: str
    repositories: Mapping[str, FarmRepository]
    keys: Mapping[str, KeyChoice]
    workers: Mapping[str, WorkerEntry]
    clients: tuple[ClientEntry, ...]

    def __repr__(self) -> str:
        return f"FarmFile({str(self.top)!r})"


def read_farm_file(top: Path) -> FarmFile:
    """The farm in a folder; NotReadyError when there is none, ConfigError at the first thing that cannot be."""
    path = top / FARM_FILE
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise NotReadyError("there is no farm here", file=str(path), hint="ci-toolkit farm master create DIR") from None
    try:
        return _parsed(top.resolve(), parse_farm_table(content, file=str(path)))
    except ConfigError as error:
        raise error.located(file=str(path)) from None


def _parsed(top: Path, table: Mapping[str, Any]) -> FarmFile:
    layout = farm_layout(table)
    repositories, keys = {}, {}
    for name, entry in table_at(table, "repositories").items():
        repositories[name] = _repository(top, name, entry, layout.publish[name])
        keys[name] = _key(top, name, entry)
    clients = table_at(table, "clients")
    return FarmFile(
        top=top,
        layout=layout,
        deadline_s=number_at(table, "deadline", default=60, least=3),
        database=_database(top, table_at(table, "buildbot")),
        repositories=repositories,
        keys=keys,
        workers={name: _worker(top, name, plan) for name, plan in layout.workers.items()},
        clients=tuple(_client(name, entry, repositories) for name, entry in clients.items()),
    )


def _database(top: Path, table: Mapping[str, Any]) -> str:
    secret = top / SECRETS / "database-url"
    default = "sqlite:///state.sqlite"
    said = secret.read_text().strip() if secret.is_file() else text_at(table, "database", default, "buildbot.")
    # Which driver stands for PostgreSQL depends on the version of SQLAlchemy; this is the one that is installed.
    return re.sub(r"^postgres(ql)?://", "postgresql+psycopg://", said)


def _repository(top: Path, name: str, table: Mapping[str, Any], publish: str | None) -> FarmRepository:
    where = f"repositories.{name}."
    sources = texts_at(table, "sources", where)
    if not sources:
        raise ConfigError("names no repository, so that nothing could ever be submitted", key=f"{where}sources")
    place = top / "repositories" / name
    config = "".join(f"{key}={_plain(value, where + key)}\n" for key, value in table_at(table, "config", where).items())
    file = KeyValueFile.parse(
        f"REPO_NAME={name}\nBUILD_REPO={sources[0]}\n{config}".encode(), file=f"{FARM_FILE} [{where}config]"
    )
    return FarmRepository(
        name=name,
        sources=tuple(sources),
        place=LocalFolder(top=place, repository=top / publish if publish else place / "repository"),
        settings=parse_settings(file, {}),
    )


def _key(top: Path, name: str, table: Mapping[str, Any]) -> KeyChoice:
    given = [key for key in ("key", "key_file", "demo_key") if key in table]
    if len(given) != 1:
        raise ConfigError("needs one of key, key_file and demo_key", key=f"repositories.{name}")
    match given[0]:
        case "key":
            return KeyChoice(fingerprint=text_at(table, "key"))
        case "key_file":
            path = top / text_at(table, "key_file")
            if not path.is_file():
                raise NotReadyError("the signing key is missing", file=str(path))
            return KeyChoice(material=path.read_bytes())
        case _:
            return KeyChoice(demo=top / SECRETS / "demo-key")


def _worker(top: Path, name: str, plan: WorkerPlan) -> WorkerEntry:
    path = top / SECRETS / "workers" / name
    if not path.is_file():
        hint = f"ci-toolkit farm master add-worker {name} makes it"
        raise NotReadyError("the worker's password is missing", file=str(path), hint=hint)
    return WorkerEntry(name=name, builder_class=plan.builder_class, slots=plan.slots, password=path.read_text().strip())


def _client(name: str, table: Mapping[str, Any], repositories: Collection[str]) -> ClientEntry:
    where = f"clients.{name}."
    check_keys(table, ("token_sha256", "repositories", "sources", "operates"), where)
    digest = text_at(table, "token_sha256", where=where)
    if not _DIGEST.fullmatch(digest):
        hint = "ci-toolkit farm token prints a new token and its digest"
        raise ConfigError("is no SHA-256 in hexadecimal", key=f"{where}token_sha256", hint=hint)
    wanted = texts_at(table, "repositories", where)
    for one in wanted:
        if one not in repositories:
            hint = nearest(one, repositories) or "add [repositories." + one + "]"
            raise ConfigError("is no repository of this farm", key=f"{where}repositories", got=one, hint=hint)
    client = Client(
        name=name,
        repositories=frozenset(wanted),
        sources=frozenset(texts_at(table, "sources", where)),
        operates=boolean_at(table, "operates", default=False, where=where),
    )
    return ClientEntry(token_sha256=digest, client=client)


def _plain(value: object, key: str) -> str:
    """A value of TOML as our key=value files have it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str) and value.isprintable() and not set(value) & set("\"'"):
        return f'"{value}"'
    raise ConfigError("is no plain text, number or boolean", key=key)
