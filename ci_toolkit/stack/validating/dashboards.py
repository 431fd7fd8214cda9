"""Whether Grafana can show the dashboards: each is the only one of its address, and asks somebody who is there."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from ci_toolkit.stack.dashboards.grafana import DATASOURCES
from ci_toolkit.stack.dashboards.pages import DASHBOARDS
from ci_toolkit.stack.output import read_yaml

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from ci_toolkit.stack.output import Output

Json = dict[str, Any]
_UID = re.compile(r"[A-Za-z0-9_-]{1,40}")  # what Grafana takes
_LINK = re.compile(r"/d/([^/?]+)")
_COLUMNS = 24


def dashboard_faults(outputs: Iterable[Output]) -> Iterator[str]:
    """What is wrong with the dashboards among these files, each with its file and, where it is about one, its panel."""
    listed = list(outputs)
    dashboards = [(o.path, json.loads(o.content)) for o in listed if o.path.startswith(f"{DASHBOARDS}/")]
    sources = _datasources(listed)
    uids: dict[str, str] = {}
    for path, dashboard in dashboards:
        uid = dashboard["uid"]
        if not _UID.fullmatch(uid):
            yield f"{path}: uid {uid!r} is none that Grafana takes"
        if uid in uids:
            yield f"{path}: uid {uid} is that of {dashboard['title']!r} and of {uids[uid]!r}"
        uids[uid] = dashboard["title"]
    for path, dashboard in dashboards:
        for fault in (
            *_panel_faults(dashboard["panels"]),
            *_source_faults(dashboard, sources),
            *_link_faults(dashboard, uids),
        ):
            yield f"{path}: {fault}"


def _datasources(outputs: Iterable[Output]) -> dict[str, str]:
    """The kinds of the datasources that are provisioned, by uid."""
    provisioned = [read_yaml(output.content) for output in outputs if output.path == DATASOURCES]
    return {source["uid"]: source["type"] for file in provisioned for source in file["datasources"]}


def _panel_faults(panels: Iterable[Json]) -> Iterator[str]:
    numbers: dict[int, str] = {}
    taken: dict[tuple[int, int], tuple[int, str]] = {}
    for at, panel in enumerate(panels):
        title, place = panel["title"], panel["gridPos"]
        if panel["id"] in numbers:
            yield f"panel {title!r} has the id {panel['id']} of {numbers[panel['id']]!r}"
        numbers[panel["id"]] = title
        if place["x"] < 0 or place["w"] < 1 or place["h"] < 1 or place["x"] + place["w"] > _COLUMNS:
            yield f"panel {title!r} is not within the {_COLUMNS} columns"
        covered = {taken.setdefault(cell, (at, title)) for cell in _cells(place)} - {(at, title)}
        yield from (f"panel {title!r} lies over {other!r}" for _, other in sorted(covered))
        yield from _query_faults(panel)


def _cells(place: Mapping[str, int]) -> Iterator[tuple[int, int]]:
    for column in range(place["x"], place["x"] + place["w"]):
        for row in range(place["y"], place["y"] + place["h"]):
            yield column, row


def _query_faults(panel: Json) -> Iterator[str]:
    if panel["type"] == "row":
        return
    targets = panel["targets"]
    if not targets:
        yield f"panel {panel['title']!r} asks nothing"
    if len({target["refId"] for target in targets}) < len(targets):
        yield f"panel {panel['title']!r} has two queries of one refId"
    for target in targets:
        if not target["expr"].strip():
            yield f"panel {panel['title']!r}: query {target['refId']} is empty"


def _source_faults(dashboard: Json, sources: Mapping[str, str]) -> Iterator[str]:
    variables = dashboard["templating"]["list"]
    asking = [(f"variable {variable['name']}", variable["datasource"]) for variable in variables]
    for panel in dashboard["panels"]:
        place = f"panel {panel['title']!r}"
        asked = [panel, *panel.get("targets", ())] if panel["type"] != "row" else []
        asking += [(place, part["datasource"]) for part in asked]
    faults = (
        f"{place}: there is no datasource {source['uid']} of type {source['type']}"
        for place, source in asking
        if sources.get(source["uid"]) != source["type"]
    )
    yield from dict.fromkeys(faults)


def _link_faults(dashboard: Json, uids: Mapping[str, str]) -> Iterator[str]:
    for panel in dashboard["panels"]:
        for link in panel.get("links", ()):
            found = _LINK.match(link["url"])
            if found is not None and found[1] not in uids:
                yield f"panel {panel['title']!r} leads to a dashboard {found[1]}, which is not there"
