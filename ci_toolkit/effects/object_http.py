"""Files of ours at an HTTP server that keeps what is PUT there: a bucket, or a web server with WebDAV.

Every request may be made twice, so those that fail for the moment are: 429, 5xx and cut connections, after the time
that the server asks for or a growing one. What was written is looked at again. Redirects are not followed, as a token
would go along.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit

import requests
import urllib3

from ci_toolkit import __version__
from ci_toolkit.effects.http_trouble import WithoutRedirects, growing_wait_s, retry_after_s, trouble
from ci_toolkit.errors import PublishError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from ci_toolkit.effects.clock import Clock
    from ci_toolkit.effects.token import Token

T = TypeVar("T")

_AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504})
_GONE = frozenset({404, 410})
_REFUSING = frozenset({401, 403})
_TIMEOUT_S = (15.0, 120.0)
_CHUNK = 1 << 16


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectHttp:
    """Files below `url`, which has no slash at its end; a token is sent with every request, and nowhere else."""

    url: str
    clock: Clock
    token: Token | None = None
    attempts: int = 6
    backoff_s: float = 0.5
    longest_wait_s: float = 60.0
    _session: requests.Session = field(default_factory=WithoutRedirects, repr=False)

    def __post_init__(self) -> None:
        # Without one of its own a session would send what ~/.netrc holds for a host.
        self._session.auth = lambda request: request
        self._session.headers.update({"User-Agent": f"ci-toolkit/{__version__}", "Accept-Encoding": "identity"})

    def close(self) -> None:
        """Close all connections."""
        self._session.close()

    @property
    def shown(self) -> str:
        """For people."""
        return self.url

    def size_of(self, name: str) -> int | None:
        """How large a file is there, None where there is none; PublishError when it cannot be found out."""

        def length(answer: requests.Response) -> int | None:
            text = answer.headers.get("Content-Length", "")
            if answer.status_code in _GONE:
                return None
            if not text.isascii() or not text.isdecimal():
                raise PublishError(f"{self._place(name)} does not say how large it is")
            return int(text)

        return self._answered("HEAD", name, length, missing=True)

    def read(self, name: str, *, limit_bytes: int) -> bytes | None:
        """What a file is there, None where there is none; PublishError for a larger one."""

        def content(answer: requests.Response) -> bytes | None:
            if answer.status_code in _GONE:
                return None
            found = bytearray()
            for chunk in answer.raw.stream(_CHUNK, decode_content=False):
                found += chunk
                if len(found) > limit_bytes:
                    raise PublishError(f"{self._place(name)} has more than {limit_bytes} bytes")
            return bytes(found)

        return self._answered("GET", name, content, missing=True)

    def write(self, name: str, content: bytes) -> None:
        """Put a small file there, and read it back."""
        self._answered("PUT", name, _nothing, content=content)
        if self.read(name, limit_bytes=len(content)) != content:
            raise PublishError(f"{self._place(name)} is not what was sent there, although the server took it")

    def put(self, name: str, path: Path) -> None:
        """Put a file there, and see that it is as large as it should be."""
        self._answered("PUT", name, _nothing, path=path)
        size = self.size_of(name)
        if size != path.stat().st_size:
            raise PublishError(f"{self._place(name)} has {size} bytes, and {path.stat().st_size} were sent there")

    def remove(self, name: str) -> None:
        """Have it there no more; one that is not there is none."""
        self._answered("DELETE", name, _nothing, missing=True)

    def _answered(
        self,
        method: str,
        name: str,
        take: Callable[[requests.Response], T],
        *,
        content: bytes = b"",
        path: Path | None = None,
        missing: bool = False,
    ) -> T:
        """What `take` makes of the answer, which is asked for again also where it is cut off."""
        for attempt in range(1, self.attempts + 1):
            try:
                with self._asked(method, name, content, path) as answer:
                    if answer.status_code not in _AGAIN:
                        self._judge(answer, method, name, missing=missing)
                        return take(answer)
                    problem = f"it answers {answer.status_code}"
                    wait = retry_after_s(answer.headers, self.clock.now())
            except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
                problem, wait = trouble(error), None
            if wait is None:
                wait = growing_wait_s(self.backoff_s, attempt)
            if attempt == self.attempts or wait > self.longest_wait_s:
                break
            self.clock.sleep(wait)
        raise PublishError(f"{method} {self._place(name)}: {problem}")

    @contextmanager
    def _asked(self, method: str, name: str, content: bytes, path: Path | None) -> Iterator[requests.Response]:
        headers = {} if self.token is None else self.token.header("Bearer")
        url = f"{self.url}/{name}"
        options = {"headers": headers, "timeout": _TIMEOUT_S, "allow_redirects": False, "stream": True}
        if path is None:
            with self._session.request(method, url, data=content or None, **options) as answer:  # type: ignore[arg-type]
                yield answer
            return
        with path.open("rb") as file, self._session.request(method, url, data=file, **options) as answer:  # type: ignore[arg-type]
            yield answer

    def _judge(self, answer: requests.Response, method: str, name: str, *, missing: bool) -> None:
        status = answer.status_code
        if 200 <= status < 300 or (missing and status in _GONE):
            return
        hint = "the token may do less than that" if status in _REFUSING else None
        raise PublishError(f"{method} {self._place(name)}: it answers {status}", hint=hint)

    def _place(self, name: str) -> str:
        parts = urlsplit(self.url)
        port = f":{parts.port}" if parts.port else ""
        return f"{parts.scheme}://{parts.hostname}{port}{parts.path}/{name}"


def _nothing(_: requests.Response) -> None:
    """The answer says all by its status."""
