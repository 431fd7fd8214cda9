"""Whether what a plugin adds fits into a stack: names of its own, images that do not move, paths that stay inside.

All of it ends up in files with a syntax of their own, so nothing gets there that is not known to be harmless.
"""

from __future__ import annotations

import re
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING

from ci_toolkit.errors import PluginError, shortened
from ci_toolkit.stack.service_check import CORE_SERVICES, PLUGIN, is_own, service_faults

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ci_toolkit.stack.deployment import Bundle
    from ci_toolkit.stack_fragments.spec import Alert, Fragment, SeedTable

_PATH = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@+-]*(?:/[A-Za-z0-9_][A-Za-z0-9_.@+-]*)*")
_BELOW = re.compile(r"(?:[A-Za-z0-9_-]+/)*")
_ROUTE = re.compile(r"/(?:[A-Za-z0-9_.~-]+/)*")
_SCRAPE = re.compile(r"(?:/[A-Za-z0-9_.~-]+)+")
_METRIC = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_ALERT = re.compile(r"[A-Z][A-Za-z0-9]{0,99}")
_DURATION = re.compile(r"(?:[0-9]+(?:ms|[smhdwy]))+")
_LONGEST_DURATION = 20
_COLUMN = re.compile(r"[a-z_][a-z0-9_]{0,40}")
_TYPE = re.compile(r"[a-z][a-z0-9 ]*(?:\([0-9]+(?:, ?[0-9]+)?\))?(?:\[\])?(?: NOT NULL)?")
_MOST_FAULTS = 20
_OWN_FILES = re.compile(r"compose\.yml|seed\.sql|dockerfile\..*")
_LONGEST_PATH = 200


def check_bundle(bundle: Bundle) -> None:
    """Nothing; PluginError that names the plugin and everything that does not fit."""
    faults = list(_faults(bundle.name, bundle.fragment))
    if faults:
        problem = (
            f"stack_fragments: {bundle.name} from {bundle.origin} does not fit: {'; '.join(faults[:_MOST_FAULTS])}"
        )
        raise PluginError("".join(map(_shown, problem)))


def _shown(character: str) -> str:
    """No name begins a line of its own, or has a terminal do something."""
    return character if character.isprintable() else ascii(character)[1:-1]


def _faults(plugin: str, fragment: Fragment) -> Iterator[str]:
    if not PLUGIN.fullmatch(plugin) or plugin in CORE_SERVICES:
        yield f"{shortened(plugin)!r} is no name for what adds to a stack"
    yield from _twice("service", (service.name for service in fragment.services))
    for service in fragment.services:
        for fault in service_faults(plugin, service, fragment):
            yield f"service {shortened(service.name)}: {fault}"
    yield from _waiting_faults(fragment)
    yield from _reach_faults(fragment)
    yield from _file_faults(fragment)
    yield from _watching_faults(plugin, fragment)
    yield from _twice("seed table", (seed.name for seed in fragment.seeds))
    for seed in fragment.seeds:
        yield from _seed_faults(seed)


def _waiting_faults(fragment: Fragment) -> Iterator[str]:
    try:
        TopologicalSorter({service.name: service.after for service in fragment.services}).prepare()
    except CycleError as error:
        yield f"{', '.join(map(shortened, error.args[1]))} wait for each other"


def _reach_faults(fragment: Fragment) -> Iterator[str]:
    reachable = {service.name for service in fragment.services if service.port is not None}
    for what, name in (
        *(("a route", route.service) for route in fragment.routes),
        *(("a scrape", scrape.service) for scrape in fragment.scrapes),
        *([("internal", fragment.internal)] if fragment.internal else []),
    ):
        if name not in reachable:
            yield f"{what} leads to {shortened(name)!r}, which is no service of it with a port"
    yield from _twice("route", (route.below for route in fragment.routes))
    for route in fragment.routes:
        if not _ROUTE.fullmatch(route.path) or not _BELOW.fullmatch(route.below) or ".." in route.path:
            yield f"a route from {shortened(route.below)!r} to {shortened(route.path)!r} is none"
    for scrape in fragment.scrapes:
        if not _SCRAPE.fullmatch(scrape.path) or ".." in scrape.path:
            yield f"a scrape of {shortened(scrape.path)!r} is none"


def _file_faults(fragment: Fragment) -> Iterator[str]:
    # Not every folder on a disk tells large letters from small ones.
    paths = [template.path.casefold() for template in fragment.templates]
    yield from _twice("template", paths)
    files = {*paths}
    for template, path in zip(fragment.templates, paths, strict=True):
        is_path = len(path) <= _LONGEST_PATH and _PATH.fullmatch(path) and ".." not in path
        if not is_path or _OWN_FILES.fullmatch(path.partition("/")[0]):
            yield f"template {shortened(template.path)!r} is no path of its own"
        for end, character in enumerate(path if is_path else ""):
            if character == "/" and path[:end] in files:
                yield f"template {template.path!r} lies in {path[:end]!r}, which is a file"


def _watching_faults(plugin: str, fragment: Fragment) -> Iterator[str]:
    for metric in fragment.metrics:
        if not _METRIC.fullmatch(metric.name):
            yield f"metric {shortened(metric.name)!r} cannot be one"
    yield from _twice("alert", (alert.name for alert in fragment.alerts))
    for alert in fragment.alerts:
        yield from _alert_faults(alert)
    yield from _twice("dashboard", (dashboard.name for dashboard in fragment.dashboards))
    for dashboard in fragment.dashboards:
        if not is_own(plugin, dashboard.name):
            yield f"dashboard {shortened(dashboard.name)!r} is not the plugin's own"
        if not dashboard.panels:
            yield f"dashboard {shortened(dashboard.name)} shows nothing"


def _alert_faults(alert: Alert) -> Iterator[str]:
    if not _ALERT.fullmatch(alert.name):
        yield f"alert {shortened(alert.name)!r} is none"
    if alert.lasting and not _DURATION.fullmatch(alert.lasting):
        yield f"alert {shortened(alert.name)}: {shortened(alert.lasting)!r} is no duration"
    for case in alert.cases:
        if len(case.at) > _LONGEST_DURATION or not _DURATION.fullmatch(case.at):
            yield f"alert {shortened(alert.name)}: its case at {shortened(case.at)!r} is none"
    if not alert.summary:
        yield f"alert {shortened(alert.name)} tells nothing"


def _seed_faults(seed: SeedTable) -> Iterator[str]:
    if not _COLUMN.fullmatch(seed.name):
        yield f"seed table {shortened(seed.name)!r} cannot be one"
    for name, kind in seed.columns.items():
        if not _COLUMN.fullmatch(name) or not _TYPE.fullmatch(kind):
            yield f"seed table {seed.name}: {shortened(name)!r} {shortened(kind)!r} is no column"
    if not 0 < seed.key <= len(seed.columns):
        yield f"seed table {seed.name}: {seed.key} of its columns cannot be the key"
    if any(len(row) != len(seed.columns) for row in seed.rows):
        yield f"seed table {seed.name}: a row has not as many values as there are columns"
    if any("\0" in value for row in seed.rows for value in row if isinstance(value, str)):
        yield f"seed table {seed.name}: a value has a NUL in it"


def _twice(what: str, names: Iterable[str]) -> Iterator[str]:
    seen = set()
    for name in names:
        if name in seen:
            yield f"two of its {what}s are called {shortened(name)!r}"
        seen.add(name)
