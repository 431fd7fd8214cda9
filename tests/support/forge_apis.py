"""The HTTP APIs of GitHub (GraphQL and REST), GitLab and Gitea, as far as they are asked, with their limits.

Paths are those of installations of one's own (`/api/graphql`, `/api/v3`, `/api/v4`, `/api/v1`), all on one address.
Heads come from the very repositories that git serves. Sources: docs.github.com/graphql and /rest/releases,
docs.gitlab.com/api/tags and /api/rest (paging), docs.gitea.com/api (v1.22).
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from email.message import Message

    Reply = tuple[int, bytes, dict[str, str]]

_QUERY = re.compile(r"query\((?P<declared>[^()]*)\)\{(?P<fields>.*)\}", re.DOTALL)
_REF = re.compile(r"(\w+):(defaultBranchRef|ref\(qualifiedName:\$\w+\))\{target\{oid\}\}")
_REPOSITORY = re.compile(
    r"(\w+):repository\(owner:\$(\w+),name:\$(\w+)\)\{id ((?:\w+:[\w():$]+\{target\{oid\}\} ?)*)\}"
)


@dataclass
class Release:
    """A release at any of the three; each sends the flags that it knows."""

    tag: str
    draft: bool = False
    prerelease: bool = False
    upcoming: bool = False


@dataclass
class GitlabProject:
    """Tags as name and commit, newest first."""

    path: str
    tags: list[tuple[str, str]] = field(default_factory=list)
    releases: list[Release] = field(default_factory=list)
    clone_url: str | None = None

    def row(self, host: str) -> dict[str, Any]:
        """What the API tells of the project itself."""
        return {
            "path_with_namespace": self.path,
            "http_url_to_repo": self.clone_url or f"http://{host}/{self.path}.git",
        }


@dataclass
class ForgeApis:
    """What is there, and what was seen: `authorizations` holds host, path and header of each request that had one.

    `limit` is how requests beyond a rate limit are answered: 403 or 429 as REST does, 200 as GraphQL does.
    """

    refs_of: Callable[[str], dict[str, str] | None]
    token: str | None = None
    limit: int | None = None
    page_size: int = 100
    gitlab: dict[int, GitlabProject] = field(default_factory=dict)
    releases: dict[str, list[Release]] = field(default_factory=dict)
    forbidden: set[str] = field(default_factory=set)
    authorizations: list[tuple[str, str, str]] = field(default_factory=list)
    queries: list[dict[str, Any]] = field(default_factory=list)

    def answer(self, method: str, target: str, headers: Message[str, str], body: bytes) -> Reply:
        """The answer to one request."""
        authorization = headers.get("Authorization")
        if authorization is not None:
            self.authorizations.append((headers.get("Host", ""), urlsplit(target).path, authorization))
        if authorization is not None and authorization.split(" ")[-1] != self.token:
            return _json(401, {"message": "Bad credentials", "documentation_url": "https://docs.github.com/rest"})
        if self.limit is not None:
            return self._limited(self.limit)
        if urlsplit(target).path == "/api/graphql":
            return self._graphql(method, authorization, body)
        return self._rest(target, headers)

    def _limited(self, status: int) -> Reply:
        if status == 200:
            return _json(200, {"errors": [{"type": "RATE_LIMITED", "message": "API rate limit exceeded"}]})
        headers = {"Retry-After": "60", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "4000000000"}
        return _json(status, {"message": "API rate limit exceeded"}, headers)

    def _graphql(self, method: str, authorization: str | None, body: bytes) -> Reply:
        if method != "POST":
            return _json(404, {"message": "Not Found"})
        if authorization is None:
            return _json(401, {"message": "This endpoint requires you to be authenticated."})
        request = json.loads(body)
        self.queries.append(request)
        query = _QUERY.fullmatch(request["query"])
        declared = set(re.findall(r"\$(\w+):String!", query["declared"])) if query else set()
        rest = _REPOSITORY.sub("", query["fields"]).strip() if query else "everything"
        used = set(re.findall(r"\$(\w+)", query["fields"])) if query else set()
        if rest or used != declared or declared != set(request["variables"]):
            return _json(200, {"errors": [{"message": f"Parse error on {rest!r}"}]})
        data: dict[str, Any] = {}
        errors = []
        for alias, owner, name, fields in _REPOSITORY.findall(query["fields"] if query else ""):
            path = f"{request['variables'][owner]}/{request['variables'][name]}"
            refs = self.refs_of(f"/{path}.git")
            kind = "FORBIDDEN" if path in self.forbidden else "NOT_FOUND" if refs is None else None
            if kind or refs is None:
                message = f"Could not resolve to a Repository with the name '{path}'."
                errors.append({"type": kind, "path": [alias], "message": message})
                data[alias] = None
            else:
                data[alias] = {"id": "R_x", **_refs(fields, refs, request["variables"])}
        return _json(200, {"data": data, **({"errors": errors} if errors else {})})

    def _rest(self, target: str, headers: Message[str, str]) -> Reply:
        path = urlsplit(target).path
        if found := re.fullmatch(r"/api/v3/repos/([^/]+/[^/]+)/releases", path):
            rows = self._releases(found[1], lambda one: {"draft": one.draft, "prerelease": one.prerelease})
            return _page(rows, target, headers, default=30, most=100, size_key="per_page")
        if found := re.fullmatch(r"/api/v1/repos/([^/]+/[^/]+)/releases", path):
            rows = self._releases(found[1], lambda one: {"draft": one.draft, "prerelease": one.prerelease})
            return _page(rows, target, headers, default=30, most=50, size_key="limit")
        if found := re.fullmatch(r"/api/v4/projects/([0-9]+)/(repository/tags|releases)", path):
            project = self.gitlab.get(int(found[1]))
            return _page(
                None if project is None else _gitlab_rows(project, found[2], headers["Host"]),
                target,
                headers,
                default=20,
                most=100,
                size_key="per_page",
                counts_pages=True,
            )
        if found := re.fullmatch(r"/api/v4/projects/([0-9]+)", path):
            one = self.gitlab.get(int(found[1]))
            return (
                _json(404, {"message": "404 Project Not Found"})
                if one is None
                else _json(200, one.row(headers["Host"]))
            )
        return _json(404, {"message": "404 Not Found"})

    def _releases(self, path: str, flags: Callable[[Release], dict[str, bool]]) -> list[dict[str, Any]] | None:
        if self.refs_of(f"/{path}.git") is None:
            return None
        return [{"tag_name": one.tag, "name": one.tag, **flags(one)} for one in self.releases.get(path, [])]


def _refs(fields: str, refs: Mapping[str, str], variables: Mapping[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for alias, what in _REF.findall(fields):
        name = "HEAD" if what == "defaultBranchRef" else variables[re.findall(r"\$(\w+)", what)[0]]
        found[alias] = {"target": {"oid": refs[name]}} if name in refs else None
    return found


def _gitlab_rows(project: GitlabProject, what: str, host: str) -> list[dict[str, Any]]:
    if what == "releases":
        return [{"tag_name": one.tag, "name": one.tag, "upcoming_release": one.upcoming} for one in project.releases]
    page = f"http://{host}/{project.path}/-/commit/"
    return [
        {"name": name, "message": "", "protected": False, "commit": {"id": oid, "web_url": f"{page}{oid}"}}
        for name, oid in project.tags
    ]


def _page(
    rows: list[dict[str, Any]] | None,
    target: str,
    headers: Message[str, str],
    *,
    default: int,
    most: int,
    size_key: str,
    counts_pages: bool = False,
) -> Reply:
    """One page of a list, with `Link`, and `X-Next-Page` where a service has it; 304 for what the client knows."""
    if rows is None:
        return _json(404, {"message": "Not Found"})
    parts = urlsplit(target)
    asked = {key: values[-1] for key, values in parse_qs(parts.query).items()}
    size, page = min(most, int(asked.get(size_key, default))), int(asked.get("page", 1))
    shown = rows[(page - 1) * size : page * size]
    more = {"X-Total-Count": str(len(rows))}
    if page * size < len(rows):
        query = "&".join(f"{key}={value}" for key, value in {**asked, "page": str(page + 1)}.items())
        more["Link"] = f'<http://{headers["Host"]}{parts.path}?{query}>; rel="next"'
    if counts_pages:
        more["X-Next-Page"] = str(page + 1) if "Link" in more else ""
    tag = f'W/"{hashlib.sha256(json.dumps(shown).encode()).hexdigest()[:16]}"'
    if headers.get("If-None-Match") == tag:
        return 304, b"", {"ETag": tag}
    return _json(200, shown, {**more, "ETag": tag})


def _json(status: int, value: object, more: Mapping[str, str] | None = None) -> Reply:
    return status, json.dumps(value).encode(), {"Content-Type": "application/json; charset=utf-8", **(more or {})}


def numbered_tags(count: int, *, first: int = 0) -> Iterable[tuple[str, str]]:
    """Tags `v1.<number>`, newest first, each with a commit of its own."""
    return ((f"v1.{number}", f"{number + 1:040x}") for number in reversed(range(first, first + count)))
