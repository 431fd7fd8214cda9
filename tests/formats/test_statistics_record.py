"""Statistics as JSON: they come back as they were, and nothing else passes for them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ci_toolkit.errors import FormatError
from ci_toolkit.formats.statistics_record import parse_statistics_record, statistics_record
from ci_toolkit.model.build_statistics import JobSample, summarise
from ci_toolkit.model.job import JobState
from ci_toolkit.model.statistics_window import GroupBy, Window

SAMPLES = [
    JobSample("a", "makepkg", "w1", JobState.SUCCEEDED, 100.0, 110.0, 200.0, 80.5, 4_096),
    JobSample("b", None, None, JobState.FAILED, 100.0, None, 130.0, None, None),
    JobSample("c", None, None, JobState.QUEUED, 100.0, None, None, None, None),
]
TOLD = summarise(SAMPLES, Window(begin_s=50.0, end_s=950.0), by=GroupBy.RECIPE, slots={"w1": 2})


def record() -> dict[str, Any]:
    sent: dict[str, Any] = json.loads(json.dumps(statistics_record(TOLD)))
    return sent


def test_they_come_back_as_they_were() -> None:
    assert parse_statistics_record(record()) == TOLD


def test_what_a_later_version_adds_is_passed_over() -> None:
    assert parse_statistics_record({**record(), "new": 1}) == TOLD


@pytest.mark.parametrize(
    ("place", "value"),
    [
        *[(("since",), value) for value in (None, "1", float("nan"), -1.0, 950.0, 1e300)],
        *[(("until",), value) for value in (True, float("inf"), 253_402_300_800.0)],
        (("by",), "colour"),
        (("groups",), {"name": "a"}),
        (("groups", 0, "name"), ["a"]),
        (("total", "outcomes"), ["failed"]),
        (("total", "outcomes", "failed"), -1),
        (("total", "outcomes", "lost"), 1),
        (("total", "slots"), 1.5),
        *[(("total", "busy"), value) for value in ("long", float("nan"), float("inf"))],
        (("total", "duration", "p50"), None),
        (("total", "duration"), [1, 2]),
        (("queue", "most"), "3"),
    ],
    ids=str,
)
def test_nothing_else_passes_for_them(place: tuple[str | int, ...], value: object) -> None:
    sent = record()
    part: Any = sent
    for key in place[:-1]:
        part = part[key]
    part[place[-1]] = value
    with pytest.raises(FormatError, match="are no statistics of builds"):
        parse_statistics_record(sent)
