"""Where the packages of a dependency graph stand: in columns, what is needed left of what needs it.

A package's column follows the longest chain of what it needs (Sugiyama's method). A line that passes a column has a
place of its own there, so that it never runs behind a package that it has nothing to do with; lines that come from the
same package share these places. Within columns everything is moved towards what it is tied to.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

_ORDERINGS = 12
_SHIFTS = 6

Name = TypeVar("Name", bound=str)
# A package in its own column, or a place in a later one for the lines that come from it.
_Node = tuple[str, int]
_Ties = dict[_Node, list[_Node]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A column, counted from 0 at the left, and the height of the middle, from 0 at the top."""

    column: int
    middle: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrangement:
    """Places by name, and for each line (what is needed, what needs it) its heights in the columns that it passes.

    A line that closes a circle leads to a column that is not further right, and passes none.
    """

    places: Mapping[str, Place]
    lines: Mapping[tuple[str, str], tuple[float, ...]]
    height: float


def arranged(needs: Mapping[Name, Collection[Name]], *, room: float, passage: float) -> Arrangement:
    """A picture of all these names; `room` is what a package takes of a column's height, `passage` what lines take."""
    edges: dict[str, list[str]] = {name: sorted({*needed} & needs.keys() - {name}) for name, needed in needs.items()}
    columns = _columns(edges)
    left, right = _ties(edges, columns)
    nodes = _ordered(_in_columns(left, columns), left, right)
    sizes = {node: room if node[1] == columns[node[0]] else passage for column in nodes for node in column}
    middles = _shifted(nodes, left, right, sizes)
    top = min((middles[node] - sizes[node] / 2 for node in sizes), default=0.0)
    bottom = max((middles[node] + sizes[node] / 2 for node in sizes), default=0.0)
    return Arrangement(
        places={name: Place(column=column, middle=middles[name, column] - top) for name, column in columns.items()},
        lines={
            (other, name): tuple(middles[other, column] - top for column in range(columns[other] + 1, columns[name]))
            for name, needed in edges.items()
            for other in needed
        },
        height=bottom - top,
    )


def connected(needs: Mapping[Name, Collection[Name]]) -> list[frozenset[Name]]:
    """The names that hang together, each group with at least two of them, in the order of their first names."""
    tied: dict[Name, set[Name]] = {name: set() for name in needs}
    for name, needed in needs.items():
        for other in {*needed} & needs.keys() - {name}:
            tied[name].add(other)
            tied[other].add(name)
    groups, seen = [], set[Name]()
    for start in sorted(name for name in tied if tied[name]):
        if start not in seen:
            group, waiting = {start}, [start]
            while waiting:
                found = tied[waiting.pop()] - group
                group |= found
                waiting += found
            seen |= group
            groups.append(frozenset(group))
    return groups


def _columns(edges: Mapping[str, Sequence[str]]) -> dict[str, int]:
    columns: dict[str, int] = {}
    for start in sorted(edges):
        waiting: list[tuple[str, bool]] = [(start, False)]
        begun: set[str] = set()
        while waiting:
            name, is_done = waiting.pop()
            if is_done:
                columns[name] = 1 + max((columns.get(other, -1) for other in edges[name]), default=-1)
            elif name not in columns and name not in begun:
                begun.add(name)
                waiting.append((name, True))
                waiting += [(other, False) for other in edges[name] if other not in columns]
    # What needs nothing stands beside the first that needs it, which makes lines shorter.
    firsts = {name: len(edges) for name in edges}
    for name, needed in edges.items():
        for other in needed:
            firsts[other] = min(firsts[other], columns[name])
    return columns | {name: firsts[name] - 1 for name in edges if not edges[name] and firsts[name] < len(edges)}


def _ties(edges: Mapping[str, Sequence[str]], columns: Mapping[str, int]) -> tuple[_Ties, _Ties]:
    """What each node is tied to in the column before its own, and in the one behind it."""
    left: _Ties = {(name, columns[name]): [] for name in sorted(edges)}
    right: _Ties = {(name, columns[name]): [] for name in sorted(edges)}
    for name, needed in sorted(edges.items()):
        for other in needed:
            way = [(other, column) for column in range(columns[other], columns[name])]
            for before, behind in pairwise([*way, (name, columns[name])] if way else []):
                if before not in left.setdefault(behind, []):
                    left[behind].append(before)
                    right.setdefault(before, []).append(behind)
                right.setdefault(behind, [])
    return left, right


def _in_columns(nodes: Iterable[_Node], columns: Mapping[str, int]) -> list[list[_Node]]:
    found: list[list[_Node]] = [[] for _ in range(max(columns.values(), default=-1) + 1)]
    for node in sorted(nodes):
        found[node[1]].append(node)
    return found


def _ordered(columns: list[list[_Node]], left: _Ties, right: _Ties) -> list[list[_Node]]:
    place: dict[_Node, float] = {}

    def note(column: list[_Node]) -> None:
        place.update((node, (number + 0.5) / len(column)) for number, node in enumerate(column))

    for column in columns:
        note(column)
    for turn in range(_ORDERINGS):
        ties = right if turn % 2 else left
        for column in reversed(columns) if turn % 2 else columns:
            means = {node: _mean([place[other] for other in ties[node]], place[node]) for node in column}
            column.sort(key=lambda node: (means[node], place[node]))
            note(column)
    return columns


def _shifted(
    columns: Sequence[Sequence[_Node]], left: _Ties, right: _Ties, sizes: Mapping[_Node, float]
) -> dict[_Node, float]:
    middles = {node: 0.0 for column in columns for node in column}
    for turn in range(_SHIFTS):
        ties = right if turn % 2 else left
        for column in reversed(columns) if turn % 2 else columns:
            wishes = [_mean([middles[other] for other in ties[node]], middles[node]) for node in column]
            middles.update(zip(column, kept_apart(wishes, [sizes[node] for node in column]), strict=True))
    return middles


def kept_apart(wishes: Sequence[float], sizes: Sequence[float]) -> list[float]:
    """The middles nearest to those wished for (least squares) that keep their order and do not overlap."""
    offset, offsets = 0.0, []
    for number, size in enumerate(sizes):
        offset += (sizes[number - 1] + size) / 2 if number else 0.0
        offsets.append(offset)
    groups: list[tuple[float, int]] = []
    for wish, before in zip(wishes, offsets, strict=True):
        total, count = wish - before, 1
        while groups and groups[-1][0] * count > total * groups[-1][1]:
            more, others = groups.pop()
            total, count = total + more, count + others
        groups.append((total, count))
    starts = [total / count for total, count in groups for _ in range(count)]
    return [start + before for start, before in zip(starts, offsets, strict=True)]


def _mean(values: Sequence[float], otherwise: float) -> float:
    return sum(values) / len(values) if values else otherwise
