"""Gitea on a loopback socket, as far as it is asked. Shapes and statuses: docs.gitea.com/api v1.22 and its routers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.support.branches import UNTOLD, Branches
from tests.support.http_service import JsonService, Reply, Request, paged, routes

if TYPE_CHECKING:
    from collections.abc import Callable

REPOSITORY = "owner/packages"
_MINE = 1


@dataclass
class Pull:
    """A pull request; `repository_id` is that of its branch, -1 when it is gone.

    `head` is its commit where no branch is told of; `seen` the last one that the service took note of, which it does
    while the pull request is open: `refs/pull/<number>/head`.
    """

    number: int
    branch: str
    target: str = "main"
    title: str = "title"
    body: str = "body"
    state: str = "open"
    merged: bool = False
    head: str | None = None
    seen: str = UNTOLD
    repository_id: int = _MINE
    branch_is_gone: bool = False
    labels: list[int] = field(default_factory=list)
    assignees: list[str] = field(default_factory=list)
    reviewers: list[str] = field(default_factory=list)
    teams: list[str] = field(default_factory=list)
    comments: list[str] = field(default_factory=list)
    scheduled: str | None = None


@dataclass
class Issue:
    """An issue."""

    number: int
    author: str
    title: str
    body: str
    state: str = "open"
    labels: list[int] = field(default_factory=list)


class GiteaService(JsonService):
    """One repository; `page_size` is the most that an installation gives."""

    def __init__(self, token: str, *, heads: Callable[[str], str | None] | None = None) -> None:
        super().__init__()
        self.token = token
        self.branches = Branches(heads)
        self.pulls: list[Pull] = []
        self.issues: list[Issue] = []
        self.label_numbers: dict[str, int] = {"old": 1}
        self.statuses: list[tuple[str, dict[str, Any]]] = []
        self.page_size = 50
        self.tells_total = True
        self.lists_refs = False
        self.requires_checks = True
        self.checks = "pending"
        self.style: str | None = "merge"

    def pull(self, branch: str, **what: Any) -> Pull:
        """Add a pull request."""
        self.pulls.append(Pull(1 + len(self.pulls) + len(self.issues), branch, **what))
        return self.pulls[-1]

    # What the tests of all services want of theirs.

    def add_branch(self, name: str, head: str) -> None:
        self.branches.put(name, head)

    def remove_branch(self, name: str) -> None:
        self._look_at_branches()
        self.branches.remove(name)

    def close_by_person(self, number: int) -> None:
        self._look_at_branches()
        self._find(number).state = "closed"

    def merge_by_person(self, number: int) -> None:
        self._look_at_branches()
        pull = self._find(number)
        pull.state, pull.merged = "closed", True

    def comments(self, number: int) -> list[str]:
        return self._find(number).comments

    def labels(self, number: int) -> list[str]:
        names = {number: name for name, number in self.label_numbers.items()}
        return [names[one] for one in self._find(number).labels]

    def marks(self, commit: str) -> list[tuple[str, str, str]]:
        return [(said["context"], said["state"], said["description"]) for sha, said in self.statuses if sha == commit]

    def lose_next_creation(self) -> None:
        """The next review is made, and the answer is a 502."""
        self.fail("POST .*/pulls", 502, acts=True, times=1)

    def _look_at_branches(self) -> None:
        """Gitea closes what has lost its branch, and takes note of where open ones are."""
        for pull in self.pulls:
            if pull.state == "open" and pull.repository_id == _MINE and self.branches.is_told(pull.branch):
                head = self.branches.head(pull.branch)
                pull.seen = head or pull.seen
                if head is None:
                    pull.state = "closed"

    def _head(self, pull: Pull) -> str:
        """The branch's commit as long as there is a branch, be the pull request open or not."""
        is_told = pull.repository_id == _MINE and self.branches.is_told(pull.branch)
        now = self.branches.head(pull.branch) if is_told and not pull.head else None
        return pull.head or now or pull.seen

    def answer(self, request: Request) -> Reply:
        if request.headers.get("Authorization") != f"token {self.token}":
            return Reply(401, {"message": "invalid username, password or token", "url": f"{self.url}/api/swagger"})
        self._look_at_branches()
        here = f"/api/v1/repos/{REPOSITORY}"
        return routes(
            {
                "GET /api/v1/user": lambda _: Reply(200, {"id": 2, "login": "Bot"}),
                f"GET {here}": lambda _: Reply(
                    200, {"id": _MINE, "full_name": REPOSITORY, "default_merge_style": self.style}
                ),
                f"GET {here}/pulls": self._list_pulls,
                f"POST {here}/pulls": self._create_pull,
                f"GET {here}/pulls/([0-9]+)": lambda _, number: Reply(200, self._shown(self._find(number))),
                f"PATCH {here}/pulls/([0-9]+)": self._edit_pull,
                f"GET {here}/git/(refs/pull/([0-9]+)/head)": self._show_ref,
                f"POST {here}/pulls/([0-9]+)/merge": self._merge,
                f"POST {here}/pulls/([0-9]+)/requested_reviewers": self._ask_reviewers,
                f"GET {here}/branches/(.+)": lambda _, name: Reply(
                    200, {"name": name, "enable_status_check": self.requires_checks}
                ),
                f"GET {here}/commits/([0-9a-f]+)/status": lambda _, sha: Reply(
                    200, {"sha": sha, "state": self.checks, "statuses": []}
                ),
                f"POST {here}/statuses/([0-9a-f]+)": self._set_status,
                f"GET {here}/labels": self._list_labels,
                f"POST {here}/labels": self._create_label,
                f"GET {here}/issues": self._list_issues,
                f"POST {here}/issues": self._create_issue,
                f"PATCH {here}/issues/([0-9]+)": self._edit_issue,
                f"POST {here}/issues/([0-9]+)/comments": self._comment,
                f"POST {here}/issues/([0-9]+)/labels": self._label,
            },
            request,
        )

    def _page(self, rows: list[Any], request: Request) -> Reply:
        page, following = paged(rows, request, self.url, size_key="limit", most=self.page_size)
        headers = {"X-Total-Count": str(len(rows))} if self.tells_total else {}
        if following:
            headers["Link"] = f'<{following}>; rel="next"'
        return Reply(200, page, headers)

    def _list_pulls(self, request: Request) -> Reply:
        wanted = request.query.get("state", "open")
        rows = [self._shown(one) for one in reversed(self.pulls) if wanted in ("all", one.state)]
        return self._page(rows, request)

    def _create_pull(self, request: Request) -> Reply:
        wanted = request.body
        if self.branches.head(wanted["head"]) is None:
            return Reply(404, {"message": "The target couldn't be found.", "errors": ["could not find head branch"]})
        key = (wanted["head"], wanted["base"], "open")
        if any((one.branch, one.target, one.state) == key and one.repository_id == _MINE for one in self.pulls):
            return Reply(409, {"message": "pull request already exists for these targets [id: 1, issue_id: 1]"})
        pull = self.pull(wanted["head"], target=wanted["base"], title=wanted["title"], body=wanted["body"])
        return Reply(201, self._shown(pull))

    def _edit_pull(self, request: Request, number: str) -> Reply:
        pull = self._find(number)
        if pull.merged and "state" in request.body:
            return Reply(412, {"message": "cannot change state of this pull request, it was already merged"})
        if request.body.get("state") == "open" and self.branches.head(pull.branch) is None:
            return Reply(412, {"message": "cannot reopen this pull request because the head branch is gone"})
        for name, value in request.body.items():
            setattr(pull, name, value)
        return Reply(201, self._shown(pull))

    def _show_ref(self, _: Request, ref: str, number: str) -> Reply:
        """One that fits exactly comes alone, otherwise a list of all that begin like it."""
        pull = self._find(number)
        found = {"ref": ref, "object": {"type": "commit", "sha": pull.head or pull.seen}}
        return Reply(200, [found, {**found, "ref": f"{ref}s"}] if self.lists_refs else found)

    def _merge(self, request: Request, number: str) -> Reply:
        pull = self._find(number)
        if pull.scheduled:
            return Reply(409, {"message": "The auto merge is already scheduled"})
        if self.requires_checks and self.checks != "success":
            pull.scheduled = request.body["Do"]
            return Reply(201)
        if request.body["head_commit_id"] != self._head(pull):
            return Reply(409, {"message": "head out of date"})
        pull.state, pull.merged = "closed", True
        return Reply(200)

    def _ask_reviewers(self, request: Request, number: str) -> Reply:
        pull = self._find(number)
        pull.reviewers += request.body["reviewers"]
        pull.teams += request.body["team_reviewers"]
        return Reply(201, [])

    def _set_status(self, request: Request, commit: str) -> Reply:
        self.statuses.append((commit, request.body))
        return Reply(201, {"id": 1, "status": request.body["state"]})

    def _list_labels(self, request: Request) -> Reply:
        return self._page(
            [{"id": number, "name": name, "color": "ff0000"} for name, number in self.label_numbers.items()], request
        )

    def _create_label(self, request: Request) -> Reply:
        self.label_numbers[request.body["name"]] = 1 + len(self.label_numbers)
        return Reply(201, {"id": len(self.label_numbers), "name": request.body["name"], "color": request.body["color"]})

    def _list_issues(self, request: Request) -> Reply:
        author = request.query["created_by"]
        rows = [self._shown_issue(one) for one in reversed(self.issues) if author.lower() == one.author.lower()]
        return self._page(rows, request)

    def _create_issue(self, request: Request) -> Reply:
        wanted = request.body
        issue = Issue(
            1 + len(self.pulls) + len(self.issues), "Bot", wanted["title"], wanted["body"], labels=wanted["labels"]
        )
        self.issues.append(issue)
        return Reply(201, self._shown_issue(issue))

    def _edit_issue(self, request: Request, number: str) -> Reply:
        everything: list[Issue | Pull] = [*self.issues, *self.pulls]
        one = next(one for one in everything if one.number == int(number))
        for name, value in request.body.items():
            setattr(one, name, value)
        return Reply(201, self._shown_issue(one) if isinstance(one, Issue) else {})

    def _comment(self, request: Request, number: str) -> Reply:
        self._find(number).comments.append(request.body["body"])
        return Reply(201, {"id": 1, "body": request.body["body"]})

    def _label(self, request: Request, number: str) -> Reply:
        self._find(number).labels += request.body["labels"]
        return Reply(200, [])

    def _find(self, number: str | int) -> Pull:
        return next(one for one in self.pulls if one.number == int(number))

    def _shown(self, pull: Pull) -> dict[str, Any]:
        is_gone = pull.branch_is_gone or self.branches.head(pull.branch) is None
        ref = f"refs/pull/{pull.number}/head" if is_gone else pull.branch
        head_repo = None if pull.repository_id < 0 else {"id": pull.repository_id, "full_name": REPOSITORY}
        return {
            "id": 100 + pull.number,
            "number": pull.number,
            "html_url": f"{self.url}/{REPOSITORY}/pulls/{pull.number}",
            "state": pull.state,
            "merged": pull.merged,
            "merged_at": "2026-01-01T00:00:00Z" if pull.merged else None,
            "title": pull.title,
            "body": pull.body,
            "draft": pull.title.startswith(("WIP:", "[WIP]")),
            "head": {
                "label": pull.branch,
                "ref": ref,
                "sha": self._head(pull),
                "repo_id": pull.repository_id,
                "repo": head_repo,
            },
            "base": {
                "label": pull.target,
                "ref": pull.target,
                "sha": "b" * 40,
                "repo_id": _MINE,
                "repo": {"id": _MINE},
            },
        }

    def _shown_issue(self, issue: Issue) -> dict[str, Any]:
        return {
            "id": 200 + issue.number,
            "number": issue.number,
            "html_url": f"{self.url}/{REPOSITORY}/issues/{issue.number}",
            "state": issue.state,
            "title": issue.title,
            "body": issue.body,
            "user": {"id": 2, "login": issue.author},
            "pull_request": None,
        }
