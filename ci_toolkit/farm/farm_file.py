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
operates = false                      # whether it may drain and resume workers
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ci_toolkit.backends.local_folder import LocalFolder
from ci_toolkit.errors import ConfigError, NotReadyError
from ci_toolkit.farm.spec import Client, FarmRepository
from ci_toolkit.formats.key_value import KeyValueFile
from ci_toolkit.model.names import nearest
from ci_toolkit.model.settings import parse_settings
from ci_toolkit.publishers.signing_key import KeyChoice

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

FARM_FILE = "farm.toml"
SECRETS = "secrets"
_NAME = re.compile(r"[a-z0-9_+][a-z0-9_.+-]{0,99}")
_WORKER_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,62}")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_TOP_KEYS = ("url", "public", "web", "workers_listen", "deadline", "buildbot", "repositories", "workers", "clients")


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
class BuildbotEntry:
    """How Buildbot itself is set up; without `web` it has no pages."""

    url: str
    web: str | None
    database: str

    def __repr__(self) -> str:
        return f"BuildbotEntry({self.url!r})"


@dataclass(frozen=True, slots=True, kw_only=True)
class FarmFile:
    """All of it; `keys` are the signing keys of repositories, `deadline_s` when a silent worker is given up."""

    top: Path
    url: str
    is_public: bool
    web: str
    workers_listen: str
    deadline_s: float
    buildbot: BuildbotEntry
    repositories: Mapping[str, FarmRepository]
    keys: Mapping[str, KeyChoice]
    workers: Mapping[str, WorkerEntry]
    clients: tuple[ClientEntry, ...]


def read_farm_file(top: Path) -> FarmFile:
    """The farm in a folder; NotReadyError when there is none, ConfigError at the first thing that cannot be."""
    path = top / FARM_FILE
    try:
        table = tomllib.loads(path.read_text())
    except FileNotFoundError:
        raise NotReadyError("there is no farm here", file=str(path), hint="ci-toolkit farm master create DIR") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"is no TOML: {error}", file=str(path)) from error
    try:
        return _parsed(top.resolve(), table)
    except ConfigError as error:
        raise error.located(file=str(path)) from None


def _parsed(top: Path, table: Mapping[str, Any]) -> FarmFile:
    _known(table, _TOP_KEYS, "")
    repositories, keys = {}, {}
    for name, entry in _tables(table, "repositories").items():
        repositories[name] = _repository(top, name, entry)
        keys[name] = _key(top, name, entry)
    clients = _tables(table, "clients")
    return FarmFile(
        top=top,
        url=_text(table, "url").rstrip("/"),
        is_public=_boolean(table, "public", default=True),
        web=_text(table, "web"),
        workers_listen=_text(table, "workers_listen"),
        deadline_s=_number(table, "deadline", default=60, least=3),
        buildbot=_buildbot(top, table.get("buildbot", {})),
        repositories=repositories,
        keys=keys,
        workers={name: _worker(top, name, entry) for name, entry in _tables(table, "workers").items()},
        clients=tuple(_client(name, entry, repositories) for name, entry in clients.items()),
    )


def _buildbot(top: Path, table: Mapping[str, Any]) -> BuildbotEntry:
    _known(table, ("url", "web", "database"), "buildbot.")
    secret = top / SECRETS / "database-url"
    database = secret.read_text().strip() if secret.is_file() else _text(table, "database", "sqlite:///state.sqlite")
    return BuildbotEntry(
        url=_text(table, "url", "http://localhost:8020/").rstrip("/") + "/",
        web=_text(table, "web") if "web" in table else None,
        # Which driver stands for PostgreSQL depends on the version of SQLAlchemy; this is the one that is installed.
        database=re.sub(r"^postgres(ql)?://", "postgresql+psycopg://", database),
    )


def _repository(top: Path, name: str, table: Mapping[str, Any]) -> FarmRepository:
    where = f"repositories.{name}."
    if not _NAME.fullmatch(name):
        raise ConfigError("is no name of a repository", key="repositories", got=name)
    _known(table, ("sources", "publish", "key", "key_file", "demo_key", "config"), where)
    sources = _texts(table, "sources", where)
    if not sources:
        raise ConfigError("names no repository, so that nothing could ever be submitted", key=f"{where}sources")
    place = top / "repositories" / name
    publish = Path(_text(table, "publish", str(place / "repository")))
    config = "".join(f"{key}={_plain(value, where + key)}\n" for key, value in _tables(table, "config", where).items())
    file = KeyValueFile.parse(
        f"REPO_NAME={name}\nBUILD_REPO={sources[0]}\n{config}".encode(), file=f"{FARM_FILE} [{where}config]"
    )
    return FarmRepository(
        name=name,
        sources=tuple(sources),
        place=LocalFolder(top=place, repository=top / publish),
        settings=parse_settings(file, {}),
    )


