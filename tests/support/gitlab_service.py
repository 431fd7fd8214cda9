"""A GitLab on loopback as far as its API (v4) is asked here: merge requests, notes, issues, statuses, users; with faults.

Sources: docs.gitlab.com/api/merge_requests, /notes, /issues, /commits, /users and /rest (paging, errors). Quick actions
at the start of a line are carried out (here: written down), as the real one does.
"""

from __future__ import annotations

import json
import re
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote, urlsplit

from tests.support.http_service import Exchange, HttpService

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

TOKEN = "glpat-Canary+0123456789/secret"
PATH = "group/packages"
NUMBER = 42
_OTHER_PROJECT = 77
_WRITING = ("POST", "PUT")


@dataclass
class Wrong:
    """What goes wrong with a request whose `METHOD path` has `match` in it; `after`: only once it has been done."""

    match: str
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b'{"message":"it failed"}'
    after: bool = False
    cut: bool = False
    hang_s: float = 0.0
    times: int = -1


@dataclass
class MergeRequest:
    """One, as GitLab keeps it."""

    iid: int
    source: str
    target: str
    title: str
    description: str
    state: str = "opened"
    sha: str = ""
    labels: list[str] = field(default_factory=list)
    assignees: list[int] = field(default_factory=list)
    reviewers: list[int] = field(default_factory=list)
    removes_branch: bool = False
    source_project: int = NUMBER
    notes: list[str] = field(default_factory=list)
    pipeline: str | None = None
    auto_merge: bool = False


@dataclass
class Issue:
    """One, as GitLab keeps it."""

    iid: int
    title: str
    description: str
    author: str = "bot"
    state: str = "opened"


