"""HTTP to a service of the owner's own: the one that shows reviews, or a build farm.

It is the only place where its token is put into a request.

Other than upstreams, the service is the owner's own choice: it may lie on a private address, and it is written to. What
may be asked twice is repeated after a fault; a write is repeated only when the service has refused it for its rate
limit, which it does before it acts. Redirects are not followed: a moved project is for people to look at, and a token
stays where it was meant to go.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import requests
import urllib3
from requests.adapters import HTTPAdapter

from ci_toolkit import __version__
from ci_toolkit.effects.forge_answers import NO_HEADERS, ForgeAnswer, ForgeHttpError, refusal
from ci_toolkit.effects.http_trouble import WithoutRedirects, growing_wait_s, trouble
from ci_toolkit.errors import ConfigError
from ci_toolkit.formats.service_url import is_loopback

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ci_toolkit.effects.clock import Clock
    from ci_toolkit.effects.token import Token

_PASSING = frozenset({500, 502, 503, 504})
_CHUNK = 1 << 16


@dataclass(frozen=True, slots=True, kw_only=True)
class ForgeManners:
    """How the service is treated; times are seconds.

    `timeout_s` limits a silence, `answer_limit_s` a whole answer; `longest_wait_s` is the longest time that one answer
    may make us wait, `most_waiting_s` that of all of them, `run_limit_s` the time for everything; `write_pause_s` lies
    between two writes. `unencrypted`: the
    token may go over `http://` to another machine than this one.
    """

    timeout_s: float = 30.0
    answer_limit_s: float = 120.0
    limit_bytes: int = 32 << 20
    attempts: int = 3
    backoff_s: float = 1.0
    longest_wait_s: float = 60.0
    most_waiting_s: float = 600.0
    run_limit_s: float = 3_600.0
    write_pause_s: float = 0.0
    unencrypted: bool = False


class ForgeHttp:
    """Asks one service, one request at a time. Not for use from several threads."""

    def __init__(
        self,
        *,
        url: str,
        token: Token,
        secret: Mapping[str, str],
        ca: str | None,
        clock: Clock,
        manners: ForgeManners,
        ca_key: str = "CI_FORGE_CA",
    ) -> None:
        """`url` is that of the API, `secret` the header that holds the token, `ca` a file of certificates to trust.

        ConfigError when one cannot be used. `ca_key` is what that file is set with.
        """
        parts = urlsplit(url)
        if parts.scheme not in ("https", "http") or not parts.hostname or "@" in parts.netloc or parts.query:
            raise ConfigError("is no address of an API", got=token.hidden_in(url), hint="write https://host/path")
        if parts.scheme == "http" and not manners.unencrypted and not is_loopback(parts.hostname):
            raise ConfigError("is not encrypted, and a token would be sent to it", got=url, hint="write https://")
        if ca is not None and not Path(ca).is_file():
            raise ConfigError("is no file of certificates", got=ca)
        self.host = parts.hostname
        self.prefix = parts.path.rstrip("/")
        self.requests = 0
        self.origin = f"{parts.scheme}://{parts.netloc.lower()}"
        self.url = f"{self.origin}{self.prefix}"
        self._token = token
        self._secret = dict(secret)
        self._verify: str | bool = ca or True
        self._ca_key = ca_key
        self._clock = clock
        self._manners = manners
        self._waited_s = 0.0
        self._next_write = 0.0
        self._ends = clock.monotonic() + manners.run_limit_s
        self._session = _session()

    def close(self) -> None:
        """Close all connections."""
        self._session.close()

    def now(self) -> float:
        """Seconds since 1970."""
        return self._clock.now()

    def pause(self, seconds: float) -> None:
        """Wait before something is looked at again."""
        self._clock.sleep(seconds)

    def ask(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        *,
        headers: Mapping[str, str] = NO_HEADERS,
        is_repeatable: bool = False,
        kind: str = "JSON",
    ) -> ForgeAnswer:
        """The answer, of status 2xx, to a request for a whole path with its query; ForgeHttpError for anything else.

        GET may always be repeated, another method when the caller says so. Its type has `kind` in it.
        """
        is_repeatable = is_repeatable or method == "GET"
        attempt = 1
        while True:
            try:
                return self._once(method, path, body, headers, kind)
            except ForgeHttpError as error:
                wait_s = self._wait_before_repeating(error, attempt, is_repeatable=is_repeatable)
                if wait_s is None:
                    raise
            self._waited_s += wait_s
            self._clock.sleep(wait_s)
            attempt += 1

    def ask_json(self, method: str, path: str, value: object = None, *, is_repeatable: bool = False) -> ForgeAnswer:
        """Like `ask`, with a JSON value as the request's body, or without a body for None."""
        body = None if value is None else json.dumps(value).encode()
        headers = {"Accept": "application/json", **({} if body is None else {"Content-Type": "application/json"})}
        return self.ask(method, path, body, headers=headers, is_repeatable=is_repeatable)

    def _wait_before_repeating(self, error: ForgeHttpError, attempt: int, *, is_repeatable: bool) -> float | None:
        """Seconds; None when the request is not repeated."""
        if attempt == self._manners.attempts:
            return None
        if error.limited_s is not None:
            wait_s = error.limited_s
        elif is_repeatable and error.is_passing:
            wait_s = growing_wait_s(self._manners.backoff_s, attempt)
        else:
            return None
        is_short = wait_s <= self._manners.longest_wait_s
        return wait_s if is_short and self._waited_s + wait_s <= self._manners.most_waiting_s else None

    def _once(self, method: str, path: str, body: bytes | None, headers: Mapping[str, str], wanted: str) -> ForgeAnswer:
        if method != "GET":
            self._keep_distance()
        answer = self._exchange(method, path, body, headers)
        # A GET that is answered with 202 has no answer yet, and its body is another one's than was asked for.
        if not 200 <= answer.status < 300 or (method == "GET" and answer.status == 202):
            raise refusal(answer, self.host, self._clock.now())
        kind = answer.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        if answer.body and wanted.lower() not in kind:
            raise ForgeHttpError(
                f"{self.host} answers with {kind or 'something unknown'} instead of {wanted}",
                hint="is this the address of the API, and no login page before it?",
            )
        return answer

    def _keep_distance(self) -> None:
        now = self._clock.monotonic()
        if self._next_write > now:
            self._clock.sleep(self._next_write - now)
        self._next_write = max(now, self._next_write) + self._manners.write_pause_s

    def _exchange(self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]) -> ForgeAnswer:
        if self._clock.monotonic() > self._ends:
            raise ForgeHttpError(f"{self.host} has taken more than {self._manners.run_limit_s:g} s in all")
        self.requests += 1
        try:
            with self._session.request(
                method,
                f"{self.origin}{path}",
                headers={**headers, **self._secret},
                data=body,
                timeout=self._manners.timeout_s,
                allow_redirects=False,
                stream=True,
                verify=self._verify,
            ) as response:
                text = self._read(response)
                shown = {name: self._token.hidden_in(value) for name, value in response.headers.items()}
                known = requests.structures.CaseInsensitiveDict(shown)
                return ForgeAnswer(host=self.host, status=response.status_code, headers=known, body=text)
        except requests.RequestException as error:
            error.request = None  # it holds the token
            raise ForgeHttpError(
                f"{self.host} cannot be asked: {trouble(error)}", **_remedy(error, self._ca_key)
            ) from error
        except urllib3.exceptions.HTTPError as error:
            raise ForgeHttpError(f"{self.host} cannot be asked: {trouble(error)}", is_passing=True) from error

    def _read(self, response: requests.Response) -> bytes:
        deadline = self._clock.monotonic() + self._manners.answer_limit_s
        pieces, size = [], 0
        for piece in response.iter_content(_CHUNK):
            size += len(piece)
            if size > self._manners.limit_bytes:
                raise ForgeHttpError(f"{self.host} answers with more than {self._manners.limit_bytes:,} bytes")
            if self._clock.monotonic() > deadline:
                raise ForgeHttpError(f"{self.host} takes more than {self._manners.answer_limit_s:g} s for an answer")
            pieces.append(piece)
        try:
            return self._token.hidden_in(b"".join(pieces).decode()).encode()
        except UnicodeDecodeError as error:
            raise ForgeHttpError(f"{self.host} answers with something else than UTF-8") from error


def _session() -> requests.Session:
    session = WithoutRedirects()
    # Without one of its own a session would send what ~/.netrc holds for a host in place of the token.
    session.auth = _leave_as_it_is
    session.cookies.set_policy(requests.cookies.cookielib.DefaultCookiePolicy(allowed_domains=[]))  # type: ignore[attr-defined]  # the stubs lack it
    session.headers.update({"User-Agent": f"ci-toolkit/{__version__}", "Accept-Encoding": "gzip"})
    for scheme in ("http://", "https://"):
        session.mount(scheme, HTTPAdapter(pool_connections=1, pool_maxsize=1))
    return session


def _leave_as_it_is(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


def _remedy(error: requests.RequestException, ca_key: str) -> dict[str, Any]:
    """Whether asking again may help, and what a person can do."""
    if isinstance(error, requests.exceptions.SSLError):
        return {"hint": f"set {ca_key} to a file with its authority's certificate"}
    if isinstance(error, requests.exceptions.ProxyError):
        return {"is_passing": True, "hint": "HTTPS_PROXY names the proxy that is asked"}
    return {"is_passing": True}
