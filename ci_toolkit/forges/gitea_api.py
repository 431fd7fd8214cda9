"""Requests to the REST API of Gitea and Forgejo, and its answers as values.

Source: docs.gitea.com/api (v1.22), forgejo.org/docs, "API usage"; what they leave open was read in Gitea's routers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from ci_toolkit.effects.forge_answers import ForgeHttpError
from ci_toolkit.forges.asking import with_plain_lines
from ci_toolkit.forges.client import ForgeIssue, ForgeReview
from ci_toolkit.model.names import Oid, is_oid

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ci_toolkit.effects.forge_http import ForgeHttp

READ_REPOSITORY = "read:repository"
WRITE_REPOSITORY = "write:repository"
WRITE_ISSUE = "write:issue"
READ_USER = "read:user and read:issue"

# The prefix of a title that makes a draft, unless the service was set up with other ones.
DRAFT_PREFIX = "WIP: "
_PAGE = 50  # what a service gives at most unless it was set up otherwise
_MOST_PAGES = 5_000


@dataclass(frozen=True, slots=True, kw_only=True)
class GiteaApi:
    """Requests on one repository; paths are below it."""

    http: ForgeHttp
    owner: str
    name: str

    def get(self, path: str, **query: str | int) -> Any:  # noqa: ANN401 - JSON, checked by who reads it
        """The value of an answer."""
        return self.http.ask_json("GET", self.path(path, query)).json()

    def get_user(self) -> Any:  # noqa: ANN401 - JSON, checked by who reads it
        """The token's own user."""
        return self.http.ask_json("GET", f"{self.http.prefix}/user").json()

    def send(self, method: str, path: str, value: object) -> Any:  # noqa: ANN401 - JSON, checked by who reads it
        """The value of an answer to a write, None when it is empty."""
        answer = self.http.ask_json(method, self.path(path, {}), value)
        return answer.json() if answer.body else None

    def rows(self, path: str, **query: str) -> Iterator[Any]:
        """All rows of a list."""
        pages = Pages(self, path, **query)
        while not pages.is_done:
            yield from pages.following()

    def path(self, path: str, query: Mapping[str, str | int]) -> str:
        """The whole path, with its query."""
        asked = f"?{urlencode(query)}" if query else ""
        return f"{self.http.prefix}/repos/{self.owner}/{self.name}{quote(path)}{asked}"


class Pages:
    """A list, page by page. A page that could not be had is asked for again by the next call."""

    def __init__(self, api: GiteaApi, path: str, **query: str) -> None:
        self._api = api
        self._path = path
        self._query = query
        self._number = 1
        self._seen = 0
        self.is_done = False

    def following(self) -> list[Any]:
        """The rows of the next page; it is the last one when it is empty, or when all rows have been seen.

        A service may give fewer rows a page than it was asked for, so a short page says nothing.
        """
        if self._number > _MOST_PAGES:
            raise ValueError("a list without end")
        asked: dict[str, str | int] = {**self._query, "page": self._number, "limit": _PAGE}
        answer = self._api.http.ask_json("GET", self._api.path(self._path, asked))
        rows = answer.json()
        if not isinstance(rows, list):
            raise TypeError("no page of a list")
        self._number += 1
        self._seen += len(rows)
        total = answer.headers.get("X-Total-Count", "")
        self.is_done = not rows or (total.isascii() and total.isdigit() and self._seen >= int(total))
        return rows


def is_own(pull: Mapping[str, Any]) -> bool:
    """Whether its branch lies in the project itself; that of a fork that is gone has the number -1."""
    return bool(pull["head"]["repo_id"] == pull["base"]["repo_id"])


def branch_of(pull: Mapping[str, Any]) -> str:
    """The name of its branch: once that is gone, `ref` is `refs/pull/<number>/head`, and `label` still is the name."""
    return str(pull["head"]["label"])


def read_review(pull: Mapping[str, Any]) -> ForgeReview:
    """A pull request; its title is without the prefix that makes a draft.

    What is told as the commit of a closed one is where its branch is now (services/convert), so that has no `head`.
    """
    is_open = pull["state"] == "open"
    head = str(pull["head"]["sha"])
    return ForgeReview(
        number=int(pull["number"]),
        url=str(pull["html_url"]),
        branch=branch_of(pull),
        target=str(pull["base"]["ref"]),
        status="merged" if pull["merged"] else "open" if is_open else "closed",
        title=str(pull["title"]).removeprefix(DRAFT_PREFIX),
        body=with_plain_lines(pull["body"]),
        head=Oid(head) if is_open and is_oid(head) else None,
    )


def shown_head(api: GiteaApi, number: int) -> Oid | None:
    """The commit that a pull request shows: a closed one is not moved when its branch is. None when that is gone."""
    ref = f"refs/pull/{number}/head"
    try:
        answer = api.get(f"/git/{ref}")
    except ForgeHttpError as error:
        if error.status != 404:
            raise
        return None
    found = answer if isinstance(answer, list) else [answer]
    head = next((str(one["object"]["sha"]) for one in found if one["ref"] == ref), "")
    return Oid(head) if is_oid(head) else None


def branch_head(pull: Mapping[str, Any]) -> str | None:
    """Where a pull request's branch is now, None when there is none any more."""
    is_gone = str(pull["head"]["ref"]).startswith("refs/")
    return None if is_gone else str(pull["head"]["sha"])


def read_issue(issue: Mapping[str, Any]) -> ForgeIssue:
    """An issue."""
    return ForgeIssue(
        number=int(issue["number"]),
        url=str(issue["html_url"]),
        title=str(issue["title"]),
        body=with_plain_lines(issue["body"]),
        is_open=issue["state"] == "open",
    )


def gitea_hint(error: ForgeHttpError, permission: str) -> str | None:
    """The remedy for 401, 403, 404 and 423 when what was asked for needs `permission`; None where none is known."""
    match error.status:
        case 401:
            return "the token is wrong, expired or revoked"
        case 403:
            return f"the token needs the scope {permission}, and its user the right to write to the project"
        case 404:
            return f"there is no such thing, or the token may not see it: it needs the scope {permission}"
        case 423:
            return "the project is archived"
        case _:
            return None
