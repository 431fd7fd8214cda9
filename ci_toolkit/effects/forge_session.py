"""The connection to a forge's API: one host, one token, bounded in time and size.

It is a session of requests, so that libraries which know an API can use it, and they never hold the token: it is put
into each request on its way out and is gone from it afterwards. Nothing is redirected, since the token would go along.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import requests

from ci_toolkit import __version__

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ci_toolkit.effects.clock import Clock

log = logging.getLogger(__name__)

_TOO_MANY = 429
_TRANSIENT = frozenset({500, 502, 503, 504})
_CHUNK_BYTES = 1 << 16


@dataclass(frozen=True, slots=True, kw_only=True)
class ForgeManners:
    """Limits in seconds and bytes. `patience_s` is how long a run waits in all because a service asks it to wait."""

    connect_timeout_s: float = 10.0
    read_timeout_s: float = 60.0
    attempts: int = 3
    backoff_s: float = 1.0
    longest_wait_s: float = 60.0
    patience_s: float = 180.0
    time_limit_s: float = 1_200.0
    limit_bytes: int = 64 << 20


class ForgeLimitError(requests.RequestException):
    """An answer is too large, or the time for all requests of a run is over."""


class ForgeSession(requests.Session):
    """Sends requests to `address` (`https://host[:port][/path]`) with `secret`, the header that holds the token."""

    def __init__(
        self, *, address: str, secret: Mapping[str, str], clock: Clock, manners: ForgeManners | None = None
    ) -> None:
        super().__init__()
        self.headers["User-Agent"] = f"ci-toolkit/{__version__}"
        # Without this a netrc file's credentials would be sent as well.
        self.auth = _leave_alone
        self._address = address
        self._secret = dict(secret)
        self._clock = clock
        self._manners = manners or ForgeManners()
        self._patience_s = self._manners.patience_s
        self._ends = clock.monotonic() + self._manners.time_limit_s

    def __repr__(self) -> str:
        return f"ForgeSession({self._address})"

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:  # noqa: ANN401 - as in the base
        """The answer, read in full. What may be repeated is repeated after a failure, and anything after a 429."""
        options.update(allow_redirects=False, stream=True)
        options["timeout"] = (self._manners.connect_timeout_s, self._manners.read_timeout_s)
        again = is_repeatable(request)
        attempt = 0
        while True:
            attempt += 1
            last = attempt >= self._manners.attempts
            try:
                answer = self._send_once(request, options)
            except (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError) as error:
                if last or not again or isinstance(error, requests.exceptions.SSLError):
                    raise
                wait_s = self._manners.backoff_s * attempt
            else:
                asked_s = None if last else self._wait_s(answer, attempt, again=again)
                if asked_s is None:
                    return answer
                wait_s = asked_s
            if wait_s > self._patience_s:
                raise ForgeLimitError(f"would have to be waited for longer than {self._manners.patience_s:g} s")
            self._patience_s -= wait_s
            log.debug("%s: trying again in %g s", self._address, wait_s)
            self._clock.sleep(wait_s)

    def _send_once(self, request: requests.PreparedRequest, options: Mapping[str, Any]) -> requests.Response:
        if self._clock.monotonic() > self._ends:
            raise ForgeLimitError(f"has taken more than {self._manners.time_limit_s:g} s in all")
        sent = request.copy()
        if not _is_below(sent.url or "", self._address):
            raise ForgeLimitError(f"would be asked at another address than {self._address}")
        sent.headers.update(self._secret)
        try:
            answer = super().send(sent, **options)
            self._read(answer)
        finally:
            # Exceptions and answers hold the request, and are held by who knows whom.
            for name in self._secret:
                sent.headers.pop(name, None)
        return answer

    def _read(self, answer: requests.Response) -> None:
        """The body in full, so that nobody reads it without limits."""
        parts, size = [], 0
        for part in answer.iter_content(_CHUNK_BYTES):
            size += len(part)
            if size > self._manners.limit_bytes:
                answer.close()
                raise ForgeLimitError(f"answers with more than {self._manners.limit_bytes >> 20} MiB")
            if self._clock.monotonic() > self._ends:
                answer.close()
                raise ForgeLimitError(f"has taken more than {self._manners.time_limit_s:g} s in all")
            parts.append(part)
        answer._content = b"".join(parts)  # noqa: SLF001 - what the base does after it has read everything

    def _wait_s(self, answer: requests.Response, attempt: int, *, again: bool) -> float | None:
        """How long to wait before the next attempt; None: this answer is the one."""
        if answer.status_code == _TOO_MANY:
            asked_s = _seconds(answer.headers.get("Retry-After"), default=self._manners.backoff_s * attempt)
            return asked_s if asked_s <= min(self._manners.longest_wait_s, self._patience_s) else None
        if answer.status_code in _TRANSIENT and again:
            return self._manners.backoff_s * attempt
        return None


def is_repeatable(request: requests.PreparedRequest) -> bool:
    """Whether asking twice leaves things as asking once does; merging does not: it may be on its way."""
    path = urlsplit(request.url or "").path
    return request.method in ("GET", "HEAD", "PUT") and not str(path).endswith("/merge")


def _is_below(url: str, address: str) -> bool:
    return url == address or url.startswith(address.rstrip("/") + "/")


def _seconds(text: str | None, *, default: float) -> float:
    return float(text) if text and text.isascii() and text.isdigit() and len(text) < 8 else default


def _leave_alone(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request
