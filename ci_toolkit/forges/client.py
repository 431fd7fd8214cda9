"""What a service must be able to do to show reviews: few and small calls; module lifecycle decides which and when."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ci_toolkit.model.names import Oid

ReviewStatus = Literal["open", "closed", "merged"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewText:
    """A review's title and its description in Markdown."""

    title: str
    body: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewOptions:
    """How reviews are opened. `assignees` and `reviewers` are login names, or ids where the service wants ids."""

    labels: tuple[str, ...] = ()
    assignees: tuple[str, ...] = ()
    reviewers: tuple[str, ...] = ()
    draft: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ForgeReview:
    """A merge request as the service tells of it. `number` is what people call it by, `head` its branch's commit."""

    number: int
    url: str
    branch: str
    target: str
    status: ReviewStatus
    title: str
    body: str
    head: Oid | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ForgeIssue:
    """An issue as the service tells of it."""

    number: int
    url: str
    title: str
    body: str
    is_open: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitStatus:
    """A mark on a commit: `context` tells marks apart, `text` has at most 140 characters."""

    context: str
    state: Literal["pending", "success", "failure"]
    text: str
    url: str | None = None


class ReviewClient(Protocol):
    """One project of one service. Every call raises ForgeError, which says what failed and what to do about it."""

    def open_reviews(self) -> Sequence[ForgeReview]:
        """All open ones whose branch lies in the project itself, by one paged listing."""

    def latest_review(self, branch: str) -> ForgeReview | None:
        """The newest one of a branch, whatever its status."""

    def create_review(self, branch: str, target: str, text: ReviewText, options: ReviewOptions) -> ForgeReview:
        """Open one. When the service says that there is one already, or fails after it may have made it, that one."""

    def update_review(self, review: ForgeReview, text: ReviewText) -> None:
        """Replace title and description."""

    def comment(self, review: ForgeReview, body: str) -> None:
        """Add a remark."""

    def close_review(self, review: ForgeReview) -> None:
        """Close it without merging."""

    def reopen_review(self, review: ForgeReview) -> bool:
        """Open a closed one again; False when the service does not allow that for this one."""

    def merge_when_green(self, review: ForgeReview, head: Oid) -> None:
        """Have it merged once its pipeline has passed, provided its branch still is at `head`."""

    def set_status(self, commit: Oid, status: CommitStatus) -> None:
        """Mark a commit of the project."""

    def find_issue(self, marker: str) -> ForgeIssue | None:
        """The oldest issue by the token's own user whose description holds `marker`."""

    def create_issue(self, text: ReviewText, labels: Sequence[str]) -> ForgeIssue:
        """Open one."""

    def update_issue(self, issue: ForgeIssue, text: ReviewText) -> None:
        """Replace title and description, and open it again if somebody closed it."""
