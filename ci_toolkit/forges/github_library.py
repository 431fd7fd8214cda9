"""PyGithub without its own way of talking: it makes paths and reads answers, ForgeHttp asks.

Left to itself PyGithub repeats a POST ten times, waits for a rate limit without bound, reads bodies of any size,
follows redirects, and logs what it sends. None of it sees the token here.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from github.PaginatedList import PaginatedList
from github.PullRequest import PullRequest
from github.Requester import (
    HTTPRequestsConnectionClass,
    HTTPSRequestsConnectionClass,
    Requester,
    RequestsResponse,
)

from ci_toolkit import __version__

if TYPE_CHECKING:
    from collections.abc import ItemsView, Iterator

    from github.Repository import Repository

    from ci_toolkit.effects.forge_answers import ForgeAnswer
    from ci_toolkit.effects.forge_http import ForgeHttp

API_VERSION = "2022-11-28"
PAGE = 100  # the most that GitHub gives

_SILENT = logging.getLogger(f"{__name__}.silent")
_SILENT.disabled = True  # it would write whole bodies


_MOST_PULLS = 100_000
_READ = ("number", "url", "html_url", "state", "merged_at", "title", "body")


class _Response(RequestsResponse):
    """An answer in the form that PyGithub reads."""

    def __init__(self, answer: ForgeAnswer) -> None:
        self.status = answer.status
        self.headers = answer.headers  # type: ignore[assignment]  # a mapping will do
        self._text = answer.body.decode()

    def getheaders(self) -> ItemsView[str, str]:
        return self.headers.items()

    def read(self) -> str:
        return self._text


def github_requester(http: ForgeHttp, api_url: str) -> Requester:
    """PyGithub's requester for one service, which is lazy: an object is fetched when something of it is asked for."""

    class Exchange(HTTPRequestsConnectionClass):
        def __init__(self, host: str, *_: Any, **__: Any) -> None:  # noqa: ANN401 - PyGithub's own settings
            self.host = host

        def getresponse(self) -> RequestsResponse:
            if self.host != http.host:
                raise ValueError("an answer leads to another host")
            body = self.input
            return _Response(
                http.ask(
                    self.verb,
                    self.url,
                    None if body is None else str(body).encode(),
                    headers={name: str(value) for name, value in self.headers.items()},
                )
            )

        def close(self) -> None:
            """ForgeHttp keeps its connections."""

    class SecureExchange(Exchange, HTTPSRequestsConnectionClass):  # type: ignore[misc]  # the bases differ in types alone
        pass

    class OwnRequester(Requester):
        pass

    OwnRequester.injectConnectionClasses(Exchange, SecureExchange)
    OwnRequester.injectLogger(_SILENT)
    return OwnRequester(
        auth=None,
        base_url=api_url.rstrip("/"),
        timeout=0,
        user_agent=f"ci-toolkit/{__version__}",
        per_page=PAGE,
        verify=True,
        retry=None,
        pool_size=None,
        lazy=True,
        api_version=API_VERSION,
    )


def list_pulls(repository: Repository, **query: str) -> Iterator[PullRequest]:
    """Pull requests, page by page, without what is not read of them: nine tenths of 20 kB each."""
    pulls = PaginatedList(
        PullRequest, repository.requester, f"{repository.url}/pulls", dict(query), attributesTransformer=_essence
    )
    for count, pull in enumerate(pulls):
        if count == _MOST_PULLS:
            raise ValueError("a list without end")
        yield pull


def _essence(pull: dict[str, Any]) -> dict[str, Any]:
    branches = {}
    for end in ("head", "base"):
        repository = pull[end]["repo"]
        kept = None if repository is None else {"id": repository["id"], "url": repository["url"]}
        branches[end] = {"ref": pull[end]["ref"], "sha": pull[end]["sha"], "repo": kept}
    return {name: pull[name] for name in _READ} | branches
