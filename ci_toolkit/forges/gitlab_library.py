"""python-gitlab without its own way of talking: it makes addresses and reads answers, ForgeHttp asks.

Left to itself python-gitlab waits for a rate limit ten times, reads bodies of any size and follows redirects. None of
it sees the token here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import gitlab
import requests

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ci_toolkit.effects.forge_http import ForgeHttp

_REPEATABLE = ("GET", "PUT")


class GitlabExchange(requests.Session):
    """A session as far as python-gitlab uses one. ValueError for an address that is not below the service's own."""

    def __init__(self, http: ForgeHttp) -> None:
        super().__init__()
        self._http = http

    def request(  # type: ignore[override]  # only what python-gitlab hands over is taken
        self,
        method: str,
        url: str,
        *,
        params: Mapping[str, Any] | None = None,
        json: Any = None,  # noqa: ANN401 - the name and type in the base
        **_: Any,  # noqa: ANN401 - headers, credentials and limits are ForgeHttp's business
    ) -> requests.Response:
        """The answer of a request, which is repeated where asking twice leaves things as asking once does."""
        method = method.upper()
        whole = requests.Request(method, url, params=params).prepare().url or ""
        if not whole.startswith(f"{self._http.url}/"):
            raise ValueError("an answer leads to another address")
        path = whole.removeprefix(self._http.origin)
        # A merge may be on its way when its answer is lost.
        again = method in _REPEATABLE and not path.partition("?")[0].endswith("/merge")
        answer = self._http.ask_json(method, path, json, is_repeatable=again)
        response = requests.Response()
        response.status_code = answer.status
        response.headers = requests.structures.CaseInsensitiveDict(answer.headers)
        response._content = answer.body  # noqa: SLF001 - there is no other way to fill one
        return response


def gitlab_api(http: ForgeHttp) -> gitlab.Gitlab:
    """python-gitlab for the service that `http` asks."""
    # A proxy or a wrong external_url in front of it changes addresses in answers; the token goes to none.
    return gitlab.Gitlab(http.url, session=GitlabExchange(http), keep_base_url=True)
