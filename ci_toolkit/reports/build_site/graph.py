"""The picture of who needs whom: which packages it shows, where they stand, and the lines between them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ci_toolkit.reports.build_site.layers import Box, layered

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ci_toolkit.building.build_history import BuildRecord
    from ci_toolkit.model.job import JobState
    from ci_toolkit.model.names import Pkgbase

MOST_BOXES = 400
_COLUMNS = 5
_WIDTH, _HEIGHT, _GAP_X, _GAP_Y, _MARGIN = 180, 32, 24, 46, 20
_LONGEST_LABEL = 21


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacedBox:
    """One package at its place in the picture."""

    name: str
    label: str
    state: JobState
    x: int
    y: int


def graph_picture(newest: Mapping[Pkgbase, BuildRecord], needs: Mapping[Pkgbase, frozenset[Pkgbase]]) -> dict[str, Any]:
    """What the template of the graph shows: boxes, lines as SVG paths, and packages without either."""
    shown = _chosen(newest, needs)
    among = {name: needs.get(name, frozenset()) & shown - {name} for name in shown}
    tied = {name for name, needed in among.items() if needed} | {other for needed in among.values() for other in needed}
    placed = {
        box.name: _placed(box, newest[box.name].job.state)  # type: ignore[index]  # its names are package names
        for box in layered({name: among[name] for name in tied}, columns=_COLUMNS)
    }
    right = max((box.x for box in placed.values()), default=0) + _WIDTH + _MARGIN
    bottom = max((box.y for box in placed.values()), default=0) + _HEIGHT + _MARGIN
    return {
        "boxes": sorted(placed.values(), key=lambda box: (box.y, box.x)),
        "paths": [_path(placed[other], placed[name]) for name in sorted(tied) for other in sorted(among[name])],
        "alone": [newest[name] for name in sorted(shown - tied)],
        "left_out": len(newest) - len(shown),
        "width": right,
        "height": bottom,
        "box_width": _WIDTH,
        "box_height": _HEIGHT,
    }


def _chosen(newest: Mapping[Pkgbase, BuildRecord], needs: Mapping[Pkgbase, frozenset[Pkgbase]]) -> frozenset[Pkgbase]:
    """All packages, or of too many those that somebody looks for first, with what they need or what needs them."""
    if len(newest) <= MOST_BOXES:
        return frozenset(newest)
    wanted = sorted(newest.values(), key=lambda record: (record.job.state.is_good, -record.job.number))
    chosen: set[Pkgbase] = set()
    for record in wanted:
        name = record.job.pkgbase
        around = {name} | (needs.get(name, frozenset()) & newest.keys())
        if len(chosen | around) <= MOST_BOXES:
            chosen |= around
    return frozenset(chosen)


def _placed(box: Box, state: JobState) -> PlacedBox:
    label = box.name if len(box.name) <= _LONGEST_LABEL else f"{box.name[: _LONGEST_LABEL - 1]}…"
    x = _MARGIN + box.column * (_WIDTH + _GAP_X)
    y = _MARGIN + box.row * (_HEIGHT + _GAP_Y)
    return PlacedBox(name=box.name, label=label, state=state, x=x, y=y)


def _path(above: PlacedBox, below: PlacedBox) -> str:
    """From the lower edge of what is needed to the upper edge of what needs it."""
    start_x, start_y = above.x + _WIDTH // 2, above.y + _HEIGHT
    end_x, end_y = below.x + _WIDTH // 2, below.y
    bend = max(18, abs(end_y - start_y) // 3)
    return f"M{start_x} {start_y}C{start_x} {start_y + bend} {end_x} {end_y - bend} {end_x} {end_y}"
