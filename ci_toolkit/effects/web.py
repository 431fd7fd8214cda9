"""The one HTTP client: polite to hosts, strict about answers.

It keeps connections open, spaces requests to one host, retries what may be asked twice, limits time and size, follows
redirects itself (a POST stays a POST, https stays https, what carries credentials stays at its host), and gives a host
up that keeps failing.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

import requests
import urllib3
from requests.adapters import HTTPAdapter

from ci_toolkit import __version__
from ci_toolkit.effects.addresses import ForbiddenAddressError, PublicAddressAdapter, UnresolvedHostError
from ci_toolkit.effects.http_trouble import WithoutRedirects, growing_wait_s, retry_after_s, trouble
from ci_toolkit.errors import UpstreamError

if TYPE_CHECKING:
    from ci_toolkit.effects.clock import Clock

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_AGAIN = frozenset({429, 500, 502, 503, 504})
_MOST_REDIRECTS = 5
_NO_SUCH_RANGE = 416
_SECRET_HEADERS = frozenset({"authorization", "private-token", "job-token", "cookie"})
_CHUNK = 1 << 16


@dataclass(frozen=True, slots=True, kw_only=True)
class WebManners:
    """How upstream hosts are treated.

    Times are seconds; `give_up_after` counts failed requests of a host in a row, `per_host` limits requests to one at
    the same time, and when `time_limit_s` have passed since the client was made, nothing is asked any more.
    """

    allow_local: bool = False
    delay_s: float = 0.0
    connect_timeout_s: float = 10.0
    read_timeout_s: float = 30.0
    attempts: int = 3
    backoff_s: float = 0.5
    longest_wait_s: float = 60.0
    give_up_after: int = 3
    connections: int = 64
    per_host: int = 64
    time_limit_s: float = 1_800.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An HTTP answer; its body was read in full, or is empty where somebody else took it."""

    url: str
    status: int
    headers: Mapping[str, str]
    body: bytes


Take = Callable[[int, Mapping[str, str], Iterator[bytes]], bytes]


@dataclass(slots=True)
class _Request:
    """What is asked; `headers` are made for every attempt, `take` gets status, headers and body of an answer.

    `deadline` is when it has to be done, on the clock that only goes forward; None: no sooner than others.
    """

    method: str
    headers: Callable[[], Mapping[str, str]]
    body: bytes | None
    limit_bytes: int
    kind: str
    take: Take
    deadline: float | None = None


@dataclass(slots=True)
class _Host:
    slots: threading.BoundedSemaphore
    lock: threading.Lock = field(default_factory=threading.Lock)
    next_start: float = 0.0
    failures: int = 0
    last_failure: str = ""


