"""What a chaotic-manager tells on its web pages: its queue, and the log of each package's last build.

A log is there for a week. It comes with everything that it has, and then, as long as the build waits or is going on,
with every line that is added; its end is the end of the answer. Source: the manager's web service, May 2026.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from ci_toolkit.effects.text_stream import CutError, SilenceError, opened_stream
from ci_toolkit.effects.web import Web, WebManners
from ci_toolkit.errors import FormatError, NotReadyError, UpstreamError
from ci_toolkit.formats.manager_queue import parse_manager_queue

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ci_toolkit.effects.clock import Clock
    from ci_toolkit.formats.manager_queue import ManagerQueue

_QUEUE_LIMIT_BYTES = 16 << 20
_LOG_LIMIT_BYTES = 64 << 20
_MANNERS = WebManners(allow_local=True, attempts=2, read_timeout_s=20.0, time_limit_s=120.0)
_NOT_FOUND = (400, 404)
_START_BYTES = 256
_MOST_FAILURES = 5
_HINT = "CI_MANAGER_URL is to be the address of the chaotic-manager's web pages"


@dataclass(frozen=True, slots=True, kw_only=True)
class LogManners:
    """How long is waited, in seconds, for more of a log.

    One that is complete comes without a pause. What there is of one that still grows has come when nothing came for
    `settled_s`, or `longest_s` have passed. One that is followed is asked for anew after `silence_s`, as the manager
    forgets readers when another one of the same log leaves, and after `pause_s` when the connection broke.
    """

    complete_s: float = 30.0
    settled_s: float = 3.0
    longest_s: float = 20.0
    silence_s: float = 60.0
    pause_s: float = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ManagerWeb:
    """The pages at `url`."""

    url: str
    clock: Clock
    manners: LogManners = LogManners()

    def queue(self) -> ManagerQueue:
        """What it builds and what waits; UpstreamError when it cannot be asked or answers with anything else."""
        web = Web(clock=self.clock, manners=_MANNERS)
        try:
            answer = web.get(f"{self.url}/api/queue/stats", limit_bytes=_QUEUE_LIMIT_BYTES)
            return parse_manager_queue(answer.body)
        except FormatError as error:
            where = f"{urlsplit(self.url).netloc}/api/queue/stats"
            raise UpstreamError(f"what {where} answers {error.problem}", hint=_HINT) from error
        except UpstreamError as error:
            raise UpstreamError(error.problem, got=error.got, hint=error.hint or _HINT) from error
        finally:
            web.close()

    def complete_log(self, pkgbase: str) -> Iterator[bytes]:
        """The log of a build that is over; NotReadyError when there is none, UpstreamError when it does not end."""
        return self._opened(pkgbase, self.manners.complete_s)

    def present_log(self, pkgbase: str) -> Iterator[bytes]:
        """What there is by now of a log that may grow."""
        end = self.clock.monotonic() + self.manners.longest_s
        begun = False
        try:
            for chunk in self._opened(pkgbase, self.manners.settled_s):
                begun = True
                yield chunk
                if self.clock.monotonic() > end:
                    return
        except SilenceError:
            if not begun:
                raise

    def followed_log(self, pkgbase: str) -> Iterator[bytes]:
        """The log as it grows, until the build is over or another one of the package has begun."""
        read, failures = _Followed(), 0
        while not read.is_over:
            try:
                for chunk in read.what_follows(self._opened(pkgbase, self.manners.silence_s)):
                    failures = 0
                    yield chunk
            except SilenceError:
                if not read.size:
                    raise
            except CutError:
                failures += 1
                if failures == _MOST_FAILURES:
                    raise
                self.clock.sleep(self.manners.pause_s)

    def _opened(self, pkgbase: str, silence_s: float) -> Iterator[bytes]:
        url = f"{self.url}/api/logs/{quote(pkgbase, safe='')}"
        with opened_stream(url, silence_s=silence_s) as stream:
            if stream.status in _NOT_FOUND:
                raise NotReadyError(
                    "the chaotic-manager has no log of it", package=pkgbase, hint="it keeps them a week"
                )
            if stream.status >= 500:
                raise CutError(f"{urlsplit(url).netloc}{urlsplit(url).path} answers {stream.status}", hint=_HINT)
            if stream.status != 200:
                raise UpstreamError(f"{urlsplit(url).netloc}{urlsplit(url).path} answers {stream.status}", hint=_HINT)
            size = 0
            for chunk in stream.chunks:
                size += len(chunk)
                if size > _LOG_LIMIT_BYTES:
                    raise UpstreamError(f"the log has more than {_LOG_LIMIT_BYTES >> 20} MiB", package=pkgbase)
                yield chunk


@dataclass(slots=True)
class _Followed:
    """A log that is read in several answers, each of which has all of it: how it begins, and how much was read."""

    start: bytes = b""
    size: int = 0
    is_over: bool = False

    def what_follows(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        """What an answer has beyond what was read; it is over when the answer ends, or is that of another log."""
        start, skipped, known = b"", 0, self.size
        try:
            for chunk in chunks:
                start = (start + chunk)[:_START_BYTES]
                if not (start.startswith(self.start) or self.start.startswith(start)):
                    break
                new = chunk[max(known - skipped, 0) :]
                skipped += len(chunk) - len(new)
                if new:
                    self.size += len(new)
                    self.start = start
                    yield new
        except NotReadyError:
            if not self.size:
                raise
        self.is_over = True
