"""GitHub on a loopback socket, as far as it is asked; its answers have the shape of the examples that GitHub publishes."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.support.branches import UNTOLD, Branches
from tests.support.github_description import github_description
from tests.support.http_service import JsonService, Reply, Request, paged, routes

if TYPE_CHECKING:
    from collections.abc import Callable

REPOSITORY = "Owner/packages"
LONGEST_TITLE = 256
LONGEST_BODY = 65_536
_PULLS = "/repos/{owner}/{repo}/pulls"
_ISSUES = "/repos/{owner}/{repo}/issues"
_PREFIX = "/api/v3"


@dataclass
class Pull:
    """A pull request; `owner_and_name` says where its branch lies, None when that is gone.

    `head` is its commit where that does not move with the branch, as with closed ones; `seen` the last one it had.
    """

    number: int
    branch: str
    target: str = "main"
    title: str = "title"
    body: str | None = "body"
    state: str = "open"
    merged: bool = False
    draft: bool = False
    head: str | None = None
    seen: str = UNTOLD
    owner_and_name: str | None = REPOSITORY
    repository_id: int = 1
    labels: list[str] = field(default_factory=list)
    assignees: list[str] = field(default_factory=list)
    reviewers: list[str] = field(default_factory=list)
    teams: list[str] = field(default_factory=list)
    comments: list[str] = field(default_factory=list)
    auto_merge: tuple[str, str] | None = None
    may_reopen: bool = True


@dataclass
class Issue:
    """An issue."""

    number: int
    author: str
    title: str
    body: str
    state: str = "open"
    labels: list[str] = field(default_factory=list)


class GithubService(JsonService):
    """One repository; `prefix` is `/api/v3` for a GitHub of one's own and empty for the public one."""

    def __init__(self, token: str, *, prefix: str = "", heads: Callable[[str], str | None] | None = None) -> None:
        super().__init__()
        self.token = token
        self.branches = Branches(heads)
        self.prefix = prefix
        self.login = "bot"
        self.pulls: list[Pull] = []
        self.issues: list[Issue] = []
        self.statuses: list[tuple[str, dict[str, Any]]] = []
        self.allows_drafts = True
        self.allows_auto_merge = True
        self.methods = {"MERGE"}
        self.is_clean = False
        self.checks: str | None = None
        self.page_size = 100
        self.reads_filters = True

    @property
    def api_url(self) -> str:
        """What the client is given."""
        return self.url + self.prefix

    def pull(self, branch: str, **what: Any) -> Pull:
        """Add a pull request."""
        self.pulls.append(Pull(self._next_number(), branch, **what))
        return self.pulls[-1]

    # What the tests of all services want of theirs.

    def add_branch(self, name: str, head: str) -> None:
        self.branches.put(name, head)

    def remove_branch(self, name: str) -> None:
        self._look_at_branches()
        self.branches.remove(name)

    def close_by_person(self, number: int) -> None:
        self._end(self._known(number), merged=False)

    def merge_by_person(self, number: int) -> None:
        self._end(self._known(number), merged=True)

    def comments(self, number: int) -> list[str]:
        return self._known(number).comments

    def labels(self, number: int) -> list[str]:
        return self._known(number).labels

    def marks(self, commit: str) -> list[tuple[str, str, str]]:
        return [(said["context"], said["state"], said["description"]) for sha, said in self.statuses if sha == commit]

    def lose_next_creation(self) -> None:
        """The next review is made, and the answer is a 502."""
        self.fail("POST .*/pulls", 502, acts=True, times=1)

    def _known(self, number: int) -> Pull:
        return next(one for one in self.pulls if one.number == number)

    def _end(self, pull: Pull, *, merged: bool) -> None:
        """What is not open keeps the commit it had, wherever its branch goes."""
        pull.head, pull.state, pull.merged = self._head(pull), "closed", merged

    def _head(self, pull: Pull) -> str:
        is_own = pull.owner_and_name == REPOSITORY and pull.repository_id == 1
        return pull.head or (self.branches.head(pull.branch) if is_own else None) or pull.seen

    def _look_at_branches(self) -> None:
        """GitHub closes what has lost its branch."""
        for pull in self.pulls:
            if pull.state == "open" and pull.owner_and_name == REPOSITORY and pull.repository_id == 1:
                pull.seen = self._head(pull)
                if self.branches.head(pull.branch) is None:
                    self._end(pull, merged=False)

    def faults_of_requests(self) -> list[str]:
        """What GitHub's description says against the requests so far."""
        plain = [
            Request(one.method, one.path.removeprefix(self.prefix), one.query, one.headers, one.body)
            for one in self.requests
        ]
        return [
            fault
            for one in plain
            if one.path not in ("/graphql", "/api/graphql")
            for fault in github_description().faults(one)
        ]

    def answer(self, request: Request) -> Reply:
        if request.headers.get("Authorization") != f"bearer {self.token}":
            return Reply(401, {"message": "Bad credentials", "status": "401"})
        if self.prefix and not request.path.startswith((self.prefix, "/api/graphql")):
            return Reply(404, b"<html>the web page</html>", {"Content-Type": "text/html"})
        self._look_at_branches()
        inner = Request(
            request.method, request.path.removeprefix(self.prefix), request.query, request.headers, request.body
        )
        here = f"/repos/{REPOSITORY}"
        return routes(
            {
                f"GET {here}/pulls": self._list_pulls,
                f"POST {here}/pulls": self._create_pull,
                f"PATCH {here}/pulls/([0-9]+)": self._edit_pull,
                f"PUT {here}/pulls/([0-9]+)/merge": self._merge,
                f"POST {here}/pulls/([0-9]+)/requested_reviewers": self._ask_reviewers,
                f"POST {here}/issues": self._create_issue,
                f"PATCH {here}/issues/([0-9]+)": self._edit_issue,
                f"POST {here}/issues/([0-9]+)/comments": self._comment,
                f"POST {here}/issues/([0-9]+)/labels": self._label,
                f"POST {here}/issues/([0-9]+)/assignees": self._assign,
                f"POST {here}/statuses/([0-9a-f]+)": self._set_status,
                "POST (?:/api)?/graphql": self._graphql,
            },
            inner,
        )

    def _next_number(self) -> int:
        return 1 + len(self.pulls) + len(self.issues)

    def _list_pulls(self, request: Request) -> Reply:
        query = request.query
        owner, _, branch = query.get("head", "").partition(":") if self.reads_filters else ("", "", "")
        rows = [
            pull
            for pull in self.pulls
            if query.get("state", "open") in ("all", pull.state)
            # As GitHub does: a filter without an owner is none.
            and (not branch or ((pull.owner_and_name or "").partition("/")[0] == owner and pull.branch == branch))
        ]
        if query.get("direction", "desc") == "desc":
            rows.reverse()
        page, following = paged(rows, request, self.api_url, size_key="per_page", most=self.page_size)
        headers = {"Link": f'<{following}>; rel="next", <{following}>; rel="last"'} if following else {}
        return Reply(200, [self._shown(pull, "get", 200) for pull in page], headers)

    def _create_pull(self, request: Request) -> Reply:
        wanted = request.body
        if (fault := _too_long(wanted)) is not None:
            return fault
        if self.branches.head(wanted["head"]) is None:
            return Reply(422, {"message": "Validation Failed", "errors": [{"field": "head", "code": "invalid"}]})
        key = (wanted["head"], wanted["base"], "open")
        if any((one.branch, one.target, one.state) == key and one.repository_id == 1 for one in self.pulls):
            return _invalid(f"A pull request already exists for {REPOSITORY.partition('/')[0]}:{wanted['head']}.")
        if wanted.get("draft") and not self.allows_drafts:
            return Reply(422, {"message": "Draft pull requests are not supported in this repository."})
        pull = self.pull(
            wanted["head"],
            target=wanted["base"],
            title=wanted["title"],
            body=wanted.get("body"),
            draft=wanted.get("draft", False),
        )
        return Reply(201, self._shown(pull, "post", 201))

    def _edit_pull(self, request: Request, number: str) -> Reply:
        pull = self._find(number)
        if pull is None:
            return Reply(404, {"message": "Not Found"})
        if (fault := _too_long(request.body)) is not None:
            return fault
        wanted = request.body.get("state", pull.state)
        if wanted == "open" and pull.state != "open":
            # No branch of these tests ever moves forwards: what moves was made anew.
            has_moved = self.branches.is_told(pull.branch) and self.branches.head(pull.branch) != pull.head
            if has_moved or not pull.may_reopen:
                return _invalid("state cannot be changed. The branch was force-pushed or recreated.")
            pull.head = None if self.branches.is_told(pull.branch) else pull.head
        if wanted == "closed" and pull.state == "open":
            self._end(pull, merged=False)
        for name, value in request.body.items():
            setattr(pull, name, value)
        return Reply(200, self._shown(pull, "post", 201))

    def _merge(self, request: Request, number: str) -> Reply:
        pull = self._find(number)
        if pull is None or request.body.get("sha") != self._head(pull):
            return Reply(409, {"message": "Head branch was modified. Review and try the merge again."})
        self._end(pull, merged=True)
        return Reply(200, github_description().example("put", f"{_PULLS}/{{pull_number}}/merge"))

    def _ask_reviewers(self, request: Request, number: str) -> Reply:
        pull = self._find(number)
        if pull is None:
            return Reply(404, {"message": "Not Found"})
        pull.reviewers += request.body.get("reviewers", [])
        pull.teams += request.body.get("team_reviewers", [])
        return Reply(201, self._shown(pull, "get", 200))

    def _create_issue(self, request: Request) -> Reply:
        wanted = request.body
        if (fault := _too_long(wanted)) is not None:
            return fault
        issue = Issue(self._next_number(), self.login, wanted["title"], wanted["body"], labels=wanted["labels"])
        self.issues.append(issue)
        return Reply(201, self._shown_issue(issue))

    def _edit_issue(self, request: Request, number: str) -> Reply:
        issue = next(one for one in self.issues if one.number == int(number))
        for name, value in request.body.items():
            setattr(issue, name, value)
        return Reply(200, self._shown_issue(issue))

    def _comment(self, request: Request, number: str) -> Reply:
        pull = self._find(number)
        if pull is None:
            return Reply(404, {"message": "Not Found"})
        if (fault := _too_long(request.body)) is not None:
            return fault
        pull.comments.append(request.body["body"])
        return Reply(201, github_description().example("post", f"{_ISSUES}/{{issue_number}}/comments", 201))

    def _label(self, request: Request, number: str) -> Reply:
        pull = self._find(number)
        if pull is not None:
            pull.labels += request.body["labels"]
        return Reply(200, github_description().example("post", f"{_ISSUES}/{{issue_number}}/labels"))

    def _assign(self, request: Request, number: str) -> Reply:
        pull = self._find(number)
        if pull is not None:
            pull.assignees += request.body["assignees"]
        return Reply(201, github_description().example("post", f"{_ISSUES}/{{issue_number}}/assignees", 201))

    def _set_status(self, request: Request, commit: str) -> Reply:
        self.statuses.append((commit, request.body))
        return Reply(201, github_description().example("post", "/repos/{owner}/{repo}/statuses/{sha}", 201))

    def _graphql(self, request: Request) -> Reply:
        query, variables = request.body["query"], request.body["variables"]
        if "viewer{login}" in query:
            return _data({"viewer": {"login": self.login}})
        if "enablePullRequestAutoMerge(" in query:
            return self._enable_auto_merge(variables["input"])
        if f"{variables['owner']}/{variables['name']}" != REPOSITORY:
            return _graphql_error("NOT_FOUND", "Could not resolve to a Repository")
        return _data(
            {"repository": self._graphql_issues(variables) if "issues(" in query else self._graphql_pull(variables)}
        )

    def _graphql_issues(self, variables: dict[str, Any]) -> dict[str, Any]:
        rows = [one for one in self.issues if variables["creator"] in (None, one.author)]
        start = int(variables["after"] or 0)
        nodes = [
            {
                "number": one.number,
                "url": f"{self.url}/{REPOSITORY}/issues/{one.number}",
                "title": one.title,
                "body": one.body,
                "state": one.state.upper(),
                "viewerDidAuthor": one.author == self.login,
                "author": {"login": one.author.removesuffix("[bot]")},
            }
            for one in rows[start : start + self.page_size]
        ]
        has_next = start + self.page_size < len(rows)
        info = {"hasNextPage": has_next, "endCursor": str(start + self.page_size)}
        return {"issues": {"nodes": nodes, "pageInfo": info}}

    def _graphql_pull(self, variables: dict[str, Any]) -> dict[str, Any]:
        pull = self._find(variables["number"])
        if pull is None:
            return {"pullRequest": None}
        commit = {"oid": self._head(pull), "statusCheckRollup": {"state": self.checks} if self.checks else None}
        return {
            "autoMergeAllowed": self.allows_auto_merge,
            **{
                f"{name.lower()}{'Commit' if name == 'MERGE' else 'Merge'}Allowed": name in self.methods
                for name in ("MERGE", "REBASE", "SQUASH")
            },
            "pullRequest": {
                "id": f"PR_{pull.number}",
                "headRefOid": self._head(pull),
                "commits": {"nodes": [{"commit": commit}]},
            },
        }

    def _enable_auto_merge(self, wanted: dict[str, Any]) -> Reply:
        pull = self._find(wanted["pullRequestId"].removeprefix("PR_"))
        if pull is None or self._head(pull) != wanted["expectedHeadOid"]:
            return _graphql_error("UNPROCESSABLE", "Head sha did not match")
        if self.is_clean:
            return _graphql_error("UNPROCESSABLE", "Pull request Pull request is in clean status")
        pull.auto_merge = (wanted["expectedHeadOid"], wanted["mergeMethod"])
        return _data({"enablePullRequestAutoMerge": {"clientMutationId": None}})

    def _find(self, number: str | int) -> Pull | None:
        return next((one for one in self.pulls if one.number == int(number)), None)

    def _shown(self, pull: Pull, method: str, status: int) -> dict[str, Any]:
        """A pull request in the shape of GitHub's example."""
        example = github_description().example(method, _PULLS, status)
        shown = self._here(example[0] if isinstance(example, list) else example)
        shown |= {
            "number": pull.number,
            "title": pull.title,
            "body": pull.body,
            "state": pull.state,
            "draft": pull.draft,
        }
        shown["url"] = f"{self.api_url}/repos/{REPOSITORY}/pulls/{pull.number}"
        shown["html_url"] = f"{self.url}/{REPOSITORY}/pull/{pull.number}"
        shown["merged_at"] = "2026-01-01T00:00:00Z" if pull.merged else None
        shown["head"] |= {
            "ref": pull.branch,
            "sha": self._head(pull),
            "label": f"{(pull.owner_and_name or '?').partition('/')[0]}:{pull.branch}",
        }
        shown["base"]["ref"] = pull.target
        shown["base"]["repo"] |= {"id": 1, "full_name": REPOSITORY}
        if pull.owner_and_name is None:
            shown["head"]["repo"] = None
        else:
            shown["head"]["repo"] |= {"id": pull.repository_id, "full_name": pull.owner_and_name}
        return shown

    def _shown_issue(self, issue: Issue) -> dict[str, Any]:
        shown = self._here(github_description().example("post", _ISSUES, 201))
        html = f"{self.url}/{REPOSITORY}/issues/{issue.number}"
        return shown | {
            "number": issue.number,
            "title": issue.title,
            "body": issue.body,
            "state": issue.state,
            "html_url": html,
        }

    def _here(self, example: dict[str, Any]) -> dict[str, Any]:
        value: dict[str, Any] = json.loads(json.dumps(example).replace("https://api.github.com", self.api_url))
        return value


def _too_long(wanted: dict[str, Any]) -> Reply | None:
    for name, most in (("title", LONGEST_TITLE), ("body", LONGEST_BODY)):
        if len(wanted.get(name) or "") > most:
            return _invalid(f"{name} is too long (maximum is {most} characters)")
    return None


def _invalid(message: str) -> Reply:
    errors = [{"resource": "PullRequest", "code": "custom", "message": message}]
    return Reply(422, {"message": "Validation Failed", "errors": errors, "status": "422"})


def _data(value: dict[str, Any]) -> Reply:
    return Reply(200, {"data": value})


def _graphql_error(kind: str, message: str) -> Reply:
    return Reply(200, {"data": None, "errors": [{"type": kind, "path": ["x"], "message": message}]})
