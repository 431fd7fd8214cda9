"""`stack.toml`: what is to run around a farm. `stack.schema.json` says which keys there are, for us and for editors."""

from __future__ import annotations

import json
import tomllib
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Literal

import jsonschema

from ci_toolkit.errors import ConfigError, shortened
from ci_toolkit.model.names import nearest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ci_toolkit.stack_fragments.spec import Option

STACK_FILE = "stack.toml"
SCHEMA_FILE = "stack.schema.json"
_MOST_FAULTS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class StackWorker:
    """Where a worker is: its folder, when it runs on this machine, or the URL of its metrics, when it has any."""

    folder: str | None
    metrics: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """What a service may use: memory as `512m`, and processors; None is what is usual for it."""

    memory: str | None
    cpus: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class S3:
    """Where Loki keeps its chunks when it does not keep them in files."""

    endpoint: str
    bucket: str
    region: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LokiChoice:
    """How logs are kept: for how long, where (None: in files), and for whom."""

    retention_hours: int
    s3: S3 | None
    tenants: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PrometheusChoice:
    """How metrics are asked for and kept; `readers` are addresses elsewhere that may ask the farm, too.

    `workers_ca` is the file of the authority behind the certificates of workers; None: those that a system trusts.
    """

    scrape_seconds: int
    retention_days: int
    readers: tuple[str, ...]
    workers_ca: str | None
    sends_token: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Email:
    """Where mails about alerts go to, and by which server."""

    to: str
    sender: str
    smarthost: str
    username: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """An address that alerts are posted to."""

    url: str
    sends_token: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Targets:
    """Who is told of alerts; `telegram` is the number of a chat."""

    email: Email | None
    telegram: int | None
    webhook: Webhook | None

    @property
    def is_empty(self) -> bool:
        """Whether nobody is told."""
        return self.email is None and self.telegram is None and self.webhook is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """All of it, with what is usual where the file says nothing; paths are relative to the file's folder.

    `plugins` are the tables of plugins, `plugin_targets` who is told of the alerts of those that say so.
    """

    farm: str
    name: str
    run_by: Literal["compose", "systemd"]
    installed_at: str
    user: int
    tls: str
    repositories: str
    compose_files: tuple[str, ...]
    image: str
    build: str | None
    workers: Mapping[str, StackWorker]
    prometheus: PrometheusChoice
    loki: LokiChoice
    grafana_is_public: bool
    alerts: Targets
    images: Mapping[str, str]
    ports: Mapping[str, int]
    limits: Mapping[str, Limit]
    plugins: Mapping[str, Mapping[str, Option]]
    plugin_targets: Mapping[str, Targets]

    @property
    def is_composed(self) -> bool:
        """Whether everything runs in containers."""
        return self.run_by == "compose"


def schema_text() -> str:
    """The JSON schema of the file."""
    return files("ci_toolkit.stack").joinpath(SCHEMA_FILE).read_text()


def parse_stack(content: bytes, *, file: str = STACK_FILE) -> Stack:
    """The stack that a file describes; ConfigError with everything that cannot be."""
    try:
        table = tomllib.loads(content.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"is no TOML: {error}", file=file) from error
    except RecursionError:
        raise ConfigError("has tables or lists too deep in each other", file=file) from None
    schema = json.loads(schema_text())
    faults = [*_faults(table, schema), *_unprintable(table, ())]
    if faults:
        raise ConfigError("; ".join(faults[:_MOST_FAULTS]), file=file)
    return _stack(_filled(table, schema, schema), file)


def _faults(table: Mapping[str, Any], schema: Mapping[str, Any]) -> Iterator[str]:
    checker = jsonschema.Draft202012Validator(schema)
    for error in sorted(checker.iter_errors(table), key=lambda error: [str(part) for part in error.absolute_path]):
        place = ".".join(map(str, error.absolute_path))
        if error.validator == "additionalProperties":
            known = error.schema.get("properties", {})
            for key in sorted(set(error.instance) - set(known)):
                yield f"{_joined(place, key)} is no key here ({nearest(key, known) or ', '.join(known)})"
        elif error.validator == "required":
            missing = [key for key in error.validator_value if key not in error.instance]
            yield f"{_joined(place, missing[0])} is missing"
        elif error.validator == "enum":
            hint = nearest(str(error.instance), error.validator_value) or ", ".join(error.validator_value)
            yield f"{place or 'a key'} cannot be {shortened(repr(error.instance))} ({hint})"
        elif error.validator == "pattern":
            yield f"{place} cannot be {shortened(repr(error.instance))} (it is to match {error.validator_value})"
        else:
            yield f"{place}: {shortened(error.message)}"


