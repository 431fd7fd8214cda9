"""Where the boxes of a dependency graph stand: in layers, what is needed above what needs it.

The layer of a package is one more than the largest of what it needs (Sugiyama's method, by the longest path). Within
their layers packages are moved towards those they are tied to, a few times up and down; a layer with many is broken
into rows, so that the picture never gets wider than a screen.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_SWEEPS = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """A package at a column and a row, both from 0."""

    name: str
    column: int
    row: int


def layered(needs: Mapping[str, Iterable[str]], *, columns: int) -> tuple[Box, ...]:
    """The boxes of all names, in at most so many columns; circles are cut where a name comes up again."""
    edges = {name: frozenset(needed) & needs.keys() - {name} for name, needed in needs.items()}
    layers = _ordered(_layers(edges), edges)
    boxes = []
    row = 0
    for layer in layers:
        for start in range(0, len(layer), columns):
            part = layer[start : start + columns]
            indent = (min(columns, len(layer)) - len(part)) // 2
            boxes += [Box(name=name, column=indent + column, row=row) for column, name in enumerate(part)]
            row += 1
    return tuple(boxes)


def _layers(edges: Mapping[str, frozenset[str]]) -> list[list[str]]:
    depth: dict[str, int] = {}
    for start in sorted(edges):
        waiting: list[tuple[str, bool]] = [(start, False)]
        open_names: set[str] = set()
        while waiting:
            name, is_done = waiting.pop()
            if is_done:
                open_names.discard(name)
                depth[name] = 1 + max((depth.get(other, -1) for other in edges[name]), default=-1)
            elif name not in depth and name not in open_names:
                open_names.add(name)
                waiting.append((name, True))
                waiting += [(other, False) for other in sorted(edges[name], reverse=True) if other not in depth]
    found: list[list[str]] = [[] for _ in range(max(depth.values(), default=-1) + 1)]
    for name in sorted(depth):
        found[depth[name]].append(name)
    return found


def _ordered(layers: Sequence[list[str]], edges: Mapping[str, frozenset[str]]) -> list[list[str]]:
    dependants: dict[str, set[str]] = {name: set() for name in edges}
    for name, needed in edges.items():
        for other in needed:
            dependants[other].add(name)
    ordered = [list(layer) for layer in layers]
    for sweep in range(_SWEEPS):
        place = {name: (number + 0.5) / len(layer) for layer in ordered for number, name in enumerate(layer)}
        tied = edges if sweep % 2 == 0 else dependants
        for layer in ordered if sweep % 2 == 0 else reversed(ordered):
            middle = {name: _middle(name, tied[name], place) for name in layer}
            layer.sort(key=lambda name: (middle[name], name))
            place.update((name, (number + 0.5) / len(layer)) for number, name in enumerate(layer))
    return ordered


def _middle(name: str, tied: Iterable[str], place: Mapping[str, float]) -> float:
    places = [place[other] for other in tied]
    return sum(places) / len(places) if places else place[name]
