"""Pull requests, statuses and issues on a Gitea or Forgejo."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ci_toolkit.effects.clock import SystemClock
from ci_toolkit.effects.forge_answers import ForgeHttpError
from ci_toolkit.effects.forge_http import ForgeHttp, ForgeManners
from ci_toolkit.errors import ForgeError
from ci_toolkit.forges.asking import BODY_MAX, STATUS_TEXT_MAX, asking, cut, made_nevertheless, split_repository
from ci_toolkit.forges.cutting import cut_before_last_line, one_line
from ci_toolkit.forges.gitea_api import (
    DRAFT_PREFIX,
    READ_REPOSITORY,
    READ_USER,
    WRITE_ISSUE,
    WRITE_REPOSITORY,
    GiteaApi,
    Pages,
    branch_head,
    branch_of,
    gitea_hint,
    is_own,
    read_issue,
    read_review,
    shown_head,
)
from ci_toolkit.forges.gitea_labels import GiteaLabels

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager

    from ci_toolkit.effects.clock import Clock
    from ci_toolkit.effects.token import Token
    from ci_toolkit.forges.client import CommitStatus, ForgeIssue, ForgeReview, ReviewOptions, ReviewText
    from ci_toolkit.model.names import Oid

log = logging.getLogger(__name__)

TITLE_MAX = 255
_CANNOT_REOPEN = frozenset({409, 412, 422})


class GiteaReviews:
    """One repository on one Gitea or Forgejo, as a ReviewClient."""

    def __init__(
        self,
        *,
        url: str,
        repository: str,
        token: Token,
        ca: str | None = None,
        unencrypted: bool = False,
        timeout_s: float = 30.0,
        clock: Clock | None = None,
    ) -> None:
        """`url` is that of the service, such as https://codeberg.org, `ca` a file of certificates to trust.

        `unencrypted`: `http://` will do, as this is where the CI service sends its own tokens.
        """
        owner, name = split_repository(repository)
        self._http = ForgeHttp(
            url=f"{url.rstrip('/')}/api/v1",
            token=token,
            secret=token.header("token"),
            ca=ca,
            clock=clock or SystemClock(),
            manners=ForgeManners(timeout_s=timeout_s, unencrypted=unencrypted),
        )
        self._api = GiteaApi(http=self._http, owner=owner, name=name)
        self._labels = GiteaLabels(self._api)
        self._drafts: set[int] = set()
        # The service cannot look for a branch, so all that was ever opened is read, newest first, as far as needed.
        self._newest: dict[str, int] = {}
        self._history = Pages(self._api, "/pulls", state="all")

    @property
    def requests(self) -> int:
        """Requests so far."""
        return self._http.requests

    def close(self) -> None:
        """Close all connections."""
        self._http.close()

    def open_reviews(self) -> tuple[ForgeReview, ...]:
        """All open ones whose branch lies in the project itself, by one paged listing."""
        with self._asking("listing open reviews", READ_REPOSITORY):
            pulls = self._api.rows("/pulls", state="open")
            return tuple({pull["number"]: self._read(pull) for pull in pulls if is_own(pull)}.values())

    def latest_review(self, branch: str) -> ForgeReview | None:
        """The newest one of a branch, whatever its status."""
        with self._asking(f"looking for the review of {branch}", READ_REPOSITORY):
            while branch not in self._newest and not self._history.is_done:
                for pull in filter(is_own, self._history.following()):
                    self._newest.setdefault(branch_of(pull), int(pull["number"]))
            number = self._newest.get(branch)
            if number is None:
                return None
            review = self._read(self._api.get(f"/pulls/{number}"))
            return review if review.status == "open" else replace(review, head=shown_head(self._api, number))

    def create_review(self, branch: str, target: str, text: ReviewText, options: ReviewOptions) -> ForgeReview:
        """Open one. When the service says that there is one already, or fails after it may have made it, that one."""
        try:
            with self._asking(f"opening a review for {branch}", WRITE_REPOSITORY):
                title = _title(text, is_draft=options.draft)
                wanted = {"title": title, "body": _fitting(text.body), "head": branch, "base": target}
                review = self._read(self._api.send("POST", "/pulls", wanted))
        except ForgeHttpError as error:
            found = self._made_nevertheless(branch, target, error)
            if found is None:
                raise
            review = found
        self._newest[branch] = review.number
        self._apply(review, options)
        return review

    def update_review(self, review: ForgeReview, text: ReviewText) -> None:
        """Replace title and description; a draft stays one."""
        title = _title(text, is_draft=review.number in self._drafts)
        self._edit(f"updating #{review.number}", review, {"title": title, "body": _fitting(text.body)})

    def comment(self, review: ForgeReview, body: str) -> None:
        """Add a remark."""
        with self._asking(f"commenting on #{review.number}", WRITE_ISSUE):
            self._api.send("POST", f"/issues/{review.number}/comments", {"body": _fitting(body)})

    def close_review(self, review: ForgeReview) -> None:
        """Close it without merging."""
        self._edit(f"closing #{review.number}", review, {"state": "closed"})

    def reopen_review(self, review: ForgeReview) -> bool:
        """Open a closed one again; False when the service does not allow that, or would go on showing older commits."""
        with self._asking(f"looking at #{review.number}", READ_REPOSITORY):
            # Reopening through the API does not make up for what was pushed meanwhile, as the page of the service
            # does: people would see older commits than those that they merge.
            now = branch_head(self._api.get(f"/pulls/{review.number}"))
            if now is None or now != shown_head(self._api, review.number):
                return False
        try:
            self._edit(f"reopening #{review.number}", review, {"state": "open"})
        except ForgeHttpError as error:
            if error.status in _CANNOT_REOPEN:
                log.info("%s", error)
                return False
            raise
        return True

    def merge_when_green(self, review: ForgeReview, head: Oid) -> None:
        """Have it merged once its pipeline has passed, provided its branch still is at `head`."""
        with self._asking(f"merging #{review.number} when its checks have passed", WRITE_REPOSITORY):
            # A merge that is put off is not held against head_commit_id, so it is looked at here, too.
            pull = self._api.get(f"/pulls/{review.number}")
            if pull["head"]["sha"] != head:
                raise ForgeHttpError(f"its branch is at {pull['head']['sha']}, not at {head}", status=409)
            self._refuse_untested(str(pull["base"]["ref"]), head)
            style = self._api.get("").get("default_merge_style") or "merge"
            wanted = {"Do": style, "merge_when_checks_succeed": True, "head_commit_id": head}
            try:
                self._api.send("POST", f"/pulls/{review.number}/merge", wanted)
            except ForgeHttpError as error:
                if "already scheduled" not in error.said:
                    raise

    def set_status(self, commit: Oid, status: CommitStatus) -> None:
        """Mark a commit of the project."""
        with self._asking(f"setting the status of {commit}", WRITE_REPOSITORY):
            text = cut(status.text, STATUS_TEXT_MAX)
            wanted = {"context": status.context, "state": status.state, "description": text}
            where = {} if status.url is None else {"target_url": status.url}
            self._api.send("POST", f"/statuses/{commit}", wanted | where)

    def find_issue(self, marker: str) -> ForgeIssue | None:
        """The oldest issue by the token's own user whose description holds `marker`."""
        with self._asking("looking for an issue", READ_USER):
            login = str(self._api.get_user()["login"])
            rows = self._api.rows("/issues", type="issues", state="all", created_by=login)
            own = (read_issue(row) for row in rows if str(row["user"]["login"]).lower() == login.lower())
            return min((issue for issue in own if marker in issue.body), key=lambda issue: issue.number, default=None)

    def create_issue(self, text: ReviewText, labels: Sequence[str]) -> ForgeIssue:
        """Open one."""
        with self._asking("opening an issue", WRITE_ISSUE):
            wanted: dict[str, Any] = {"title": one_line(text.title, TITLE_MAX), "body": _fitting(text.body)}
            return read_issue(self._api.send("POST", "/issues", wanted | {"labels": self._labels.numbers(labels)}))

    def update_issue(self, issue: ForgeIssue, text: ReviewText) -> None:
        """Replace title and description, and open it again if somebody closed it."""
        with self._asking(f"updating issue #{issue.number}", WRITE_ISSUE):
            wanted = {"title": one_line(text.title, TITLE_MAX), "body": _fitting(text.body), "state": "open"}
            self._api.send("PATCH", f"/issues/{issue.number}", wanted)

    def _asking(self, doing: str, permission: str) -> AbstractContextManager[None]:
        return asking(doing, self._http.host, lambda error: gitea_hint(error, permission))

    def _read(self, pull: Any) -> ForgeReview:  # noqa: ANN401 - JSON
        review = read_review(pull)
        if str(pull["title"]).startswith(DRAFT_PREFIX):
            self._drafts.add(review.number)
        else:
            self._drafts.discard(review.number)
        return review

    def _edit(self, doing: str, review: ForgeReview, wanted: dict[str, str]) -> None:
        with self._asking(doing, WRITE_REPOSITORY):
            self._api.send("PATCH", f"/pulls/{review.number}", wanted)

    def _made_nevertheless(self, branch: str, target: str, error: ForgeHttpError) -> ForgeReview | None:
        """What a failed request has made, or somebody before it."""
        if error.status != 409 and not error.may_have_acted:
            return None
        return made_nevertheless(
            self._http,
            lambda: next((one for one in self.open_reviews() if (one.branch, one.target) == (branch, target)), None),
        )

    def _refuse_untested(self, target: str, head: Oid) -> None:
        """ForgeHttpError when nothing would be waited for: without a required check the service merges at once."""
        if self._api.get(f"/branches/{target}").get("enable_status_check"):
            return
        if self._api.get(f"/commits/{head}/status").get("state") != "success":
            raise ForgeHttpError(
                "no check is waited for",
                status=422,
                hint=f"require the pipeline's check in the branch protection of {target}",
            )

    def _apply(self, review: ForgeReview, options: ReviewOptions) -> None:
        """Labels and people; the review is there without them, so a refusal is said and no more."""
        issue, pull = f"/issues/{review.number}", f"/pulls/{review.number}"
        people = {
            "reviewers": [name for name in options.reviewers if "/" not in name],
            "team_reviewers": [name.rpartition("/")[2] for name in options.reviewers if "/" in name],
        }
        steps: tuple[tuple[str, object, Callable[[], object]], ...] = (
            (
                "labels",
                options.labels,
                lambda: self._api.send("POST", f"{issue}/labels", {"labels": self._labels.numbers(options.labels)}),
            ),
            (
                "assignees",
                options.assignees,
                lambda: self._api.send("PATCH", issue, {"assignees": list(options.assignees)}),
            ),
            ("reviewers", options.reviewers, lambda: self._api.send("POST", f"{pull}/requested_reviewers", people)),
        )
        for what, wanted, call in steps:
            if not wanted:
                continue
            try:
                with self._asking(f"#{review.number} is open, but setting its {what}", WRITE_ISSUE):
                    call()
            except ForgeError as error:
                log.warning("%s", error)


def _title(text: ReviewText, *, is_draft: bool) -> str:
    return one_line(f"{DRAFT_PREFIX if is_draft else ''}{text.title}", TITLE_MAX)


def _fitting(body: str) -> str:
    return cut_before_last_line(body, BODY_MAX)
