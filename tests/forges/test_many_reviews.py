"""Hundreds of reviews at each of the services, through the whole forge: what a run asks and how long it takes."""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from ci_toolkit.forges.client import ReviewText
from ci_toolkit.forges.marker import Marker, with_marker
from ci_toolkit.forges.spec import WantedReview
from ci_toolkit.model.finding import Severity
from ci_toolkit.model.names import Oid, Pkgbase
from ci_toolkit.plugins import load_forge
from tests.support.forge_stands import KINDS, Stand, open_stand
from tests.support.forge_world import forge_tools

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from ci_toolkit.forges.spec import ForgeReport
    from ci_toolkit.formats.forge_memory import ForgeRecord

LONG = "x" * 3000
QUICK_S = 20.0  # a fraction of it here; more than that is another order of growth


@pytest.fixture(params=KINDS)
def stand(request: pytest.FixtureRequest) -> Iterator[Stand]:
    with open_stand(request.param) as running:
        yield running


def wanted(stand: Stand, count: int) -> list[WantedReview]:
    """Reviews whose branches are there."""
    reviews = []
    for number in range(1, count + 1):
        branch, head = f"update-p{number:04}", Oid(f"{number + 5000:040x}")
        stand.service.add_branch(branch, head)
        reviews.append(
            WantedReview(
                pkgbase=Pkgbase(f"p{number:04}"),
                branch=branch,
                target="main",
                head=head,
                content=Oid(f"{number:040x}"),
                severity=Severity.HIGH,
                pushed=True,
                describe=lambda: ReviewText(title="chore(update)", body=LONG),
                since=lambda _: "moved",
            )
        )
    return reviews


def publish(
    stand: Stand, reviews: Sequence[WantedReview], top: Path, memory: Mapping[Pkgbase, ForgeRecord] | None = None
) -> ForgeReport:
    forge: Any = load_forge(stand.kind)
    report: ForgeReport = forge.publish(reviews, (), forge_tools(stand.settings(), stand.variables, top, memory=memory))
    assert report.problems == ()
    return report


@pytest.mark.parametrize("count", [250, 1100])
def test_a_quiet_run_reads_each_page_once_and_writes_nothing(stand: Stand, tmp_path: Path, count: int) -> None:
    reviews = wanted(stand, count)
    for one in reviews:
        marker = Marker(package=one.pkgbase, content=one.content, head=one.head)
        stand.add_review(one.branch, with_marker(LONG, marker))
    started_s = time.monotonic()
    report = publish(stand, reviews, tmp_path)
    assert time.monotonic() - started_s < QUICK_S
    assert Counter(stand.asked()) == {stand.listing: -(-count // stand.page)}
    assert (len(report.memory), report.notes) == (count, ())


def test_hundreds_that_are_new_are_opened_once_each(stand: Stand, tmp_path: Path) -> None:
    reviews = wanted(stand, 250)
    started_s = time.monotonic()
    report = publish(stand, reviews, tmp_path)
    assert time.monotonic() - started_s < QUICK_S
    assert sorted(one.branch for one in stand.reviews()) == [one.branch for one in reviews]
    assert len(report.notes) == 250
    stand.forget_asked()
    publish(stand, reviews, tmp_path, report.memory)
    assert stand.written() == []
    assert len(stand.asked()) == -(-250 // stand.page)


def test_hundreds_that_are_obsolete_are_closed(stand: Stand, tmp_path: Path) -> None:
    report = publish(stand, wanted(stand, 250), tmp_path)
    publish(stand, (), tmp_path, report.memory)
    assert {one.state for one in stand.reviews()} == {"closed"}
