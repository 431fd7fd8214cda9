"""Answers of GitHub, as PyGithub reads them, as values."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from ci_toolkit.forges.asking import with_plain_lines
from ci_toolkit.forges.client import ForgeIssue, ForgeReview
from ci_toolkit.model.names import Oid, is_oid

if TYPE_CHECKING:
    from github.Issue import Issue
    from github.PullRequest import PullRequest
    from github.Repository import Repository

    from ci_toolkit.effects.forge_answers import ForgeHttpError


def is_own(pull: PullRequest) -> bool:
    """Whether its branch lies in the project itself; a fork that is gone has no repository."""
    repository = cast("Repository | None", pull.head.repo)
    return repository is not None and repository.id == pull.base.repo.id


def read_review(pull: PullRequest) -> ForgeReview:
    """A pull request."""
    head = pull.head.sha
    return ForgeReview(
        number=pull.number,
        url=pull.html_url,
        branch=pull.head.ref,
        target=pull.base.ref,
        status="merged" if pull.merged_at else "open" if pull.state == "open" else "closed",
        title=pull.title,
        body=with_plain_lines(pull.body),
        head=Oid(head) if is_oid(head) else None,
    )


def read_issue(issue: Issue) -> ForgeIssue:
    """An issue."""
    return ForgeIssue(
        number=issue.number,
        url=issue.html_url,
        title=issue.title,
        body=with_plain_lines(issue.body),
        is_open=issue.state == "open",
    )


def has_nothing_to_wait_for(error: ForgeHttpError) -> bool:
    """Whether GitHub refuses to wait because nothing that is required is missing."""
    said = error.said.lower()
    return "clean status" in said or "unstable status" in said
