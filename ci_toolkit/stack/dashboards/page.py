"""A dashboard before it is Grafana's: panels as plugins know them, and how each is drawn and how much room it has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ci_toolkit.stack_fragments.spec import Panel

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ci_toolkit.stack_fragments.spec import Dashboard

Drawing = Literal["timeseries", "stat", "table", "bargauge", "heatmap", "state-timeline", "logs", "row"]
Colour = Literal["green", "yellow", "orange", "red", "blue", "text"]
Step = tuple[float | None, Colour]

WHOLE = 24  # columns of Grafana's grid
REPOSITORY = "$repository"
_SIZES: Mapping[Drawing, tuple[int, int]] = {
    "timeseries": (12, 8),
    "stat": (6, 4),
    "table": (WHOLE, 8),
    "bargauge": (12, 8),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """A panel of `width` of 24 columns and `height` rows of Grafana's grid.

    `steps` are the colours from a value on, the first without one; `names` what values are called; `every` the length
    of a bar, such as `1h`; `page` is the page that says more.
    """

    panel: Panel
    drawing: Drawing
    width: int
    height: int
    steps: tuple[Step, ...] = ((None, "text"),)
    names: tuple[tuple[int, str, Colour], ...] = ()
    every: str = ""
    page: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A dashboard: its name is what its address is made of, `owner` the plugin that it belongs to."""

    name: str
    title: str
    placed: tuple[Placed, ...]
    description: str = ""
    owner: str = ""

    @property
    def is_by_repository(self) -> bool:
        """Whether readers choose of which repository it tells."""
        return any(REPOSITORY in query for placed in self.placed for query in placed.panel.queries.values())


def page_of(dashboard: Dashboard, *, name: str, owner: str) -> Page:
    """The dashboard of a plugin, with each panel as large as is usual."""
    return Page(
        name=name, title=dashboard.title, placed=tuple(placed(panel) for panel in dashboard.panels), owner=owner
    )


def placed(panel: Panel) -> Placed:
    """A panel with the room that its kind usually has."""
    width, height = _SIZES[panel.shown_as]
    return Placed(panel=panel, drawing=panel.shown_as, width=width, height=height)


def heading(title: str) -> Placed:
    """A line across the page, above what belongs together."""
    return Placed(panel=Panel(title=title, queries={}), drawing="row", width=WHOLE, height=1)


def number(
    title: str,
    query: str,
    *,
    unit: str = "short",
    steps: tuple[Step, ...] = ((None, "text"),),
    description: str = "",
    page: str = "",
    width: int = 4,
) -> Placed:
    """One number as it is now."""
    panel = Panel(title=title, queries={title: query}, unit=unit, shown_as="stat", description=description)
    return Placed(panel=panel, drawing="stat", width=width, height=4, steps=steps, page=page)


def lines(
    title: str, queries: Mapping[str, str], *, unit: str = "short", description: str = "", width: int = 12
) -> Placed:
    """Lines over time, by legend."""
    panel = Panel(title=title, queries=queries, unit=unit, description=description)
    return Placed(panel=panel, drawing="timeseries", width=width, height=8)


def bars(
    title: str, queries: Mapping[str, str], *, every: str = "1h", description: str = "", width: int = 12
) -> Placed:
    """What happened in each hour or day, one above the other; queries look back for `$__interval`."""
    panel = Panel(title=title, queries=queries, description=description)
    return Placed(panel=panel, drawing="timeseries", width=width, height=8, every=every)


def listing(
    title: str,
    queries: Mapping[str, str],
    *,
    unit: str = "short",
    steps: tuple[Step, ...] = ((None, "text"),),
    description: str = "",
    width: int = 12,
) -> Placed:
    """A table of what is now; legends are the headings of its columns of numbers."""
    panel = Panel(title=title, queries=queries, unit=unit, shown_as="table", description=description)
    return Placed(panel=panel, drawing="table", width=width, height=8, steps=steps)


def numbers_of(query: str) -> str:
    """The query without what is no number, as of nothing by nothing: what has no answer is shown as such."""
    return f"({query}) >= 0"


def bad_from(value: float) -> tuple[Step, ...]:
    """Green below, red from there on."""
    return ((None, "green"), (value, "red"))


def good_from(value: float) -> tuple[Step, ...]:
    """Red below, green from there on."""
    return ((None, "red"), (value, "green"))


def worse_from(doubtful: float, bad: float) -> tuple[Step, ...]:
    """Green, then yellow, then red."""
    return ((None, "green"), (doubtful, "yellow"), (bad, "red"))