class Web:
    """Fetches from upstream hosts; safe to use from many threads."""

    def __init__(self, *, clock: Clock, manners: WebManners, proxies: Mapping[str, str] | None = None) -> None:
        self.manners = manners
        self.requests: Counter[str] = Counter()
        self._clock = clock
        self._hosts: dict[str, _Host] = {}
        self._deadline = clock.monotonic() + manners.time_limit_s
        self._lock = threading.Lock()
        self._session = WithoutRedirects()
        self._session.trust_env = proxies is None
        self._session.proxies = dict(proxies or {})
        self._session.cookies.set_policy(_NoCookies())
        # Without one of its own a session would send what ~/.netrc holds for a host to that host.
        self._session.auth = _no_credentials
        # Bodies are taken as they are: a compressed answer is unpacked by who knows its limits.
        self._session.headers.update({"User-Agent": f"ci-toolkit/{__version__}", "Accept-Encoding": "identity"})
        transport = HTTPAdapter if manners.allow_local else PublicAddressAdapter
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, transport(pool_maxsize=manners.connections, pool_connections=256))

    def close(self) -> None:
        """Close all connections."""
        self._session.close()

    def get(self, url: str, *, limit_bytes: int, headers: Mapping[str, str] | None = None, kind: str = "get") -> Answer:
        """GET a URL. Statuses below 400 are answers, 304 among them; UpstreamError for anything else."""
        return self._ask(url, _Request("GET", lambda: headers or {}, None, limit_bytes, kind, _whole))

    def fetch(
        self,
        url: str,
        *,
        limit_bytes: int,
        headers: Callable[[], Mapping[str, str]],
        take: Take,
        deadline: float | None = None,
        kind: str = "file",
    ) -> Answer:
        """GET a URL, its body taken in pieces by `take`; `headers` are asked for before every attempt.

        416 (no such range) is an answer too. What is not done at `deadline` (see `deadline_in`) is an UpstreamError.
        """
        return self._ask(url, _Request("GET", headers, None, limit_bytes, kind, take, deadline))

    def post(self, url: str, body: bytes, *, limit_bytes: int, headers: Mapping[str, str], kind: str) -> Answer:
        """POST something that may be asked twice. Answers as `get` does."""
        return self._ask(url, _Request("POST", lambda: headers, body, limit_bytes, kind, _whole))

    def deadline_in(self, seconds: float) -> float:
        """The time, for `fetch`, that it will be in so many seconds."""
        return self._clock.monotonic() + seconds

    def remaining_s(self) -> float:
        """Seconds until nothing is asked any more; UpstreamError when that is so already."""
        remaining = self._deadline - self._clock.monotonic()
        if remaining <= 0:
            raise UpstreamError(f"the run's time limit of {self.manners.time_limit_s:g} s is over")
        return remaining

    def _ask(self, url: str, request: _Request) -> Answer:
        host = self._host(url)
        self._refuse_given_up(url)
        try:
            answer = self._try_often(lambda: self._follow(url, request), url)
        except ForbiddenAddressError:
            raise
        except _TransientError as error:
            with host.lock:
                host.failures += 1
                host.last_failure = error.problem
            raise UpstreamError(error.problem) from error
        with host.lock:
            host.failures = 0
        if answer.status >= 400 and answer.status != _NO_SUCH_RANGE:
            raise UpstreamError(f"{_shown(url)} answers {answer.status}")
        return answer

    def _refuse_given_up(self, url: str) -> None:
        host = self._host(url)
        with host.lock:
            if host.failures >= self.manners.give_up_after:
                raise UpstreamError(f"{urlsplit(url).hostname} is given up for this run: {host.last_failure}")

    def _try_often(self, ask: Callable[[], Answer], url: str) -> Answer:
        for attempt in range(1, self.manners.attempts + 1):
            try:
                return ask()
            except _TransientError as error:
                wait = error.retry_after_s
                if wait is None:
                    wait = growing_wait_s(self.manners.backoff_s, attempt)
                if attempt == self.manners.attempts or wait > self.manners.longest_wait_s:
                    raise
                self._clock.sleep(wait)
                # Others may have found out meanwhile that there is no point in going on.
                self._refuse_given_up(url)
        raise AssertionError(url)

    def _follow(self, url: str, request: _Request) -> Answer:
        for _ in range(_MOST_REDIRECTS + 1):
            answer = self._once(url, request)
            if answer.status not in _REDIRECTS or "Location" not in answer.headers:
                return answer
            url = _redirected(url, answer.headers["Location"], request.headers())
        raise UpstreamError(f"{_shown(url)} redirects more than {_MOST_REDIRECTS} times")

    def _once(self, url: str, request: _Request) -> Answer:
        self._keep_distance(url)
        host = self._host(url)
        with host.slots:
            with self._lock:
                self.requests[request.kind] += 1
            return self._exchange(url, request)

    def _exchange(self, url: str, request: _Request) -> Answer:
        remaining = self._remaining_of(request)
        timeout = (min(self.manners.connect_timeout_s, remaining), min(self.manners.read_timeout_s, remaining))
        try:
            with self._session.request(
                request.method,
                url,
                headers=dict(request.headers()),
                data=request.body,
                timeout=timeout,
                allow_redirects=False,
                stream=True,
            ) as response:
                status, headers = response.status_code, response.headers
                if status in _AGAIN:
                    problem = f"{_shown(url)} answers {status}"
                    raise _TransientError(problem, retry_after_s=self._asked_to_wait(url, headers))
                take = request.take if status in (200, 206) else _whole
                content = take(status, headers, self._limited(response, url, request))
                return Answer(url=url, status=status, headers=headers, body=content)
        except UnresolvedHostError as error:
            raise _TransientError(error.problem) from error
        except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
            forbidden = _forbidden(error)
            if forbidden is not None:
                raise forbidden from error
            raise _TransientError(f"{_shown(url)} cannot be read: {trouble(error)}") from error

    def _remaining_of(self, request: _Request) -> float:
        """Seconds that a request may still take; UpstreamError when that is none."""
        remaining = self.remaining_s()
        if request.deadline is None:
            return remaining
        left = request.deadline - self._clock.monotonic()
        if left <= 0:
            raise UpstreamError("the time limit is over; what is there already is kept")
        return min(remaining, left)

    def _limited(self, response: requests.Response, url: str, request: _Request) -> Iterator[bytes]:
        """The body as it was sent, within limits of size and time."""
        deadline = self._clock.monotonic() + min(20 * self.manners.read_timeout_s, self._remaining_of(request))
        limit_bytes = request.limit_bytes
        size = 0
        for chunk in response.raw.stream(_CHUNK, decode_content=False):
            size += len(chunk)
            if size > limit_bytes:
                raise UpstreamError(f"{_shown(url)} sends more than {limit_bytes} bytes")
            if self._clock.monotonic() > deadline:
                raise _TransientError(f"{_shown(url)} sends too slowly")
            yield chunk

    def _keep_distance(self, url: str) -> None:
        host = self._host(url)
        with host.lock:
            now = self._clock.monotonic()
            start = max(now, host.next_start)
            if self.manners.delay_s:
                host.next_start = start + self.manners.delay_s
        if start > now:
            self._clock.sleep(start - now)

    def _asked_to_wait(self, url: str, headers: Mapping[str, str]) -> float | None:
        """How long a host wants not to be asked, by anybody."""
        wait = retry_after_s(headers, self._clock.now())
        if wait is not None and wait <= self.manners.longest_wait_s:
            host = self._host(url)
            with host.lock:
                host.next_start = max(host.next_start, self._clock.monotonic() + wait)
        return wait

    def _host(self, url: str) -> _Host:
        with self._lock:
            name = urlsplit(url).netloc.lower()
            if name not in self._hosts:
                self._hosts[name] = _Host(threading.BoundedSemaphore(self.manners.per_host))
            return self._hosts[name]