def _key(top: Path, name: str, table: Mapping[str, Any]) -> KeyChoice:
    given = [key for key in ("key", "key_file", "demo_key") if key in table]
    if len(given) != 1:
        raise ConfigError("needs one of key, key_file and demo_key", key=f"repositories.{name}")
    match given[0]:
        case "key":
            return KeyChoice(fingerprint=_text(table, "key"))
        case "key_file":
            path = top / _text(table, "key_file")
            if not path.is_file():
                raise NotReadyError("the signing key is missing", file=str(path))
            return KeyChoice(material=path.read_bytes())
        case _:
            return KeyChoice(demo=top / SECRETS / "demo-key")


def _worker(top: Path, name: str, table: Mapping[str, Any]) -> WorkerEntry:
    where = f"workers.{name}."
    if not _WORKER_NAME.fullmatch(name):
        raise ConfigError("is no name of a worker", key="workers", got=name)
    _known(table, ("class", "slots"), where)
    path = top / SECRETS / "workers" / name
    if not path.is_file():
        hint = f"ci-toolkit farm master add-worker {name} makes it"
        raise NotReadyError("the worker's password is missing", file=str(path), hint=hint)
    return WorkerEntry(
        name=name,
        builder_class=int(_number(table, "class", default=1, least=1, where=where)),
        slots=int(_number(table, "slots", default=1, least=1, where=where)),
        password=path.read_text().strip(),
    )


def _client(name: str, table: Mapping[str, Any], repositories: Collection[str]) -> ClientEntry:
    where = f"clients.{name}."
    _known(table, ("token_sha256", "repositories", "sources", "operates"), where)
    digest = _text(table, "token_sha256", where=where)
    if not _DIGEST.fullmatch(digest):
        hint = "ci-toolkit farm token prints a new token and its digest"
        raise ConfigError("is no SHA-256 in hexadecimal", key=f"{where}token_sha256", hint=hint)
    wanted = _texts(table, "repositories", where)
    for one in wanted:
        if one not in repositories:
            hint = nearest(one, repositories) or "add [repositories." + one + "]"
            raise ConfigError("is no repository of this farm", key=f"{where}repositories", got=one, hint=hint)
    client = Client(
        name=name,
        repositories=frozenset(wanted),
        sources=frozenset(_texts(table, "sources", where)),
        operates=_boolean(table, "operates", default=False, where=where),
    )
    return ClientEntry(token_sha256=digest, client=client)


def _known(table: Mapping[str, Any], keys: Collection[str], where: str) -> None:
    for key in table:
        if key not in keys:
            raise ConfigError("is no key of a farm", key=f"{where}{key}", hint=nearest(key, keys) or ", ".join(keys))


def _tables(table: Mapping[str, Any], key: str, where: str = "") -> dict[str, Any]:
    found = table.get(key, {})
    if not isinstance(found, dict):
        raise ConfigError("is no table", key=f"{where}{key}", got=repr(found))
    return found


def _text(table: Mapping[str, Any], key: str, default: str | None = None, where: str = "") -> str:
    found = table.get(key, default)
    if not isinstance(found, str) or not found or not found.isprintable():
        raise ConfigError("is missing" if found is None else "is no text", key=f"{where}{key}")
    return found


def _texts(table: Mapping[str, Any], key: str, where: str) -> list[str]:
    found = table.get(key, [])
    if not isinstance(found, list) or not all(isinstance(one, str) and one for one in found):
        raise ConfigError("is no list of texts", key=f"{where}{key}")
    return found


def _boolean(table: Mapping[str, Any], key: str, *, default: bool, where: str = "") -> bool:
    found = table.get(key, default)
    if not isinstance(found, bool):
        raise ConfigError("is neither true nor false", key=f"{where}{key}", got=str(found))
    return found


def _number(table: Mapping[str, Any], key: str, *, default: float, least: float, where: str = "") -> float:
    found = table.get(key, default)
    if isinstance(found, bool) or not isinstance(found, int | float) or found < least:
        raise ConfigError(f"is no number of {least} or more", key=f"{where}{key}", got=str(found))
    return found


def _plain(value: object, key: str) -> str:
    """A value of TOML as our key=value files have it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str) and value.isprintable() and not set(value) & set("\"'"):
        return f'"{value}"'
    raise ConfigError("is no plain text, number or boolean", key=key)
