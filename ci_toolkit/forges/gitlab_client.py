"""One project of a GitLab, through python-gitlab (docs.gitlab.com/api/merge_requests, /issues, /commits)."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from gitlab.exceptions import GitlabError

from ci_toolkit.effects.forge_answers import ForgeHttpError
from ci_toolkit.errors import ForgeError
from ci_toolkit.forges.asking import STATUS_TEXT_MAX, asking, cut, made_nevertheless
from ci_toolkit.forges.gitlab_hints import gitlab_hint, will_not
from ci_toolkit.forges.gitlab_text import harmless, is_draft, is_from_project, issue_of, review_of, titled

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager

    import gitlab
    from gitlab.v4.objects import Project, ProjectMergeRequest

    from ci_toolkit.effects.forge_http import ForgeHttp
    from ci_toolkit.forges.client import CommitStatus, ForgeIssue, ForgeReview, ReviewOptions, ReviewText
    from ci_toolkit.model.names import Oid

log = logging.getLogger(__name__)

_PAGE = 100  # the most that GitLab gives
_STATES = {"pending": "pending", "success": "success", "failure": "failed"}
# A pipeline that is one of these may still pass, or has.
_HOPEFUL = frozenset({"created", "waiting_for_resource", "preparing", "pending", "running", "scheduled", "success"})


@dataclass(frozen=True, slots=True, kw_only=True)
class GitlabClient:
    """Calls are bounded, retried and given the token by `http`, which `api` and `project` talk through."""

    http: ForgeHttp
    api: gitlab.Gitlab
    project: Project
    users: dict[str, int | None] = field(default_factory=dict, repr=False)

    def open_reviews(self) -> Sequence[ForgeReview]:
        """All open merge requests whose branch lies in the project, the oldest first: new ones then shift nothing."""
        with self._asking("listing open merge requests"):
            found = self.project.mergerequests.list(
                state="opened", order_by="created_at", sort="asc", per_page=_PAGE, iterator=True, **_PLAIN
            )
            answers = [one.attributes for one in found]
        # Whatever is closed during the listing moves the rest to earlier pages; none may count twice.
        reviews = {answer["iid"]: review_of(answer) for answer in answers if is_from_project(answer)}
        return tuple(reviews.values())

    def latest_review(self, branch: str) -> ForgeReview | None:
        """The newest merge request of a branch of the project."""
        return self._newest(branch, state="all")

    def _newest(self, branch: str, **filters: str) -> ForgeReview | None:
        with self._asking(f"looking for merge requests of {branch}"):
            found = self.project.mergerequests.list(
                source_branch=branch,
                order_by="created_at",
                sort="desc",
                per_page=20,
                iterator=True,
                **filters,
                **_PLAIN,
            )
            # The service might not know the filter.
            mine = (one.attributes for one in found if one.attributes.get("source_branch") == branch)
            answer = next((answer for answer in mine if is_from_project(answer)), None)
        return review_of(answer) if answer is not None else None

    def create_review(self, branch: str, target: str, text: ReviewText, options: ReviewOptions) -> ForgeReview:
        """A new merge request, or the one that is there after all; asked for once and never again in a run."""
        request: dict[str, Any] = {
            "source_branch": branch,
            "target_branch": target,
            "title": titled(text.title, draft=options.draft),
            "description": harmless(text.body),
            "labels": list(options.labels),
            "assignee_ids": self._user_ids(options.assignees),
            "reviewer_ids": self._user_ids(options.reviewers),
            "remove_source_branch": True,
        }
        request = {key: value for key, value in request.items() if value != []}
        try:
            with self._asking(f"opening a merge request for {branch}"):
                return review_of(self.project.mergerequests.create(request, **_PLAIN).attributes)
        except ForgeHttpError as error:
            if error.status != 409 and not error.may_have_acted:
                raise
            there = made_nevertheless(self.http, lambda: self._newest(branch, state="opened", target_branch=target))
            if there is None:
                raise
            return there

    def update_review(self, review: ForgeReview, text: ReviewText) -> None:
        """New title and description; whether it is a draft stays as people left it."""
        title = titled(text.title.removeprefix("Draft: "), draft=is_draft(review.title))
        self._update(f"updating !{review.number}", review, {"title": title, "description": harmless(text.body)})

    def comment(self, review: ForgeReview, body: str) -> None:
        """Add a note."""
        with self._asking(f"commenting on !{review.number}", role="Reporter"):
            merge_request = self.project.mergerequests.get(review.number, lazy=True)
            merge_request.notes.create({"body": harmless(body)}, **_PLAIN)

    def close_review(self, review: ForgeReview) -> None:
        """Close it."""
        self._update(f"closing !{review.number}", review, {"state_event": "close"})

    def reopen_review(self, review: ForgeReview) -> bool:
        """Reopen it; GitLab refuses when the branch is gone or has another open one."""
        try:
            answer = self._update(f"reopening !{review.number}", review, {"state_event": "reopen"})
        except ForgeHttpError as error:
            if not will_not(error):
                raise
            log.info("%s", error)
            return False
        return answer.get("state") == "opened"

    def merge_when_green(self, review: ForgeReview, head: Oid) -> None:
        """Set to auto-merge. GitLab would merge one without a pipeline at once: that one is left for later."""
        try:
            with self._asking(f"setting !{review.number} to auto-merge"):
                self._arm(self.project.mergerequests.get(review.number, **_PLAIN), head)
        except ForgeHttpError as error:
            if not will_not(error):
                raise
            log.warning("%s", error.what)

    def _arm(self, found: ProjectMergeRequest, head: Oid) -> None:
        answer = found.attributes
        pipeline = answer.get("head_pipeline") or {}
        if answer.get("merge_when_pipeline_succeeds") or answer.get("sha") != head:
            return
        if pipeline.get("status") not in _HOPEFUL:
            log.info("!%s is not merged by itself: its pipeline has not passed and is not running", answer["iid"])
            return
        found.merge(merge_when_pipeline_succeeds=True, sha=str(head), auto_merge=True, **_PLAIN)

    def set_status(self, commit: Oid, status: CommitStatus) -> None:
        """Mark a commit."""
        request = {
            "state": _STATES[status.state],
            "name": status.context,
            "description": cut(status.text, STATUS_TEXT_MAX),
        }
        if status.url:
            request["target_url"] = status.url
        with self._asking(f"marking commit {commit[:10]}"):
            try:
                self.project.commits.get(commit, lazy=True).statuses.create(request, **_PLAIN)
            except ForgeHttpError as error:
                # It is marked like that already: GitLab takes that for a mistake.
                if "cannot transition status" not in error.said.lower():
                    raise

    def find_issue(self, marker: str) -> ForgeIssue | None:
        """The oldest issue by the token's own user that has the marker."""
        with self._asking("looking for the dashboard", role="Reporter"):
            found = self.project.issues.list(
                scope="created_by_me",
                state="all",
                order_by="created_at",
                sort="asc",
                per_page=_PAGE,
                iterator=True,
                **_PLAIN,
            )
            answer = next((one.attributes for one in found if marker in (one.attributes["description"] or "")), None)
        return issue_of(answer) if answer is not None else None

    def create_issue(self, text: ReviewText, labels: Sequence[str]) -> ForgeIssue:
        """A new issue, or the one that was made although its answer was lost."""
        request: dict[str, Any] = {"title": titled(text.title, draft=False), "description": harmless(text.body)}
        if labels:
            request["labels"] = list(labels)
        try:
            with self._asking("opening an issue", role="Reporter"):
                return issue_of(self.project.issues.create(request, **_PLAIN).attributes)
        except ForgeHttpError as error:
            marker = text.body.rstrip().rpartition("\n")[2]
            there = made_nevertheless(self.http, lambda: self.find_issue(marker)) if error.may_have_acted else None
            if there is None:
                raise
            return there

    def update_issue(self, issue: ForgeIssue, text: ReviewText) -> None:
        """New title and description; open again."""
        request = {"title": titled(text.title, draft=False), "description": harmless(text.body)}
        if not issue.is_open:
            request["state_event"] = "reopen"
        with self._asking(f"updating issue #{issue.number}"):
            self.project.issues.update(issue.number, request, **_PLAIN)

    def _update(self, what: str, review: ForgeReview, request: dict[str, Any]) -> dict[str, Any]:
        with self._asking(what):
            answer = self.project.mergerequests.update(review.number, request, **_PLAIN)
        if not isinstance(answer, dict):
            raise ForgeError(f"{what}: {self.http.host} answers with something else than its API does")
        return answer

    def _user_ids(self, names: Sequence[str]) -> list[int]:
        """Users' numbers; who cannot be found is named and left out, as a review without them is still one."""
        for name in names:
            if name not in self.users:
                is_number = name.isascii() and name.isdigit()
                self.users[name] = int(name) if is_number else self._user_id(name.removeprefix("@"))
                if self.users[name] is None:
                    log.warning("%s: there is no user of that name, so nobody of it is asked to review", name)
        return [number for name in names if (number := self.users[name]) is not None]

    def _user_id(self, name: str) -> int | None:
        with self._asking(f"looking for user {name}"):
            try:
                users = self.api.users.list(username=name, get_all=False, **_PLAIN)
            except ForgeHttpError as error:
                if error.status not in (400, 404):
                    raise
                return None
            number = next((one.attributes["id"] for one in users), None)
        return number if isinstance(number, int) else None

    def _asking(self, doing: str, *, role: str = "Developer") -> AbstractContextManager[None]:
        return asking(doing, self.http.host, lambda error: gitlab_hint(error, role), also_nonsense=(GitlabError,))


# Waiting and trying again are the business of ForgeHttp: it knows the run's limits.
_PLAIN: dict[str, Any] = {"obey_rate_limit": False, "retry_transient_errors": False}
