"""What is counted of requests, and what pipelines tell: strangers choose neither names nor sizes of it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
import requests

from ci_toolkit.farm.pipeline_book import PipelineBook
from ci_toolkit.model.job import JobState
from tests.support.jobs import schedule
from tests.support.quiet_farm import OPERATOR, STRANGER, TOKEN, QuietFarm, bearer, hand_in, handed, served
from tests.support.scraped import labels, scraped

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.quiet_farm import ServedFarm

TEXT = '[["a", "b", {"at_s": "soon", "open_reviews": null}]]'
REQUESTS = "ci_toolkit_farm_requests_total"
OPEN, CHANGES = "ci_toolkit_farm_open_reviews", "ci_toolkit_farm_review_changes_total"
LAST = "ci_toolkit_farm_last_checks_timestamp_seconds"
PLACE = {"repository": "samples", "source": "samples"}


# requests


def test_requests_are_counted_by_the_route_and_never_by_the_path(farm: ServedFarm) -> None:
    for number in range(1, 4):
        requests.get(f"{farm.url}/jobs/samples/{number}", timeout=20)
        requests.get(f"{farm.url}/no/such/{number}", timeout=20)
        requests.request(f"METHOD{number}", f"{farm.url}/queue", timeout=20)
    requests.head(f"{farm.url}/queue", timeout=20)
    found = scraped(farm.url)
    asked = {labels_: value for (name, labels_), value in found.items() if name == REQUESTS}
    assert asked == {
        labels(route="/jobs/{repository}/{number}", method="GET", status="404"): 3,
        labels(route="unknown", method="GET", status="404"): 3,
        labels(route="unknown", method="other", status="405"): 3,
        labels(route="/queue", method="HEAD", status="200"): 1,
    }
    assert found["ci_toolkit_farm_request_duration_seconds_count", labels(route="unknown")] == 6


def test_what_is_refused_by_its_headers_is_counted_too(farm: ServedFarm) -> None:
    assert hand_in(farm.url, b"nonsense", token="wrong").status_code == 401
    assert scraped(farm.url)[REQUESTS, labels(route="unknown", method="other", status="401")] == 1


def test_a_log_that_is_followed_counts_until_it_begins(farm: ServedFarm) -> None:
    hand_in(farm.url, handed(schedule("r1", "a")))
    with farm.farm.database() as database:
        [job] = database.jobs()
    farm.farm.write_log(job, "one\n")
    building = farm.farm.bring(job, JobState.BUILDING, log_of=1)
    path = "/api/repositories/{repository}/jobs/{number}/log"
    with requests.get(f"{farm.url}/api/repositories/samples/jobs/1/log?follow=1", stream=True, timeout=20) as answer:
        lines = answer.iter_lines()
        assert next(lines) == b"one"
        before = scraped(farm.url)
        assert before["ci_toolkit_farm_request_duration_seconds_count", labels(route=path)] == 1
        with farm.farm.database() as database:
            assert database.move(building, JobState.FAILED, "it failed", now_s=200.0)
        assert list(lines) == []
    sum_key = ("ci_toolkit_farm_request_duration_seconds_sum", labels(route=path))
    assert scraped(farm.url)[sum_key] == before[sum_key]


# what pipelines tell


def tell(farm: ServedFarm, *, token: str = TOKEN, **asked: str) -> int:
    url = f"{farm.url}/api/repositories/samples/checks"
    body = {"aur": {"unmoved": 1}}
    return requests.post(url, params=asked, json=body, headers=bearer(token), timeout=20).status_code


def test_reviews_are_counted_by_what_is_there_and_what_was(farm: ServedFarm) -> None:
    for open_, opened in ((3, 1), (4, 2), (4, 0), (7, 1), (0, 0)):
        assert tell(farm, source="samples", reviews_open=str(open_), reviews_opened=str(opened)) == 200
        assert scraped(farm.url)[OPEN, labels(**PLACE)] == open_
    found = scraped(farm.url)
    # Opened: 1, 2, and 3 of which a run that was killed has told nothing. Closed: 1 of 3, and all 7 at the end.
    assert found[CHANGES, labels(**PLACE, change="opened")] == 6
    assert found[CHANGES, labels(**PLACE, change="closed")] == 8


def test_a_pipeline_of_before_tells_of_checks_alone(farm: ServedFarm) -> None:
    assert tell(farm, source="samples", reviews_open="3", reviews_opened="0") == 200
    assert tell(farm, source="samples") == 200
    assert tell(farm) == 200
    found = scraped(farm.url)
    assert found[OPEN, labels(**PLACE)] == 3
    assert (LAST, labels(repository="samples", source="unknown")) in found, "it has several sources"
    url = f"{farm.url}/api/repositories/other/checks"
    assert requests.post(url, json={}, headers=bearer(OPERATOR), timeout=20).status_code == 200
    assert (LAST, labels(repository="other", source="other")) in scraped(farm.url)


@pytest.mark.parametrize(
    ("asked", "token", "status"),
    [
        ({"reviews_open": "-1", "reviews_opened": "0"}, TOKEN, 400),
        ({"reviews_open": "1"}, TOKEN, 400),
        ({"reviews_open": "100001", "reviews_opened": "0"}, TOKEN, 400),
        ({"reviews_open": "9" * 5000, "reviews_opened": "0"}, TOKEN, 400),
        ({"reviews_open": "٣", "reviews_opened": "0"}, TOKEN, 400),
        ({"reviews_open": "1e3", "reviews_opened": "0"}, TOKEN, 400),
        ({"source": "none"}, TOKEN, 404),
        ({"source": "samples"}, STRANGER, 403),
    ],
)
def test_what_cannot_be_is_refused_and_leaves_nothing(
    farm: ServedFarm, asked: dict[str, str], token: str, status: int
) -> None:
    assert tell(farm, token=token, **asked) == status
    assert not [name for name, _ in scraped(farm.url) if name in (OPEN, LAST, "ci_toolkit_farm_upstream_checks_total")]


def test_what_was_told_outlives_the_farm(tmp_path: Path) -> None:
    folder = tmp_path / "farm"
    with served(QuietFarm(folder)) as farm:
        assert tell(farm, source="more", reviews_open="2", reviews_opened="2") == 200
        told_at = scraped(farm.url)[LAST, labels(repository="samples", source="more")]
    with served(QuietFarm(folder)) as farm:
        found = scraped(farm.url)
        assert found[LAST, labels(repository="samples", source="more")] == told_at
        assert found[OPEN, labels(repository="samples", source="more")] == 2


@pytest.mark.parametrize(
    "content",
    ["", "{", "[[1]]", '[["a", "b", {"at": 1}]]', '{"a": 1}', TEXT, "[" * 100_000],
    ids=["empty", "cut off", "too short", "another key", "no list", "no number", "too deep"],
)
def test_a_damaged_memory_keeps_no_farm_from_starting(tmp_path: Path, content: str) -> None:
    path = tmp_path / "pipelines.json"
    path.write_text(content)
    book = PipelineBook(path)
    assert book.told() == {}
    book.note("samples", "samples", at_s=1.0, open_reviews=None)
    assert json.loads(path.read_text()) == [["samples", "samples", {"at_s": 1.0, "open_reviews": None}]]