def _whole(_status: int, _headers: Mapping[str, str], chunks: Iterator[bytes]) -> bytes:
    """The body in one piece."""
    return b"".join(chunks)


class _TransientError(UpstreamError):
    """A failure that may be over when asked again."""

    def __init__(self, problem: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(problem)
        self.retry_after_s = retry_after_s


def _no_credentials(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Upstreams learn nothing of who asks."""
    return request


class _NoCookies(requests.cookies.cookielib.DefaultCookiePolicy):  # type: ignore[misc, name-defined]
    """Hosts set nothing."""

    def set_ok(self, _cookie: object, _request: object) -> bool:
        return False


def _redirected(url: str, location: str, headers: Mapping[str, str]) -> str:
    """Where a redirect leads; UpstreamError when it may not be followed there with these headers."""
    try:
        target = urljoin(url, location)
        here, there, shown = urlsplit(url), urlsplit(target), _shown(target)
    except ValueError as error:
        raise UpstreamError(f"{_shown(url)} redirects to no URL") from error
    is_safe = there.scheme in ("https", here.scheme) and "@" not in there.netloc
    is_secret = any(name.lower() in _SECRET_HEADERS for name in headers)
    is_here = (there.scheme, there.netloc.lower()) == (here.scheme, here.netloc.lower())
    if not is_safe or (is_secret and not is_here):
        raise UpstreamError(f"{_shown(url)} redirects to {shown}, which is not followed")
    return target


def _forbidden(error: BaseException | None) -> ForbiddenAddressError | None:
    while error is not None:
        if isinstance(error, ForbiddenAddressError):
            return error
        error = error.__cause__ or error.__context__
    return None


def _shown(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname or ''}{f':{parts.port}' if parts.port else ''}{parts.path}"
