"""Dashboards as files for Grafana: the farm's own, and those of plugins."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

from ci_toolkit.stack.dashboards.farm_dashboards import FARM_PAGES
from ci_toolkit.stack.dashboards.page import REPOSITORY, WHOLE, Page, page_of
from ci_toolkit.stack.dashboards.panels import PROMETHEUS, Json, panel_json
from ci_toolkit.stack.dashboards.plugin_requests import requests_page
from ci_toolkit.stack.dashboards.service_dashboards import SERVICE_PAGES
from ci_toolkit.stack.output import json_output

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ci_toolkit.stack.deployment import Bundle, Deployment
    from ci_toolkit.stack.output import Output

TAG = "ci-toolkit"
DASHBOARDS = "grafana/dashboards"
_OWNER = "plugin-"  # of a tag
_SCHEMA = 41  # Grafana 12; later ones bring it up to date while they read it
_UID_MAX = 40  # characters that Grafana takes
_REPOSITORIES = "label_values(ci_toolkit_farm_repository_fault, repository)"


def dashboard_outputs(deployment: Deployment) -> Iterator[Output]:
    """All dashboards: the farm's, then those of plugins that have metrics of requests, or dashboards."""
    for page in dashboard_pages(deployment):
        yield json_output(f"{DASHBOARDS}/{_plain(page.name)}.json", _dashboard_json(page, deployment))


def dashboard_pages(deployment: Deployment) -> Iterator[Page]:
    """The pages that a farm with these plugins has."""
    yield from FARM_PAGES
    yield from SERVICE_PAGES
    for bundle in deployment.bundles:
        yield from _plugin_pages(bundle)


def dashboard_uid(name: str) -> str:
    """The part of an address that Grafana knows a page by: its name, where that is one, else a part and a digest."""
    plain = re.sub(r"[^A-Za-z0-9_-]", "-", name)
    if plain == name and len(name) <= _UID_MAX:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:8]
    return f"{plain[: _UID_MAX - len(digest) - 1]}-{digest}"


def owner_of(dashboard: Json) -> str:
    """The plugin that a dashboard of ours belongs to, as its tags say; empty for the farm's own."""
    return next((tag.removeprefix(_OWNER) for tag in dashboard["tags"] if tag.startswith(_OWNER)), "")


def _plugin_pages(bundle: Bundle) -> Iterator[Page]:
    """A page about requests comes first; where the plugin has one of its own name, it is the top of that."""
    own_name = f"plugin-{bundle.name}"
    pages = [page_of(one, name=f"plugin-{one.name}", owner=bundle.name) for one in bundle.fragment.dashboards]
    requests = requests_page(bundle, name=own_name)
    if requests is not None:
        joined = next((page for page in pages if page.name == own_name), None)
        if joined is not None:
            pages.remove(joined)
            requests = Page(
                name=own_name, title=joined.title, placed=(*requests.placed, *joined.placed), owner=bundle.name
            )
        pages.insert(0, requests)
    yield from pages


def _dashboard_json(page: Page, deployment: Deployment) -> Json:
    return {
        "uid": dashboard_uid(page.name),
        "title": page.title,
        "description": page.description,
        "tags": [TAG, *([_OWNER + page.owner] if page.owner else [])],
        "schemaVersion": _SCHEMA,
        "editable": False,
        "graphTooltip": 1,
        "timezone": "browser",
        "time": {"from": "now-24h", "to": "now"},
        "timepicker": {},
        "refresh": "1m",
        "links": list(_links(deployment)),
        "templating": {"list": [_repository_choice()] if page.is_by_repository else []},
        "annotations": {"list": []},
        "panels": list(_panels(page)),
    }


def _panels(page: Page) -> Iterator[Json]:
    """From left to right, and a new row where one is full; a row is as high as the highest in it."""
    column = row = highest = 0
    for at, one in enumerate(page.placed, 1):
        if column + one.width > WHOLE:
            column, row, highest = 0, row + highest, 0
        is_elsewhere = one.page not in ("", page.name)
        links = (_link("More of this") | {"url": _address(one.page)},) if is_elsewhere else ()
        yield panel_json(one, number=at, at=(column, row), links=links)
        column, highest = column + one.width, max(highest, one.height)


def _address(page: str) -> str:
    # The choice of a repository and of the time goes along.
    return f"/d/{dashboard_uid(page)}?${{repository:queryparam}}&${{__url_time_range}}"


def _links(deployment: Deployment) -> Iterator[Json]:
    yield _link("Dashboards") | {
        "type": "dashboards",
        "tags": [TAG],
        "asDropdown": True,
        "keepTime": True,
        "includeVars": True,
    }
    pages = {"Farm": "/", "Queue": "/queue", "Workers": "/workers"}
    for title, path in pages.items():
        yield _outside(title, deployment.farm.url + path)
    if deployment.farm.buildbot_web is not None:
        yield _outside("Buildbot", deployment.farm.buildbot_url)


def _outside(title: str, url: str) -> Json:
    return _link(title) | {"url": url, "icon": "external link", "targetBlank": True}


def _link(title: str) -> Json:
    return {
        "title": title,
        "type": "link",
        "icon": "dashboard",
        "tooltip": "",
        "url": "",
        "tags": [],
        "asDropdown": False,
        "targetBlank": False,
        "includeVars": False,
        "keepTime": False,
    }


def _repository_choice() -> Json:
    return {
        "name": REPOSITORY.removeprefix("$"),
        "type": "query",
        "label": "Repository",
        "datasource": PROMETHEUS,
        "query": {"query": _REPOSITORIES, "refId": "repositories"},
        "refresh": 2,
        "sort": 1,
        "multi": True,
        "includeAll": True,
        "allValue": ".+",
        "current": {"text": ["All"], "value": ["$__all"]},
        "options": [],
        "hide": 0,
        "skipUrlSync": False,
    }


def _plain(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.-]", "_", name).lstrip(".")
