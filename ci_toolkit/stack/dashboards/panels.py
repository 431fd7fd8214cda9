"""Panels as Grafana's JSON has them: one function a kind of drawing.

Source: the kinds PanelCfg of grafana.com/developers, package @grafana/schema 12.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, assert_never

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ci_toolkit.stack.dashboards.page import Placed

Json = dict[str, Any]
PROMETHEUS: Json = {"type": "prometheus", "uid": "prometheus"}
LOKI: Json = {"type": "loki", "uid": "loki"}
_REDUCED: Json = {"calcs": ["lastNotNull"], "fields": "", "values": False}
_LEFT_OUT = ("Time", "__name__")  # a table tells what is now


def panel_json(placed: Placed, *, number: int, at: tuple[int, int], links: Sequence[Json]) -> Json:
    """A panel with its number on the page, at a column and row of the grid; `links` lead to more."""
    panel = placed.panel
    place = {"x": at[0], "y": at[1], "w": placed.width, "h": placed.height}
    top: Json = {"id": number, "type": placed.drawing, "title": panel.title, "gridPos": place}
    if placed.drawing == "row":
        return top | {"collapsed": False, "panels": []}
    if panel.description:
        top["description"] = panel.description
    if links:
        top["links"] = list(links)
    if placed.every:
        top["interval"] = placed.every
    return top | {"datasource": _source(placed), **_drawn(placed), "targets": _targets(placed)}


def _source(placed: Placed) -> Json:
    return LOKI if placed.drawing == "logs" else PROMETHEUS


def _drawn(placed: Placed) -> Json:
    match placed.drawing:
        case "timeseries":
            return _bars(placed) if placed.every else _lines(placed)
        case "stat":
            return _stat(placed)
        case "table":
            return _table(placed)
        case "bargauge":
            return _bargauge(placed)
        case "heatmap":
            return _heatmap(placed)
        case "state-timeline":
            return _timeline(placed)
        case "logs":
            return _logs()
        case "row":
            return {}
        case _:
            assert_never(placed.drawing)


def _lines(placed: Placed) -> Json:
    custom = {"drawStyle": "line", "lineWidth": 1, "fillOpacity": 10, "showPoints": "never", "spanNulls": False}
    return _over_time(placed, custom)


def _bars(placed: Placed) -> Json:
    custom = {"drawStyle": "bars", "lineWidth": 0, "fillOpacity": 80, "showPoints": "never"}
    return _over_time(placed, custom | {"stacking": {"mode": "normal", "group": "A"}})


def _over_time(placed: Placed, custom: Json) -> Json:
    # Up to four lines are explained below the graph; of more, the largest have to be found.
    many = len(placed.panel.queries) > 1 or any("{{" in legend for legend in placed.panel.queries)
    legend: Json = {"displayMode": "table" if many else "list", "placement": "bottom", "showLegend": True}
    legend["calcs"] = ["sum"] if placed.every else ["mean", "max", "lastNotNull"] if many else []
    options = {"legend": legend, "tooltip": {"mode": "multi", "sort": "desc"}}
    return {"fieldConfig": _fields(placed, custom, colour="palette-classic"), "options": options}


def _stat(placed: Placed) -> Json:
    options = {
        "reduceOptions": _REDUCED,
        "colorMode": "value",
        "graphMode": "none",
        "justifyMode": "auto",
        "orientation": "auto",
        "textMode": "value" if len(placed.panel.queries) == 1 else "value_and_name",
        "wideLayout": True,
        "showPercentChange": False,
        "percentChangeColorMode": "standard",
    }
    return {"fieldConfig": _fields(placed), "options": options}


def _bargauge(placed: Placed) -> Json:
    options = {
        "reduceOptions": _REDUCED,
        "displayMode": "basic",
        "orientation": "horizontal",
        "valueMode": "color",
        "namePlacement": "auto",
        "showUnfilled": True,
        "sizing": "auto",
        "minVizWidth": 8,
        "minVizHeight": 16,
        "maxVizHeight": 300,
        "legend": {"displayMode": "list", "placement": "bottom", "showLegend": False, "calcs": []},
    }
    return {"fieldConfig": _fields(placed), "options": options}


def _table(placed: Placed) -> Json:
    legends = list(placed.panel.queries)
    # Grafana calls the only column of numbers Value, and several Value #A, Value #B.
    values = ["Value"] if len(legends) == 1 else [f"Value #{reference(at)}" for at in range(len(legends))]
    tidy = {
        "excludeByName": dict.fromkeys(_LEFT_OUT, True),
        "indexByName": {},
        "renameByName": dict(zip(values, legends, strict=True)),
    }
    fields = _fields(placed, {"align": "auto", "cellOptions": {"type": "auto"}, "inspect": False})
    fields["overrides"] = [
        {
            "matcher": {"id": "byName", "options": legend},
            "properties": [{"id": "custom.cellOptions", "value": {"type": "color-text"}}],
        }
        for legend in legends
    ]
    return {
        "fieldConfig": fields,
        "options": {"showHeader": True, "frameIndex": 0, "cellHeight": "sm", "footer": {"show": False, "reducer": []}},
        "transformations": [{"id": "merge", "options": {}}, {"id": "organize", "options": tidy}],
    }


def _heatmap(placed: Placed) -> Json:
    options = {
        "calculate": False,
        "cellGap": 1,
        "cellValues": {"unit": "short"},
        "color": {"mode": "scheme", "scheme": "Oranges", "steps": 64, "fill": "dark-orange", "exponent": 0.5,
                  "scale": "exponential", "reverse": False},
        "exemplars": {"color": "rgba(255,0,255,0.7)"},
        "filterValues": {"le": 1e-9},
        "legend": {"show": True},
        "rowsFrame": {"layout": "auto"},
        "showValue": "never",
        "tooltip": {"mode": "single", "yHistogram": False, "showColorScale": False},
        "yAxis": {"axisPlacement": "left", "reverse": False, "unit": placed.panel.unit},
    }  # fmt: skip
    return {"fieldConfig": {"defaults": {}, "overrides": []}, "options": options}


def _timeline(placed: Placed) -> Json:
    options = {
        "alignValue": "left",
        "mergeValues": True,
        "rowHeight": 0.9,
        "showValue": "auto",
        "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True, "calcs": []},
        "tooltip": {"mode": "single", "sort": "none"},
    }
    return {"fieldConfig": _fields(placed, {"fillOpacity": 70, "lineWidth": 0}), "options": options}


def _logs() -> Json:
    options = {
        "dedupStrategy": "none",
        "enableLogDetails": True,
        "prettifyLogMessage": False,
        "showCommonLabels": False,
        "showLabels": False,
        "showLogContextToggle": True,
        "showTime": True,
        "sortOrder": "Descending",
        "wrapLogMessage": True,
    }
    return {"fieldConfig": {"defaults": {}, "overrides": []}, "options": options}


def _fields(placed: Placed, custom: Json | None = None, *, colour: str = "thresholds") -> Json:
    steps = [{"value": value, "color": name} for value, name in placed.steps]
    defaults: Json = {
        "unit": placed.panel.unit,
        "color": {"mode": colour},
        "thresholds": {"mode": "absolute", "steps": steps},
        "mappings": [],
        "noValue": "no data",
    }
    if placed.drawing in ("timeseries", "bargauge"):
        defaults["min"] = 0
    if placed.names:
        named = {str(value): {"text": text, "color": shade, "index": at}
                 for at, (value, text, shade) in enumerate(placed.names)}  # fmt: skip
        defaults["mappings"] = [{"type": "value", "options": named}]
    if custom is not None:
        defaults["custom"] = custom
    return {"defaults": defaults, "overrides": []}


def _targets(placed: Placed) -> list[Json]:
    return [_target(placed, reference(at), legend, query)
            for at, (legend, query) in enumerate(placed.panel.queries.items())]  # fmt: skip


def _target(placed: Placed, letter: str, legend: str, query: str) -> Json:
    target: Json = {"refId": letter, "datasource": _source(placed), "expr": query, "editorMode": "code"}
    if placed.drawing == "logs":
        return target | {"queryType": "range"}
    # A number, bar or row tells what is now; the last one within the hours shown may be long gone.
    at_once = placed.drawing in ("stat", "table", "bargauge")
    target |= {"legendFormat": legend, "instant": at_once, "range": not at_once}
    shape = {"table": "table", "heatmap": "heatmap"}.get(placed.drawing, "time_series")
    return target | {"format": shape}


def reference(at: int) -> str:
    """What Grafana calls the query at a place: A to Z, then AA."""
    letters = ""
    while at >= 0:
        at, letter = at // 26 - 1, chr(ord("A") + at % 26)
        letters = letter + letters
    return letters
