"""The dashboard issue: one, kept up to date in place, that strangers' text cannot break."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from ci_toolkit.forges.dashboard import MARKER, Dashboard, dashboard_text, keep_dashboard
from ci_toolkit.formats.forge_memory import ForgeRecord
from ci_toolkit.model.finding import Severity
from ci_toolkit.model.names import Pkgbase

if TYPE_CHECKING:
    from ci_toolkit.forges.client import ReviewClient
    from tests.support.gitlab_service import GitlabService


def record(name: str, number: int = 1, severity: Severity = Severity.HIGH, **more: str) -> ForgeRecord:
    url = f"https://git.example/g/p/-/merge_requests/{number}"
    one = ForgeRecord(pkgbase=Pkgbase(name), number=number, url=url, content="a" * 40, severity=severity)
    return replace(one, **more)  # type: ignore[arg-type]  # fields by name


BOARD = Dashboard(
    reviews=(record("low", 1, Severity.LOW), record("bad", 2, Severity.CRITICAL), record("no", 3, status="declined")),
    held=(("slow", "waits until tomorrow"),),
    failing=(("gone", "it answers 404"),),
    last_run="3 builds handed over",
    now_s=1_800_000_000,
)


def test_it_shows_the_worst_review_first_with_its_link_and_every_reason() -> None:
    body = dashboard_text(BOARD).body
    assert body.index("**critical** [`bad` #2](https://git.example/g/p/-/merge_requests/2)") < body.index("**low**")
    assert "1 more were closed by people" in body
    assert "- `slow`: `waits until tomorrow`" in body
    assert "- `gone`: `it answers 404`" in body
    assert "Last run: 2027-01-15 08:00 UTC, `3 builds handed over`" in body


def test_it_is_opened_once_and_changed_only_when_more_than_the_time_changed(
    client: ReviewClient, service: GitlabService
) -> None:
    keep_dashboard(client, BOARD)
    service.requests.clear()
    keep_dashboard(client, replace(BOARD, now_s=BOARD.now_s + 3600, last_run="nothing to do"))
    assert service.written() == []
    keep_dashboard(client, replace(BOARD, failing=()))
    assert len(service.issues) == 1
    assert "## Failing (0)\n\nnone" in service.issues[0].description


def test_a_closed_one_is_opened_again_and_one_by_others_is_not_touched(
    client: ReviewClient, service: GitlabService
) -> None:
    keep_dashboard(client, BOARD)
    service.issues[0].author = "mallory"
    keep_dashboard(client, BOARD)
    assert [one.author for one in service.issues] == ["mallory", "bot"]
    service.issues[1].state = "closed"
    keep_dashboard(client, BOARD)
    assert service.issues[1].state == "opened"


def test_it_stays_below_the_limit_and_counts_what_it_leaves_out() -> None:
    many = tuple(record(f"package-{number}", number) for number in range(1, 3000))
    long = tuple((f"p{number}", "x" * 500) for number in range(3000))
    body = dashboard_text(replace(BOARD, reviews=many, held=long, failing=long)).body
    assert len(body) <= 60_000
    assert "## Open reviews (2999)" in body
    shown = body.count("](https")
    assert f"… and {2999 - shown} more" in body
    assert body.endswith(MARKER)


@given(st.text(), st.text())
def test_strangers_text_makes_no_lines_of_its_own(package: str, why: str) -> None:
    ordinary = dashboard_text(BOARD).body.count("\n")
    body = dashboard_text(replace(BOARD, held=((package, why),))).body
    assert body.count("\n") == ordinary
    assert not re.search(r"^/", body, re.MULTILINE)
