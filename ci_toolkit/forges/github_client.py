"""Pull requests, statuses and issues on github.com or a GitHub of one's own.

Source: docs.github.com/rest, version 2022-11-28. The calls are those of PyGithub, over ForgeHttp.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from github.Commit import Commit
from github.GithubException import BadAttributeException, GithubException
from github.GithubObject import NotSet
from github.Repository import Repository

from ci_toolkit.effects.clock import SystemClock
from ci_toolkit.effects.forge_answers import ForgeHttpError
from ci_toolkit.effects.forge_http import ForgeHttp, ForgeManners
from ci_toolkit.errors import ForgeError
from ci_toolkit.forges.asking import (
    BODY_MAX,
    STATUS_TEXT_MAX,
    asking,
    cut,
    made_nevertheless,
    split_repository,
)
from ci_toolkit.forges.cutting import cut_before_last_line, one_line
from ci_toolkit.forges.github_graphql import GithubGraphql
from ci_toolkit.forges.github_hints import (
    ISSUES_READ,
    ISSUES_WRITE,
    MERGE,
    PULLS_READ,
    PULLS_WRITE,
    STATUSES_WRITE,
    github_hint,
)
from ci_toolkit.forges.github_library import github_requester, list_pulls
from ci_toolkit.forges.github_values import has_nothing_to_wait_for, is_own, read_issue, read_review

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager

    from github.PullRequest import PullRequest

    from ci_toolkit.effects.clock import Clock
    from ci_toolkit.effects.token import Token
    from ci_toolkit.forges.client import CommitStatus, ForgeIssue, ForgeReview, ReviewOptions, ReviewText
    from ci_toolkit.model.names import Oid

log = logging.getLogger(__name__)

TITLE_MAX = 256
_WRITE_PAUSE_S = 1.0  # what GitHub asks for between requests that make something


class GithubReviews:
    """One repository on one GitHub, as a ReviewClient."""

    def __init__(
        self,
        *,
        api_url: str,
        repository: str,
        token: Token,
        ca: str | None = None,
        unencrypted: bool = False,
        timeout_s: float = 30.0,
        clock: Clock | None = None,
    ) -> None:
        """`api_url` is https://api.github.com or https://host/api/v3, `ca` a file of certificates to trust.

        `unencrypted`: `http://` will do, as this is where the CI service sends its own tokens.
        """
        self._owner, name = split_repository(repository)
        manners = ForgeManners(timeout_s=timeout_s, write_pause_s=_WRITE_PAUSE_S, unencrypted=unencrypted)
        self._http = ForgeHttp(
            url=api_url,
            token=token,
            secret=token.header("bearer"),
            ca=ca,
            clock=clock or SystemClock(),
            manners=manners,
        )
        self._requester = github_requester(self._http, api_url)
        self._repository = Repository(self._requester, url=f"/repos/{repository}")
        self._graphql = GithubGraphql(http=self._http, owner=self._owner, name=name)
        self._login: str | None = None

    @property
    def requests(self) -> int:
        """Requests so far."""
        return self._http.requests

    def close(self) -> None:
        """Close all connections."""
        self._http.close()

    def open_reviews(self) -> tuple[ForgeReview, ...]:
        """All open ones whose branch lies in the project itself, by one paged listing."""
        with self._asking("listing open reviews", PULLS_READ):
            pulls = list_pulls(self._repository, state="open", sort="created", direction="asc")
            # Pages move when something is closed meanwhile, so one may come twice.
            return tuple({pull.number: read_review(pull) for pull in pulls if is_own(pull)}.values())

    def latest_review(self, branch: str) -> ForgeReview | None:
        """The newest one of a branch, whatever its status."""
        with self._asking(f"looking for the review of {branch}", PULLS_READ):
            return next(self._reviews_of(branch, "all"), None)

    def create_review(self, branch: str, target: str, text: ReviewText, options: ReviewOptions) -> ForgeReview:
        """Open one. When the service says that there is one already, or fails after it may have made it, that one."""
        try:
            with self._asking(f"opening a review for {branch}", PULLS_WRITE):
                review = self._open(branch, target, text, is_draft=options.draft)
        except ForgeHttpError as error:
            found = self._made_nevertheless(branch, target, error)
            if found is None:
                raise
            review = found
        self._apply(review, options)
        return review

    def update_review(self, review: ForgeReview, text: ReviewText) -> None:
        """Replace title and description."""
        with self._asking(f"updating #{review.number}", PULLS_WRITE):
            self._pull(review).edit(title=one_line(text.title, TITLE_MAX), body=_fitting(text.body))

    def comment(self, review: ForgeReview, body: str) -> None:
        """Add a remark."""
        with self._asking(f"commenting on #{review.number}", PULLS_WRITE):
            self._repository.get_issue(review.number).create_comment(_fitting(body))

    def close_review(self, review: ForgeReview) -> None:
        """Close it without merging."""
        with self._asking(f"closing #{review.number}", PULLS_WRITE):
            self._pull(review).edit(state="closed")

    def reopen_review(self, review: ForgeReview) -> bool:
        """Open a closed one again; False when its branch is gone or rewritten, which GitHub answers with 422."""
        try:
            with self._asking(f"reopening #{review.number}", PULLS_WRITE):
                self._pull(review).edit(state="open")
        except ForgeHttpError as error:
            if error.status == 422:
                log.info("%s", error)
                return False
            raise
        return True

    def merge_when_green(self, review: ForgeReview, head: Oid) -> None:
        """Have it merged once its pipeline has passed, provided its branch still is at `head`."""
        doing = f"merging #{review.number} when its checks have passed"
        with self._asking(doing, MERGE):
            state = self._graphql.merge_state(review.number)
            if state.head != head:
                raise ForgeHttpError(f"its branch is at {state.head}, not at {head}", status=409)
            if not state.is_allowed or state.method is None:
                raise ForgeHttpError(
                    "the project does not allow it",
                    status=422,
                    hint="allow auto-merge in the project under Settings, General",
                )
            try:
                self._graphql.enable_auto_merge(state, head)
            except ForgeHttpError as error:
                if not has_nothing_to_wait_for(error):
                    raise
                if not self._graphql.has_passed(review.number, head):
                    hint = f"require the pipeline's check in a rule for {review.target}: GitHub waits for no other"
                    raise error.explained("no check is waited for", hint) from None
                self._pull(review).merge(sha=head, merge_method=state.method.lower())

    def set_status(self, commit: Oid, status: CommitStatus) -> None:
        """Mark a commit of the project."""
        with self._asking(f"setting the status of {commit}", STATUSES_WRITE):
            url = f"{self._repository.url}/commits/{commit}"
            known = Commit(self._requester, {}, {"url": url, "sha": commit}, completed=True)
            known.create_status(
                status.state,
                target_url=NotSet if status.url is None else status.url,
                description=cut(status.text, STATUS_TEXT_MAX),
                context=status.context,
            )

    def find_issue(self, marker: str) -> ForgeIssue | None:
        """The oldest issue by the token's own user whose description holds `marker`."""
        with self._asking("looking for an issue", ISSUES_READ):
            self._login = self._login or self._graphql.viewer()
            return next((issue for issue in self._graphql.own_issues(self._login) if marker in issue.body), None)

    def create_issue(self, text: ReviewText, labels: Sequence[str]) -> ForgeIssue:
        """Open one."""
        with self._asking("opening an issue", ISSUES_WRITE):
            title = one_line(text.title, TITLE_MAX)
            return read_issue(self._repository.create_issue(title, body=_fitting(text.body), labels=list(labels)))

    def update_issue(self, issue: ForgeIssue, text: ReviewText) -> None:
        """Replace title and description, and open it again if somebody closed it."""
        with self._asking(f"updating issue #{issue.number}", ISSUES_WRITE):
            known = self._repository.get_issue(issue.number)
            known.edit(title=one_line(text.title, TITLE_MAX), body=_fitting(text.body), state="open")

    def _asking(self, doing: str, permission: str) -> AbstractContextManager[None]:
        return asking(
            doing,
            self._http.host,
            lambda error: github_hint(error, permission),
            also_nonsense=(GithubException, BadAttributeException),
        )

    def _pull(self, review: ForgeReview) -> PullRequest:
        return self._repository.get_pull(review.number)

    def _reviews_of(self, branch: str, state: str) -> Iterator[ForgeReview]:
        """Those of one branch, newest first."""
        head = f"{self._owner}:{branch}"
        pulls = list_pulls(self._repository, state=state, head=head, sort="created", direction="desc")
        # GitHub leaves out a filter that it cannot read, and forks may lie in the same organisation.
        return (read_review(pull) for pull in pulls if is_own(pull) and pull.head.ref == branch)

    def _open(self, branch: str, target: str, text: ReviewText, *, is_draft: bool) -> ForgeReview:
        wanted: dict[str, Any] = {"title": one_line(text.title, TITLE_MAX), "body": _fitting(text.body)}
        try:
            return read_review(self._repository.create_pull(target, branch, **wanted, draft=is_draft))
        except ForgeHttpError as error:
            if not (is_draft and error.status == 422 and "draft" in error.said.lower()):
                raise
            log.info("%s allows no drafts, so the review of %s is none", self._repository.url, branch)
            return read_review(self._repository.create_pull(target, branch, **wanted))

    def _made_nevertheless(self, branch: str, target: str, error: ForgeHttpError) -> ForgeReview | None:
        """What a failed request has made, or somebody before it."""
        if not error.may_have_acted and not (error.status == 422 and "already exists" in error.said):
            return None

        def look() -> ForgeReview | None:
            with self._asking(f"looking for the review of {branch}", PULLS_READ):
                return next((one for one in self._reviews_of(branch, "open") if one.target == target), None)

        return made_nevertheless(self._http, look)

    def _apply(self, review: ForgeReview, options: ReviewOptions) -> None:
        """Labels and people; the review is there without them, so a refusal is said and no more."""
        issue = self._repository.get_issue(review.number)
        users = [name for name in options.reviewers if "/" not in name]
        teams = [name.rpartition("/")[2] for name in options.reviewers if "/" in name]
        steps: tuple[tuple[str, object, Callable[[], object]], ...] = (
            ("labels", options.labels, lambda: self._add_labels(review, options.labels)),
            ("assignees", options.assignees, lambda: issue.add_to_assignees(*options.assignees)),
            (
                "reviewers",
                options.reviewers,
                lambda: self._pull(review).create_review_request(users or NotSet, teams or NotSet),
            ),
        )
        for what, wanted, call in steps:
            if not wanted:
                continue
            try:
                with self._asking(f"#{review.number} is open, but setting its {what}", PULLS_WRITE):
                    call()
            except ForgeError as error:
                log.warning("%s", error)

    def _add_labels(self, review: ForgeReview, labels: Sequence[str]) -> None:
        """As GitHub describes it; what PyGithub sends is an array, which its description does not know any more."""
        url = f"{self._repository.url}/issues/{review.number}/labels"
        self._requester.requestJsonAndCheck("POST", url, input={"labels": list(labels)})


def _fitting(body: str) -> str:
    return cut_before_last_line(body, BODY_MAX)