def _joined(place: str, key: str) -> str:
    return f"{place}.{key}" if place else key


def _unprintable(value: object, path: tuple[str, ...]) -> Iterator[str]:
    """No text has control characters, nor line ends: the files that it ends up in have a syntax of their own."""
    if isinstance(value, dict):
        for key, one in value.items():
            if not key.isprintable():
                yield f"{'.'.join(path) or 'the file'} has a key with a control character"
            yield from _unprintable(one, (*path, key))
    elif isinstance(value, list):
        for one in value:
            yield from _unprintable(one, path)
    elif isinstance(value, str) and not value.isprintable():
        yield f"{'.'.join(path)} has a control character"


def _filled(value: Any, schema: Mapping[str, Any], whole: Mapping[str, Any]) -> Any:  # noqa: ANN401 - as TOML has it
    """The value with the schema's defaults in it, at every depth."""
    if "$ref" in schema:
        return _filled(value, whole["$defs"][schema["$ref"].rpartition("/")[2]], whole)
    if not isinstance(value, dict):
        return value
    known = schema.get("properties", {})
    others = schema.get("additionalProperties")
    filled = {
        key: _filled(one, known.get(key, others if isinstance(others, dict) else {}), whole)
        for key, one in value.items()
    }
    for key, described in known.items():
        if key not in filled and "default" in described:
            filled[key] = _filled(described["default"], described, whole)
    return filled


def _stack(table: Mapping[str, Any], file: str) -> Stack:
    loki, prometheus = table["loki"], table["prometheus"]
    if (loki["storage"] == "s3") != ("s3" in loki):
        problem = "wants a table loki.s3" if loki["storage"] == "s3" else 'is not "s3", and there is a table loki.s3'
        raise ConfigError(problem, file=file, key="loki.storage")
    if table["ports"] and table["run_by"] == "compose":
        hint = 'they are for run_by = "systemd"; a container has ports of its own'
        raise ConfigError("has no meaning in containers", file=file, key="ports", hint=hint)
    for key in ("images", "compose_files"):
        if table[key] and table["run_by"] == "systemd":
            raise ConfigError("has no meaning without containers", file=file, key=key, hint='run_by = "compose"')
    return Stack(
        farm=table["farm"].rstrip("/"),
        name=table["name"],
        run_by=table["run_by"],
        installed_at=table["installed_at"],
        user=table["user"],
        tls=table["tls"].rstrip("/"),
        repositories=table["repositories"].rstrip("/"),
        compose_files=tuple(table["compose_files"]),
        image=table["image"]["name"],
        build=table["image"].get("build"),
        workers={name: _worker(name, entry, file) for name, entry in table["workers"].items()},
        prometheus=PrometheusChoice(
            scrape_seconds=prometheus["scrape_seconds"],
            retention_days=prometheus["retention_days"],
            readers=tuple(prometheus["readers"]),
            workers_ca=prometheus.get("workers_ca"),
            sends_token=prometheus["token"],
        ),
        loki=LokiChoice(
            retention_hours=loki["retention_hours"],
            s3=S3(**loki["s3"]) if "s3" in loki else None,
            tenants=tuple(loki["tenants"]),
        ),
        grafana_is_public=table["grafana"]["viewers"] == "everybody",
        alerts=_targets(table["alerts"]),
        images=table["images"],
        ports=table["ports"],
        limits={
            name: Limit(memory=entry.get("memory"), cpus=entry.get("cpus")) for name, entry in table["limits"].items()
        },
        plugins={
            name: {key: value for key, value in entry.items() if key != "alerts"}
            for name, entry in table["plugins"].items()
        },
        plugin_targets={
            name: _targets(entry["alerts"]) for name, entry in table["plugins"].items() if "alerts" in entry
        },
    )


def _worker(name: str, table: Mapping[str, Any], file: str) -> StackWorker:
    if "folder" in table and "metrics" in table:
        problem = "is both on this machine and elsewhere: folder or metrics, not both"
        raise ConfigError(problem, file=file, key=f"workers.{name}")
    return StackWorker(folder=table.get("folder"), metrics=table.get("metrics"))


def _targets(table: Mapping[str, Any]) -> Targets:
    email, webhook = table.get("email"), table.get("webhook")
    return Targets(
        email=email
        and Email(to=email["to"], sender=email["from"], smarthost=email["smarthost"], username=email.get("username")),
        telegram=table["telegram"]["chat"] if "telegram" in table else None,
        webhook=webhook and Webhook(url=webhook["url"], sends_token=webhook["token"]),
    )
