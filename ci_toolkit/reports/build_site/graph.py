"""The pictures of who needs whom: which packages they show, how large they are, and their lines as SVG paths."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ci_toolkit.reports.build_site.layers import arranged, connected

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from ci_toolkit.building.build_history import BuildRecord
    from ci_toolkit.model.job import JobState
    from ci_toolkit.model.names import Pkgbase
    from ci_toolkit.reports.build_site.layers import Arrangement

MOST_BOXES = 400
_LONGEST_LABEL = 18
# Pixels: two columns of the longest labels fit on a phone.
_LETTER, _PADDING, _BOX_HEIGHT, _ROOM, _PASSAGE, _GAP, _MARGIN = 7.3, 14, 26, 34, 10, 40, 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """From what is needed to what needs it: an SVG path, whether what is needed failed, and whether it goes back."""

    path: str
    is_bad: bool
    closes_circle: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacedBox:
    """One package at its place in a picture, with the lines from what it needs."""

    name: str
    label: str
    state: JobState
    x: int
    y: int
    width: int
    needs: tuple[str, ...]
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """Packages that hang together, and the size of their picture in pixels."""

    boxes: tuple[PlacedBox, ...]
    width: int
    height: int
    box_height: int = _BOX_HEIGHT


@dataclass(frozen=True, slots=True, kw_only=True)
class Graph:
    """Pictures, those first that somebody looks for; packages tied to no other; how many of each are left out."""

    pictures: tuple[Picture, ...]
    alone: tuple[BuildRecord, ...]
    tied_left_out: int
    alone_left_out: int


def dependency_graph(newest: Mapping[Pkgbase, BuildRecord], needs: Mapping[Pkgbase, frozenset[Pkgbase]]) -> Graph:
    """What the page of the graph shows of the last builds of all packages."""
    among = {name: needs.get(name, frozenset()) & newest.keys() - {name} for name in newest}
    tied = {name for name, needed in among.items() if needed}.union(*among.values())
    wanted = [record.job.pkgbase for record in sorted(newest.values(), key=_urgency)]
    chosen = _chosen([name for name in wanted if name in tied], among)
    shown = {name: among[name] & chosen for name in chosen}
    order = {name: number for number, name in enumerate(wanted)}
    groups = sorted(connected(shown), key=lambda group: min(order[name] for name in group))
    alone = [newest[name] for name in wanted if name not in tied]
    return Graph(
        pictures=tuple(_picture({name: shown[name] for name in sorted(group)}, newest) for group in groups),
        alone=tuple(alone[:MOST_BOXES]),
        tied_left_out=len(tied) - sum(map(len, groups)),
        alone_left_out=len(alone[MOST_BOXES:]),
    )


def _urgency(record: BuildRecord) -> tuple[bool, bool, int]:
    """Failures first, then what is not over or did not come to a good end, else the newest."""
    state = record.job.state
    return not state.is_failure, state.is_good, -record.job.number


def _chosen(wanted: Sequence[Pkgbase], needs: Mapping[Pkgbase, frozenset[Pkgbase]]) -> frozenset[Pkgbase]:
    """All of them, or, of too many, the first with what they need."""
    if len(wanted) <= MOST_BOXES:
        return frozenset(wanted)
    chosen: set[Pkgbase] = set()
    for name in wanted:
        around = chosen | {name} | needs[name]
        if len(around) <= MOST_BOXES:
            chosen = around
    return frozenset(chosen)


def _picture(needs: Mapping[Pkgbase, Collection[Pkgbase]], newest: Mapping[Pkgbase, BuildRecord]) -> Picture:
    arrangement = arranged(needs, room=_ROOM, passage=_PASSAGE)
    labels = {name: _label(name) for name in needs}
    columns = _Columns(arrangement, {str(name): _width(label) for name, label in labels.items()})
    boxes = tuple(
        PlacedBox(
            name=name,
            label=labels[name],
            state=newest[name].job.state,
            x=columns.starts[place.column],
            y=round(_MARGIN + place.middle - _BOX_HEIGHT / 2),
            width=_width(labels[name]),
            needs=tuple(sorted(needs[name])),
            lines=tuple(
                Line(
                    path=columns.path(other, name),
                    is_bad=newest[other].job.state.is_failure,
                    closes_circle=arrangement.places[other].column >= place.column,
                )
                for other in sorted(needs[name])
            ),
        )
        for name, place in sorted(
            ((name, arrangement.places[name]) for name in needs), key=lambda one: (one[1].column, one[1].middle)
        )
    )
    return Picture(boxes=boxes, width=columns.right, height=round(arrangement.height + 2 * _MARGIN))


class _Columns:
    """Where the columns of an arrangement begin, and the paths between them."""

    def __init__(self, arrangement: Arrangement, widths: Mapping[str, int]) -> None:
        self._arrangement, self._widths = arrangement, widths
        widest: dict[int, int] = {}
        for name, place in arrangement.places.items():
            widest[place.column] = max(widest.get(place.column, 0), self._widths[name])
        self.starts: list[int] = []
        start = _MARGIN
        for column in range(len(widest)):
            self.starts.append(start)
            start += widest[column] + _GAP
        self.right = start - _GAP + _MARGIN

    def path(self, needed: str, needing: str) -> str:
        """From the right edge of a box, through the passages, to the left edge of another."""
        places = self._arrangement.places
        first, last = places[needed], places[needing]
        x, y = self.starts[first.column] + self._widths[needed], round(_MARGIN + first.middle)
        text = f"M{x} {y}"
        for number, middle in enumerate(self._arrangement.lines[needed, needing], start=first.column + 1):
            end_x, end_y = self.starts[number], round(_MARGIN + middle)
            text += f"{_bend(self.starts[number] - _GAP, x, end_x, y, end_y)}"
            x, y = end_x, end_y
        end_x, end_y = self.starts[last.column], round(_MARGIN + last.middle)
        if last.column <= first.column:  # one that closes a circle goes back above what stands between
            return f"{text}C{x + _GAP} {y - _ROOM} {end_x - _GAP} {end_y - _ROOM} {end_x} {end_y}"
        return text + _bend(end_x - _GAP, x, end_x, y, end_y)


def _bend(start_x: int, x: int, end_x: int, y: int, end_y: int) -> str:
    """Straight to where the gap between two columns begins, then an S to the other side."""
    straight = f"H{start_x}" if start_x > x else ""
    return f"{straight}C{start_x + _GAP // 2} {y} {start_x + _GAP // 2} {end_y} {end_x} {end_y}"


def _label(name: str) -> str:
    """A name, long ones without their middle: beginnings and ends tell packages apart."""
    if len(name) <= _LONGEST_LABEL:
        return name
    head = (_LONGEST_LABEL - 1) // 2
    return f"{name[:head]}…{name[head - _LONGEST_LABEL + 1 :]}"


def _width(label: str) -> int:
    return round(len(label) * _LETTER + _PADDING)
