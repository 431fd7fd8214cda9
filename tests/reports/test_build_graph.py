"""The pictures of who needs whom: where packages and lines stand, and which of very many are shown."""

from __future__ import annotations

import re
from itertools import pairwise
from operator import mul
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from ci_toolkit.model.job import JobState
from ci_toolkit.reports.build_site.graph import MOST_BOXES, Graph, dependency_graph
from ci_toolkit.reports.build_site.layers import arranged, connected, kept_apart
from tests.support.histories import history, record, write_site

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

NAMES = st.sampled_from("abcdefghij")
NEEDS = st.dictionaries(NAMES, st.lists(NAMES, max_size=4), min_size=1, max_size=10)
ROOM, PASSAGE = 30.0, 10.0


def graph_of(needs: Mapping[str, Sequence[str]], **states: JobState) -> Graph:
    """The graph of packages that succeeded, but for those of other `states`."""
    records = [
        record(number, name, states.get(name, JobState.SUCCEEDED))
        for number, name in enumerate(sorted({*needs, *states}), 1)
    ]
    shown = history(records, needs)
    return dependency_graph(shown.newest, shown.needs)


def names(graph: Graph) -> list[list[str]]:
    """The packages of each picture."""
    return [sorted(box.name for box in picture.boxes) for picture in graph.pictures]


@given(NEEDS)
def test_packages_stand_right_of_what_they_need_and_nothing_overlaps(needs: dict[str, list[str]]) -> None:
    found = arranged(needs, room=ROOM, passage=PASSAGE)
    assert found.places.keys() == needs.keys()
    taken: dict[int, list[tuple[float, float]]] = {}
    for place in found.places.values():
        taken.setdefault(place.column, []).append((place.middle - ROOM / 2, place.middle + ROOM / 2))
    passages = set()
    for (other, _), middles in found.lines.items():
        start = found.places[other].column + 1
        passages |= {(other, column, middle) for column, middle in enumerate(middles, start)}
    for _, column, middle in passages:  # a line is never drawn behind a package that it passes
        taken.setdefault(column, []).append((middle - PASSAGE / 2, middle + PASSAGE / 2))
    for spans in taken.values():
        spans.sort()
        assert spans[0][0] >= -1e-6
        assert spans[-1][1] <= found.height + 1e-6
        assert all(end <= start + 1e-6 for (_, end), (start, _) in pairwise(spans))
    if not has_circle(needs):
        assert all(
            found.places[other].column < found.places[name].column
            for name in needs
            for other in needs[name]
            if other in needs
        )
    assert arranged(dict(reversed(needs.items())), room=ROOM, passage=PASSAGE) == found


def has_circle(needs: dict[str, list[str]]) -> bool:
    left = {name: {other for other in others if other in needs} for name, others in needs.items()}
    while free := [name for name, others in left.items() if not others]:
        for name in free:
            del left[name]
        left = {name: others - set(free) for name, others in left.items()}
    return bool(left)


@given(NEEDS)
def test_what_hangs_together_is_one_group(needs: dict[str, list[str]]) -> None:
    groups = connected(needs)
    assert len(set().union(*groups)) == sum(map(len, groups))
    for name, others in needs.items():
        for other in {*others} & needs.keys() - {name}:
            assert any({name, other} <= group for group in groups)


@given(st.lists(st.tuples(st.floats(-100, 100), st.sampled_from([PASSAGE, ROOM])), min_size=1, max_size=8))
def test_what_has_room_gets_its_wish_and_the_rest_is_kept_apart(wanted: list[tuple[float, float]]) -> None:
    wishes, sizes = [wish for wish, _ in wanted], [size for _, size in wanted]
    middles = kept_apart(wishes, sizes)
    distances = [(one + other) / 2 for one, other in pairwise(sizes)]
    gaps = [after - before for before, after in pairwise(middles)]
    assert all(gap >= distance - 1e-6 for gap, distance in zip(gaps, distances, strict=True))
    assert abs(sum(middles) - sum(wishes)) < 1e-6
    spread = [start * 200 for start in range(len(sizes))]
    assert kept_apart(spread, sizes) == spread


def test_a_line_that_passes_a_package_does_not_seem_to_end_there() -> None:
    """`top` needs `lib` also directly, past `middle`."""
    (picture,) = graph_of({"lib": (), "middle": ("lib",), "top": ("lib", "middle")}).pictures
    boxes = {box.name: box for box in picture.boxes}
    assert boxes["lib"].x < boxes["middle"].x < boxes["top"].x
    direct, _ = boxes["top"].lines
    assert boxes["top"].needs == ("lib", "middle")
    passed = boxes["middle"]
    heights = [y for x, y in points(direct.path) if passed.x <= x <= passed.x + passed.width]
    assert heights
    assert not [y for y in heights if passed.y <= y <= passed.y + picture.box_height]


def points(path: str) -> list[tuple[float, float]]:
    """A hundred points of each piece of a path of moves, horizontal lines and curves."""
    x = y = 0.0
    found = []
    for command, text in re.findall(r"([MHC])([-\d ]+)", path):
        numbers = [float(number) for number in text.split()]
        if command == "M":
            x, y = numbers
        x1, y1, x2, y2, x3, y3 = numbers if command == "C" else (x, y, numbers[0], y, numbers[0], y)
        for t in (step / 100 for step in range(101)):
            weights = ((1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t * t * (1 - t), t**3)
            found.append(tuple(sum(map(mul, weights, values)) for values in ((x, x1, x2, x3), (y, y1, y2, y3))))
        x, y = x3, y3
    return [(x, y) for x, y in found]


def test_pictures_with_failures_come_first_and_their_lines_say_so() -> None:
    needs = {"a": (), "b": ("a",), "x": (), "y": ("x",), "alone": ()}
    graph = graph_of(needs, x=JobState.FAILED, lonely=JobState.QUEUED)
    assert names(graph) == [["x", "y"], ["a", "b"]]
    assert [line.is_bad for picture in graph.pictures for box in picture.boxes for line in box.lines] == [True, False]
    assert [one.job.pkgbase for one in graph.alone] == ["lonely", "alone"]


def test_a_circle_is_drawn_and_marked() -> None:
    (picture,) = graph_of({"a": ("b",), "b": ("a",), "c": ("b",)}).pictures
    assert sorted(line.closes_circle for box in picture.boxes for line in box.lines) == [False, False, True]


def test_long_names_keep_their_beginnings_and_ends() -> None:
    (picture,) = graph_of({"gnome-shell-extension-one-git": (), "tool": ("gnome-shell-extension-one-git",)}).pictures
    assert [box.label for box in picture.boxes] == ["gnome-sh…n-one-git", "tool"]


def test_of_very_many_packages_those_are_shown_that_are_looked_for(tmp_path: Path) -> None:
    records = [record(number, f"p{number}", JobState.SUCCEEDED) for number in range(1, 1001)]
    records[10] = record(11, "p11", JobState.FAILED)
    records += [record(number, f"alone{number}", JobState.SUCCEEDED) for number in range(2000, 2500)]
    needs = {f"p{number}": (f"p{number - 1}",) for number in range(2, 1001)}
    write_site(history(records, needs), tmp_path / "site")
    text = (tmp_path / "site/graph.html").read_text()
    assert 0 < text.count("<rect") <= MOST_BOXES
    assert f"<b>{1000 - text.count('<rect')}</b> more are not drawn" in text
    assert 'aria-label="p11, failed, needs p10"' in text
    assert 'aria-label="p10, succeeded"' in text
    assert f"{500 - MOST_BOXES} more are in the" in text
