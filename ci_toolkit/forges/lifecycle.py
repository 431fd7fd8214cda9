"""The life of reviews at a service, the same for all of them: one listing, then only the calls that change something.

Nothing here relies on an earlier run having got to its end: what is wanted is compared with what the service shows.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

from ci_toolkit.errors import ForgeError
from ci_toolkit.forges.client import ReviewText
from ci_toolkit.forges.decisions import (
    GONE,
    Step,
    chosen,
    content_shown,
    step_for_latest,
    step_for_open,
    step_without_open,
    useless,
)
from ci_toolkit.forges.marker import Marker, parse_marker, with_marker, with_retired
from ci_toolkit.forges.spec import ForgeReport
from ci_toolkit.formats.forge_memory import ForgeRecord
from ci_toolkit.model.names import Oid, Pkgbase, review_branch

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ci_toolkit.forges.client import ForgeReview, ReviewClient, ReviewOptions
    from ci_toolkit.forges.spec import WantedReview
    from ci_toolkit.model.finding import Severity
    from ci_toolkit.model.plan import DroppedReview

log = logging.getLogger(__name__)

_MOST_FAILURES_IN_A_ROW = 5


def show_reviews(
    client: ReviewClient,
    wanted: Sequence[WantedReview],
    dropped: Sequence[DroppedReview],
    *,
    memory: Mapping[Pkgbase, ForgeRecord],
    options: ReviewOptions,
    auto_merge: Severity | None = None,
) -> ForgeReport:
    """Make the service show exactly `wanted`; what could not be done is named and found to do by the next run."""
    try:
        opened = client.open_reviews()
    except ForgeError as error:
        return ForgeReport(memory=memory, problems=(f"reviews are not shown: {error.what}; the next run repeats it",))
    showing = _Showing(client=client, options=options, auto_merge=auto_merge, memory=dict(memory))
    by_branch: dict[str, list[ForgeReview]] = {}
    for review in opened:
        by_branch.setdefault(review.branch, []).append(review)
    kept: dict[str, ForgeReview] = {}
    # The worst ones first: whatever fails later, these are shown.
    for one in sorted(wanted, key=lambda one: (-one.severity, one.pkgbase)):
        shown = chosen(by_branch.get(one.branch, ()), one.target)
        if shown is not None:
            kept[one.branch] = shown
        showing.attempt(one.pkgbase, partial(showing.show, one, shown))
    wanted_branches = {one.branch for one in wanted}
    reasons = {review_branch(one.pkgbase): one.reason for one in dropped}
    idle = [review for review in opened if review.branch not in wanted_branches or review.branch in kept]
    for review, reason in useless(idle, kept, reasons):
        showing.attempt(review.branch, partial(showing.retire, review, reason))
    for pkgbase in sorted(memory.keys() - {one.pkgbase for one in wanted}):
        branch = review_branch(pkgbase)
        why = reasons.get(branch, GONE) if branch not in by_branch else None
        showing.attempt(pkgbase, partial(showing.forget, pkgbase, why))
    return showing.report()


@dataclass(slots=True, kw_only=True)
class _Showing:
    """One run's conversation with a service, and what has come of it so far."""

    client: ReviewClient
    options: ReviewOptions
    auto_merge: Severity | None
    memory: dict[Pkgbase, ForgeRecord]
    notes: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    failures_in_a_row: int = 0
    untried: int = 0

    def report(self) -> ForgeReport:
        """What has come of it."""
        if self.untried:
            self.problems.append(f"{self.untried} more reviews were not tried; the next run does")
        return ForgeReport(memory=self.memory, notes=tuple(self.notes), problems=tuple(self.problems))

    def attempt(self, name: str, act: Callable[[], None]) -> None:
        """Do something about one review. A failure stops no other, but a service that only fails is left alone."""
        if self.failures_in_a_row >= _MOST_FAILURES_IN_A_ROW:
            self.untried += 1
            return
        try:
            act()
        except ForgeError as error:
            self.failures_in_a_row += 1
            self.problems.append(f"{name}: {error.what}")
        else:
            self.failures_in_a_row = 0

    def show(self, wanted: WantedReview, shown: ForgeReview | None) -> None:
        """Bring one review to where it should be."""
        known = self.memory.get(wanted.pkgbase)
        step = step_for_open(wanted, shown, known) if shown else step_without_open(wanted, known)
        latest = None
        if step is Step.ASK:
            latest = self.client.latest_review(wanted.branch)
            step = step_for_latest(wanted, latest, known)
            shown = latest if latest is not None and step in (Step.KEEP, Step.REFRESH) else None
        log.debug("%s: %s", wanted.branch, step.value)
        if step is Step.CREATE:
            shown = self._create(wanted)
        elif step is Step.REOPEN and latest is not None:
            shown = self._reopen(wanted, latest)
        elif step is Step.REFRESH and shown is not None:
            self._refresh(wanted, shown)
            self.notes.append(f"{wanted.pkgbase}: {shown.url} brought up to date")
        elif step is Step.DECLINED:
            self._respect(wanted, latest)
        if shown is not None:
            self._remember(wanted, shown, known)
            self._merge_when_green(wanted, shown)

    def _remember(self, wanted: WantedReview, shown: ForgeReview, known: ForgeRecord | None) -> None:
        content: str = wanted.content
        if wanted.by_people:
            content = content_shown(wanted.pkgbase, shown, known) or wanted.content
        self.memory[wanted.pkgbase] = ForgeRecord(
            pkgbase=wanted.pkgbase, number=shown.number, url=shown.url, content=content, severity=wanted.severity
        )

    def _text(self, wanted: WantedReview, *, before: ForgeReview | None = None) -> ReviewText:
        text = wanted.describe()
        body = f"This takes the place of {before.url}.\n\n{text.body}" if before else text.body
        marker = Marker(package=wanted.pkgbase, content=wanted.content, head=wanted.head)
        return replace(text, body=with_marker(body, marker))

    def _create(self, wanted: WantedReview, *, before: ForgeReview | None = None) -> ForgeReview:
        text = self._text(wanted, before=before)
        made = self.client.create_review(wanted.branch, wanted.target, text, self.options)
        if content_shown(wanted.pkgbase, made, None) != wanted.content:
            # It was there already: somebody else opened it since the listing.
            self.client.update_review(made, text)
        self.notes.append(f"{wanted.pkgbase}: opened {made.url}")
        return made

    def _reopen(self, wanted: WantedReview, closed: ForgeReview) -> ForgeReview:
        if not self.client.reopen_review(closed):
            return self._create(wanted, before=closed)
        self._refresh(wanted, closed)
        self.notes.append(f"{wanted.pkgbase}: reopened {closed.url}")
        return closed

    def _refresh(self, wanted: WantedReview, shown: ForgeReview) -> None:
        """New text, then a remark: the other way round a run that dies between the two would make it twice."""
        before = parse_marker(shown.body)
        self.client.update_review(shown, self._text(wanted))
        if before is not None and before.content != wanted.content:
            self.client.comment(shown, wanted.since(shown))

    def _respect(self, wanted: WantedReview, closed: ForgeReview | None) -> None:
        """A person closed it: remember that, so that nobody has to be asked again."""
        if closed is None:
            return
        self.memory[wanted.pkgbase] = ForgeRecord(
            pkgbase=wanted.pkgbase,
            number=closed.number,
            url=closed.url,
            content=wanted.content,
            status="declined",
            severity=wanted.severity,
        )
        self.notes.append(f"{wanted.pkgbase}: {closed.url} was closed by a person and stays closed until it changes")

    def _merge_when_green(self, wanted: WantedReview, shown: ForgeReview) -> None:
        allowed = self.auto_merge is not None and wanted.severity <= self.auto_merge
        if allowed and not wanted.by_people and not self.options.draft:
            self.client.merge_when_green(shown, wanted.head)

    def retire(self, review: ForgeReview, reason: str) -> None:
        """Close an open review that has no use any more; its text says that it was not a person."""
        self._mark_retired(review, reason)
        self.client.close_review(review)
        self.notes.append(f"{review.branch}: closed {review.url}, because {reason}")

    def _mark_retired(self, review: ForgeReview, reason: str) -> None:
        pkgbase = Pkgbase(review.branch.removeprefix("update-"))
        marker = parse_marker(review.body)
        known = self.memory.get(pkgbase)
        content = marker.content if marker else known.content if known else None
        if content is not None:
            head = marker.head if marker else review.head or Oid(content)
            retired = Marker(package=pkgbase, content=Oid(content), head=head, retired=True)
            self.client.update_review(review, ReviewText(title=review.title, body=with_retired(review.body, retired)))
        self.client.comment(review, f"Closed by ci-toolkit, because {reason}.")

    def forget(self, pkgbase: Pkgbase, reason: str | None) -> None:
        """Remember no more of a review; `reason`: why it has no branch any more, if no open review is left of it.

        Some services close a review themselves when its branch goes, in this run or in one that died after its push;
        that is to be told from a person's word later.
        """
        if reason is not None and self.memory[pkgbase].status == "open":
            latest = self.client.latest_review(review_branch(pkgbase))
            marker = parse_marker(latest.body) if latest is not None else None
            if latest is not None and latest.status == "closed" and not (marker and marker.retired):
                self._mark_retired(latest, reason)
                self.notes.append(f"{latest.branch}: closed {latest.url}, because {reason}")
        del self.memory[pkgbase]
