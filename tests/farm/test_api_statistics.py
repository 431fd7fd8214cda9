"""Statistics as a farm tells them: over real HTTP, as they are described, and only for questions that can be."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest
import requests

from ci_toolkit.formats.statistics_record import parse_statistics_record, statistics_record
from ci_toolkit.model.job import JobState
from tests.support.jobs import submit
from tests.support.quiet_farm import QuietFarm, ServedFarm, served

if TYPE_CHECKING:
    from collections.abc import Iterator

PATH = "/api/repositories/samples/statistics"


@pytest.fixture(scope="module")
def farm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedFarm]:
    """One in which `good` was built, `bad` failed, and `other` of another repository, all an hour ago."""
    at_s = time.time() - 3_600
    with served(QuietFarm(tmp_path_factory.mktemp("farm"))) as running:
        running.farm.add_worker("w1", slots=2)
        running.farm.add_worker("w2")
        for repository, names in (("samples", ("good", "bad")), ("other", ("other",))):
            with running.farm.database(repository) as database:
                for job in submit(database, "r1", *names, source=repository, now_s=at_s):
                    facts: dict[str, Any] = {"worker": "w1", "recipe": "makepkg", "phases": '[["build", 90]]'}
                    facts |= {"started_at": at_s + 10, "log_of": job.number, "size_bytes": 2_048}
                    state = JobState.FAILED if job.pkgbase == "bad" else JobState.SUCCEEDED
                    running.farm.bring(job, state, repository=repository, now_s=at_s + 120, **facts)
        yield running


def asked(farm: ServedFarm, **query: Any) -> requests.Response:
    return requests.get(f"{farm.url}{PATH}", params=query, timeout=20)


def test_figures_are_told_with_what_they_are_of(farm: ServedFarm) -> None:
    found = asked(farm).json()
    assert found["until"] - found["since"] == pytest.approx(7 * 86_400)
    assert found["total"]["outcomes"] == {"succeeded": 1, "failed": 1}
    assert (found["total"]["success_rate"], found["total"]["slots"]) == (0.5, 3)
    assert found["total"]["wait"] == {"count": 2, "mean": 10, "p50": 10, "p95": 10, "most": 10}
    assert [group["name"] for group in found["groups"]] == ["bad", "good"]
    assert (found["groups"][1]["size_bytes"], found["groups"][0]["size_bytes"]) == (2_048, None)
    assert statistics_record(parse_statistics_record(found)) == found


def test_a_question_chooses_time_packages_and_groups(farm: ServedFarm) -> None:
    by_worker = asked(farm, by="worker", since="2h").json()
    [group] = by_worker["groups"]
    assert (group["name"], group["slots"], group["busy"]) == ("w1", 2, 180)
    assert group["use"] == pytest.approx(180 / (2 * 7_200))
    assert [group["name"] for group in asked(farm, package=["good", "none"]).json()["groups"]] == ["good"]
    assert asked(farm, since="30m").json()["groups"] == []
    assert asked(farm, since="2d", until="1d").json()["total"]["ended"] == 0


@pytest.mark.parametrize(
    "query",
    [
        *[
            {"since": since}
            for since in ("", "soon", "-1", "nan", "1e400", "9999999999d", "7d'; DROP TABLE jobs", "9" * 9_000)
        ],
        *[{"until": until} for until in ("", "x", "2026-99-99", "99w")],
        {"since": "1h", "until": "2h"},
        {"since": "2999-01-01"},
        {"by": "colour"},
        {"by": ""},
        {"package": "../etc"},
        {"package": ["a"] * 1_001},
    ],
    ids=lambda query: str(query)[:40],
)
def test_a_question_that_cannot_be_is_not_answered(farm: ServedFarm, query: dict[str, Any]) -> None:
    answer = asked(farm, **query)
    assert answer.status_code == 400
    assert len(answer.json()["error"]) < 500