class GitlabService(HttpService):
    """A server for `with`; `.url` is its address. `heads` tells where a branch is, None where there is none."""

    def __init__(self, heads: Callable[[str], str | None] | None = None, *, prefix: str = "") -> None:
        super().__init__(_Exchange)
        self.url += prefix
        self.branches: dict[str, str] = {}
        self.heads = heads or self.branches.get
        self.merge_requests: list[MergeRequest] = []
        self.issues: list[Issue] = []
        self.statuses: list[tuple[str, str, str, str]] = []
        self.users = {"alice": 7, "bob": 8}
        self.commands: list[str] = []
        self.requests: list[str] = []
        self.tokens: set[str | None] = set()
        self.wrong: list[Wrong] = []
        self.page_size = 100
        self.prefix = prefix
        self._lock = threading.Lock()

    def fail(self, match: str, status: int | None = None, **what: Any) -> Wrong:
        """Let requests fail."""
        wrong = Wrong(match, status, **what)
        self.wrong.append(wrong)
        return wrong

    # What the tests of all services want of theirs.

    def add_branch(self, name: str, head: str) -> None:
        self.branches[name] = head

    def remove_branch(self, name: str) -> None:
        self.branches.pop(name, None)

    def close_by_person(self, number: int) -> None:
        self._end(self.merge_request(number), "closed")

    def merge_by_person(self, number: int) -> None:
        self._end(self.merge_request(number), "merged")

    def _end(self, one: MergeRequest, state: str) -> None:
        """What is not open keeps the commit it had, wherever its branch goes."""
        one.sha, one.state = self._sha(one), state

    def comments(self, number: int) -> list[str]:
        return self.merge_request(number).notes

    def labels(self, number: int) -> list[str]:
        return self.merge_request(number).labels

    def marks(self, commit: str) -> list[tuple[str, str, str]]:
        """Context, state (in ci-toolkit's words) and text of a commit's statuses, the newest last."""
        words = {"failed": "failure"}
        return [(name, words.get(state, state), text) for sha, name, state, text in self.statuses if sha == commit]

    def lose_next_creation(self) -> None:
        """The next review is made, and the answer is a 502."""
        self.fail("POST /projects", 502, after=True, times=1)

    def written(self) -> list[str]:
        """Requests that change something, as `METHOD path`."""
        return [request for request in self.requests if request.startswith(_WRITING)]

    def merge_request(self, number: int) -> MergeRequest:
        return next(one for one in self.merge_requests if one.iid == number)

    def open_ones(self, branch: str | None = None) -> list[MergeRequest]:
        return [one for one in self.merge_requests if one.state == "opened" and branch in (None, one.source)]

    def add_merge_request(self, source: str, **more: Any) -> MergeRequest:
        values = {"target": "main", "title": "by hand", "description": "", "sha": self.heads(source) or "", **more}
        one = MergeRequest(iid=len(self.merge_requests) + 1, source=source, **values)
        self.merge_requests.append(one)
        return one

    # The API.

    def answer(self, method: str, target: str, token: str | None, body: bytes) -> tuple[int, bytes, dict[str, str]]:
        parts = urlsplit(target)
        path = parts.path.removeprefix(f"{self.prefix}/api/v4")
        query = {key: values[-1] for key, values in parse_qs(parts.query).items()}
        with self._lock:
            self.tokens.add(token)
            self.requests.append(f"{method} {path}")
            if token != TOKEN:
                return _json(401, {"message": "401 Unauthorized"})
            fields = json.loads(body) if body else {}
            return self._route(method, path, query, fields, parts.path)

    def _route(
        self, method: str, path: str, query: dict[str, str], fields: dict[str, Any], where: str
    ) -> tuple[int, bytes, dict[str, str]]:
        if method == "GET" and path == "/users":
            number = self.users.get(query.get("username", ""))
            return _json(200, [] if number is None else [{"id": number, "username": query["username"]}])
        found = re.fullmatch(r"/projects/([^/]+)(/.*)", path)
        if found is None or unquote(found[1]) not in (PATH, str(NUMBER)):
            return _json(404, {"message": "404 Project Not Found"})
        if any(len(fields.get(name, "")) > 1_048_576 for name in ("description", "body")):
            return _json(400, {"message": "is too long (maximum is 1048576 characters)"})
        if any("\x00" in text for text in fields.values() if isinstance(text, str)):
            return _json(400, {"message": "string contains null byte"})
        return self._in_project(method, found[2], query, fields, where)

    def _in_project(
        self, method: str, rest: str, query: dict[str, str], fields: dict[str, Any], where: str
    ) -> tuple[int, bytes, dict[str, str]]:
        if rest == "/merge_requests" and method == "GET":
            return self._page([self._shown(one) for one in self._filtered(query)], query, where)
        if rest == "/merge_requests":
            return self._create(fields)
        if matched := re.fullmatch(r"/merge_requests/([0-9]+)(/notes|/merge)?", rest):
            one = next((one for one in self.merge_requests if one.iid == int(matched[1])), None)
            if one is not None:
                return self._one(method, one, matched[2], {**query, **fields})
        if matched := re.fullmatch(r"/statuses/([0-9a-f]+)", rest):
            return self._status(matched[1], fields)
        if matched := re.fullmatch(r"/issues(?:/([0-9]+))?", rest):
            return self._issue(method, int(matched[1] or 0), query, fields, where)
        return _json(404, {"error": "404 Not Found"})

    def _filtered(self, query: dict[str, str]) -> list[MergeRequest]:
        state, source = query.get("state", "all"), query.get("source_branch")
        target = query.get("target_branch")
        found = [
            one
            for one in self.merge_requests
            if state in ("all", one.state) and source in (None, one.source) and target in (None, one.target)
        ]
        # Newest first is the default.
        return found if query.get("sort") == "asc" else found[::-1]

    def _create(self, fields: dict[str, Any]) -> tuple[int, bytes, dict[str, str]]:
        source, target = fields["source_branch"], fields["target_branch"]
        if len(fields["title"]) > 255:
            return _json(400, {"message": {"title": ["is too long (maximum is 255 characters)"]}})
        mine = (one for one in self.open_ones(source) if one.source_project == NUMBER)
        there = next((one for one in mine if one.target == target), None)
        if there is not None:
            message = f"Another open merge request already exists for this source branch: !{there.iid}"
            return _json(409, {"message": [message]})
        if self.heads(source) is None:
            return _json(400, {"message": {"source_branch": [f'Source branch "{source}" does not exist.']}})
        labels = fields.get("labels", "")
        one = self.add_merge_request(
            source,
            target=target,
            title=fields["title"],
            description=self._text(fields.get("description", "")),
            labels=labels if isinstance(labels, list) else [word for word in labels.split(",") if word],
            assignees=fields.get("assignee_ids", []),
            reviewers=fields.get("reviewer_ids", []),
            removes_branch=bool(fields.get("remove_source_branch")),
        )
        return _json(201, self._shown(one))

    def _one(
        self, method: str, one: MergeRequest, what: str | None, fields: dict[str, Any]
    ) -> tuple[int, bytes, dict[str, str]]:
        if what == "/notes":
            one.notes.append(self._text(fields["body"]))
            return _json(201, {"id": len(one.notes), "body": one.notes[-1]})
        if what == "/merge":
            if fields.get("sha") != self._sha(one):
                return _json(409, {"message": "SHA does not match HEAD of source branch"})
            one.auto_merge = True
            return _json(200, self._shown(one))
        if method == "PUT":
            event = fields.get("state_event")
            if event == "reopen" and (self.heads(one.source) is None or self.open_ones(one.source)):
                return _json(422, {"message": ["Another open merge request already exists for this source branch"]})
            if event:
                one.sha = self._sha(one)
                one.state = {"close": "closed", "reopen": "opened"}[event]
            one.title = fields.get("title", one.title)
            one.description = self._text(fields["description"]) if "description" in fields else one.description
        return _json(200, self._shown(one))

    def _status(self, commit: str, fields: dict[str, Any]) -> tuple[int, bytes, dict[str, str]]:
        mark = (commit, fields["name"], fields["state"], fields.get("description", ""))
        if any(mark[:3] == other[:3] for other in self.statuses[-1:]):
            return _json(400, {"message": "Cannot transition status via :succeed from :success"})
        self.statuses.append(mark)
        return _json(201, {"id": len(self.statuses), "sha": commit, "status": fields["state"]})

    def _issue(
        self, method: str, number: int, query: dict[str, str], fields: dict[str, Any], where: str
    ) -> tuple[int, bytes, dict[str, str]]:
        if method == "GET":
            mine = [one for one in self.issues if query.get("scope") != "created_by_me" or one.author == "bot"]
            return self._page([_issue(one, self.url) for one in mine], query, where)
        if method == "POST":
            one = Issue(len(self.issues) + 1, fields["title"], self._text(fields.get("description", "")))
            self.issues.append(one)
            return _json(201, _issue(one, self.url))
        one = next(one for one in self.issues if one.iid == number)
        one.title, one.description = fields.get("title", one.title), self._text(fields["description"])
        one.state = "opened" if fields.get("state_event") == "reopen" else one.state
        return _json(200, _issue(one, self.url))

    def _text(self, text: str) -> str:
        """What stays of a text when its commands have been carried out; none are looked for in code blocks."""
        kept, fence = [], None
        for line in text.split("\n"):
            ticks = re.match(r"`{3,}", line)
            if ticks and fence is None:
                fence = ticks[0]
            elif fence is not None and line == fence:
                fence = None
            if fence is None and re.match(r"/[a-z_]+", line):
                self.commands.append(line)
            else:
                kept.append(line)
        return "\n".join(kept)

    def _sha(self, one: MergeRequest) -> str:
        head = self.heads(one.source) if one.state == "opened" else None
        return head or one.sha

    def _shown(self, one: MergeRequest) -> dict[str, Any]:
        return {
            "id": 1000 + one.iid,
            "iid": one.iid,
            "project_id": NUMBER,
            "title": one.title,
            "description": one.description,
            "state": one.state,
            "source_branch": one.source,
            "target_branch": one.target,
            "source_project_id": one.source_project,
            "target_project_id": NUMBER,
            "sha": self._sha(one),
            "web_url": f"{self.url}/{PATH}/-/merge_requests/{one.iid}",
            "labels": one.labels,
            "merge_when_pipeline_succeeds": one.auto_merge,
            "head_pipeline": {"id": 1, "status": one.pipeline} if one.pipeline else None,
        }

    def _page(self, rows: list[dict[str, Any]], query: dict[str, str], where: str) -> tuple[int, bytes, dict[str, str]]:
        size, page = min(self.page_size, int(query.get("per_page", 20))), int(query.get("page", 1))
        shown = rows[(page - 1) * size : page * size]
        headers = {"X-Page": str(page), "X-Per-Page": str(size), "X-Total": str(len(rows)), "X-Next-Page": ""}
        if page * size < len(rows):
            text = "&".join(f"{key}={value}" for key, value in {**query, "page": str(page + 1)}.items())
            headers["X-Next-Page"] = str(page + 1)
            # As a server says it that does not know its own address.
            headers["Link"] = f'<http://gitlab.internal{where}?{text}>; rel="next"'
        return _json(200, shown, headers)

    def find_fault(self, method: str, path: str) -> Wrong | None:
        with self._lock:
            for wrong in self.wrong:
                if wrong.times != 0 and wrong.match in f"{method} {path}":
                    wrong.times -= 1
                    return wrong
        return None


class _Exchange(Exchange):
    service: GitlabService

    def serve(self) -> None:
        service = self.service
        path = urlsplit(self.path).path.removeprefix(f"{service.prefix}/api/v4")
        wrong = service.find_fault(self.command, path)
        if wrong is None or wrong.after or wrong.status is None:
            reply = service.answer(self.command, self.path, self.headers.get("PRIVATE-TOKEN"), self.body)
        else:
            service.requests.append(f"{self.command} {path}")
        if wrong is not None:
            service.wait(wrong.hang_s)
            if wrong.status is not None:
                reply = (wrong.status, wrong.body, {"Content-Type": "application/json", **wrong.headers})
        self.send(*reply, truncated=wrong is not None and wrong.cut)


def _issue(one: Issue, url: str) -> dict[str, Any]:
    return {
        "id": 2000 + one.iid,
        "iid": one.iid,
        "title": one.title,
        "description": one.description,
        "state": one.state,
        "web_url": f"{url}/{PATH}/-/issues/{one.iid}",
    }


def _json(status: int, value: object, more: Mapping[str, str] | None = None) -> tuple[int, bytes, dict[str, str]]:
    return status, json.dumps(value).encode(), {"Content-Type": "application/json", **(more or {})}
