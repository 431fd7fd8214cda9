"""What a plugin may add to the stack around a farm, and what it is handed to decide that.

A plugin registers a class with a `name` and a method `fragment` as an entry point of group
`ci_toolkit.stack_fragments`. What it gives is data alone. `ci-toolkit stack render` checks it, and refuses it with the
plugin's name when it would not fit. Names of services, volumes, secrets and files are the plugin's own name, or begin
with it and a hyphen.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ci_toolkit.model.metric import Metric

_NONE: Mapping[str, str] = MappingProxyType({})
Severity = Literal["critical", "warning", "info"]
Option = str | int | float | bool | list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mount:
    """A place in a container: a volume by its name, or, with `./`, one of the plugin's own templates, read-only."""

    source: str
    target: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Secret:
    """A file with one secret in it, `secrets/NAME`, readable in containers as `/run/secrets/NAME`.

    `owner` is the number of the user who reads it there. One that is `made` is invented where it is missing; another
    one is put there by a person.
    """

    name: str
    owner: int = 0
    made: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """A program that runs beside the farm, in a container.

    Either `image`, with a tag or digest that does not move, or `dockerfile`, the text of one with a HEALTHCHECK.
    `health` is a command in the container that ends with 0 when all is well; a `dockerfile` has its own.
    `port` is where others reach it. `uses` names plugins whose PLUGIN_X_INTERNAL_URL it wants, where they are there.
    `after` names services that have to be healthy first. `beside` names a service whose network it shares: a sidecar.
    `memory` is as `512m`, `cpus` a number of processors.
    """

    name: str
    image: str = ""
    dockerfile: str = ""
    command: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=lambda: _NONE)
    secrets: tuple[Secret, ...] = ()
    mounts: tuple[Mount, ...] = ()
    port: int | None = None
    health: tuple[str, ...] = ()
    uses: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    beside: str = ""
    memory: str = "256m"
    cpus: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Requests for `/plugins/NAME/` and what is `below`, as `logs/`, go to `service`, at `path` there.

    What `streams` is never buffered, and may be silent for an hour.
    """

    service: str
    below: str = ""
    path: str = "/"
    streams: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Scrape:
    """A service that has metrics for Prometheus at `path`."""

    service: str
    path: str = "/metrics"


@dataclass(frozen=True, slots=True, kw_only=True)
class Firing:
    """One alert as it should come: its labels but for severity and plugin, and its texts with everything filled in."""

    labels: Mapping[str, str]
    summary: str
    description: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertCase:
    """Series over time, in promtool's notation by the minute, and what fires `at` a time such as `5m`; () is none."""

    series: Mapping[str, str]
    at: str
    fires: tuple[Firing, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """A rule of Prometheus, with cases that show that it fires when it should, and only then; `lasting` is as `5m`."""

    name: str
    expr: str
    severity: Severity
    summary: str
    lasting: str = ""
    description: str = ""
    cases: tuple[AlertCase, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """A graph or number on a dashboard: PromQL by legend, and the unit as Grafana has it (`s`, `short`, `bytes`)."""

    title: str
    queries: Mapping[str, str]
    unit: str = "short"
    shown_as: Literal["timeseries", "stat", "table", "bargauge"] = "timeseries"
    description: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dashboard:
    """A page of panels."""

    name: str
    title: str
    panels: tuple[Panel, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Requests:
    """What a plugin answers, as its metrics have it: a counter, which of its label values are errors, and a histogram.

    `total` is either name of a counter: `x` as it is declared, or `x_total` as Prometheus has it. `errors` is a matcher
    such as `code=~"5.."`. `duration` is the name of the histogram, without an ending.

    Its dashboard then shows the rate of requests, the share of errors and the duration that 95 of 100 stay below.
    """

    total: str
    errors: str
    duration: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """A file for the plugin's services: `${VAR}` is a key of `[plugins.NAME]` in stack.toml, or of `defaults`.

    The first line says where it is from, as a comment with `#`; a `.json` file holds an object, and has that as its
    first value, `__comment`.
    """

    path: str
    text: str
    defaults: Mapping[str, str] = field(default_factory=lambda: _NONE)


@dataclass(frozen=True, slots=True, kw_only=True)
class SeedTable:
    """Rows that a table of the plugin's own schema has from the beginning; both are made where they are missing.

    `columns` are SQL types by name; the first `key` of them are the primary key. Rows that are there are left alone.
    """

    name: str
    columns: Mapping[str, str]
    rows: tuple[tuple[str | int | float | bool | None, ...], ...]
    key: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Fragment:
    """All that one plugin adds. `internal` names the service that PLUGIN_NAME_INTERNAL_URL leads to."""

    services: tuple[Service, ...] = ()
    internal: str = ""
    needs_redis: bool = False
    routes: tuple[Route, ...] = ()
    scrapes: tuple[Scrape, ...] = ()
    metrics: tuple[Metric, ...] = ()
    requests: Requests | None = None
    alerts: tuple[Alert, ...] = ()
    dashboards: tuple[Dashboard, ...] = ()
    templates: tuple[Template, ...] = ()
    seeds: tuple[SeedTable, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What a plugin is told: where the farm is reached, and its table `[plugins.NAME]`, None where there is none."""

    farm_url: str
    options: Mapping[str, Option] | None


class StackFragment(Protocol):
    """Adds to the stack. The same setting gives the same fragment, whatever the machine."""

    name: ClassVar[str]

    def fragment(self, setting: Setting) -> Fragment | None:
        """What is added; None: nothing, as the plugin is not used. ConfigError for options that cannot be."""
