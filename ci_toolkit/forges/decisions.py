"""What is to be done about one review, decided from values: what is wanted, what the service shows, what is remembered.

A person's word counts: what a person closed stays closed until the content changes, and a review of a branch that
people have committed to keeps its text.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

from ci_toolkit.forges.marker import parse_marker
from ci_toolkit.model.names import REVIEW_PREFIX, Pkgbase, review_branch

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ci_toolkit.forges.client import ForgeReview
    from ci_toolkit.forges.spec import WantedReview
    from ci_toolkit.formats.forge_memory import ForgeRecord


GONE = "its branch is gone or is no review any more"


class Step(Enum):
    """What happens to a wanted review."""

    KEEP = "it is open and shows what it should"
    REFRESH = "it is open and shows something older"
    ASK = "it is not open: its newest review has to be looked at"
    CREATE = "there is none yet"
    REOPEN = "it was closed while it showed something older"
    DECLINED = "a person closed it as it is"
    NOTHING = "there is none, and none is to be opened"


def step_for_open(wanted: WantedReview, shown: ForgeReview, known: ForgeRecord | None) -> Step:
    """What an open review needs."""
    if wanted.by_people:
        return Step.KEEP
    marker = parse_marker(shown.body)
    if marker is not None and marker.retired:
        return Step.REFRESH
    return Step.KEEP if content_shown(wanted.pkgbase, shown, known) == wanted.content else Step.REFRESH


def step_without_open(wanted: WantedReview, known: ForgeRecord | None) -> Step:
    """What a review needs that is not among the open ones."""
    if known is not None and known.status == "declined" and (wanted.by_people or known.content == wanted.content):
        return Step.DECLINED
    if wanted.by_people and known is None:
        return Step.NOTHING
    return Step.ASK


def step_for_latest(wanted: WantedReview, latest: ForgeReview | None, known: ForgeRecord | None) -> Step:
    """What a review needs whose newest one, if there is any, is `latest`; one to another branch is none."""
    if latest is not None and latest.target != wanted.target:
        latest = None
    if latest is not None and latest.status == "open":
        return step_for_open(wanted, latest, known)
    if latest is None or latest.status == "merged":
        # One that was merged after this run had looked at the default branch needs no successor.
        was_merged = latest is not None and wanted.head in (latest.head, _head_shown(latest))
        return Step.NOTHING if wanted.by_people or was_merged else Step.CREATE
    marker = parse_marker(latest.body)
    if marker is not None and marker.retired:
        return Step.REOPEN
    same = content_shown(wanted.pkgbase, latest, known) == wanted.content or latest.head == wanted.head
    return Step.DECLINED if wanted.by_people or same else Step.REOPEN


def content_shown(pkgbase: Pkgbase, review: ForgeReview, known: ForgeRecord | None) -> str | None:
    """What a review shows: as it says itself, else as is remembered of it; None when nobody knows."""
    marker = parse_marker(review.body)
    if marker is not None:
        return marker.content if marker.package == pkgbase else None
    return known.content if known is not None and known.number == review.number else None


def chosen(reviews: Iterable[ForgeReview], target: str) -> ForgeReview | None:
    """Of a branch's open reviews the one to keep: it goes to `target`, rather carries our marker, is rather older."""
    fitting = [review for review in reviews if review.target == target]
    return min(fitting, key=lambda review: (not is_ours(review), review.number), default=None)


def is_ours(review: ForgeReview) -> bool:
    """Whether a review carries the marker of the package whose review branch it shows."""
    marker = parse_marker(review.body)
    return marker is not None and review.branch == review_branch(marker.package)


def useless(
    opened: Iterable[ForgeReview], kept: Mapping[str, ForgeReview], reasons: Mapping[str, str]
) -> Iterable[tuple[ForgeReview, str]]:
    """Open reviews to close, each with the reason: `kept` are the wanted ones, `reasons` those of dropped branches."""
    for review in opened:
        keeper = kept.get(review.branch)
        if keeper is not None:
            if review.number != keeper.number and is_ours(review):
                yield review, f"{keeper.url} shows the same branch"
        elif review.branch in reasons:
            yield review, reasons[review.branch]
        elif is_ours(review) and review.branch.startswith(REVIEW_PREFIX):
            yield review, GONE


def _head_shown(review: ForgeReview) -> str | None:
    marker = parse_marker(review.body)
    return marker.head if marker is not None else None
