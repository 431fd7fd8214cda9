"""Digests out of the job database: cleaned of secrets and of what cannot be seen, with the ends of logs that failed."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from ci_toolkit.errors import NotReadyError
from ci_toolkit.formats.terminal_text import without_colours
from ci_toolkit.model.news import Digest, NewsKind, counted
from ci_toolkit.review.visible import one_visible_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from ci_toolkit.announcing.pages import BuildPages
    from ci_toolkit.backends.job_logs import JobLogs
    from ci_toolkit.backends.news_book import NewsBook, Position
    from ci_toolkit.effects.redaction import Redactor
    from ci_toolkit.model.job import Job, JobState
    from ci_toolkit.model.news import JobNews, WorkerNews

_KEPT_LINES = 40
_LINE_MAX = 1_000
_MOST_LOGS = 20  # of a message: no place shows more


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Jobs that came to one of `states`, and are news of one of `kinds`; None: all of those jobs, and nothing else."""

    states: frozenset[JobState]
    kinds: frozenset[NewsKind] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Happened:
    """Jobs, packages that were removed with when they were, and troubles of workers."""

    jobs: tuple[JobNews, ...] = ()
    removed: Mapping[str, float] = field(default_factory=dict)
    troubles: tuple[WorkerNews, ...] = ()

    @property
    def oldest_s(self) -> float | None:
        """When the first of it was, in seconds since 1970; None where there is nothing."""
        ended = (news.job.ended_at_s or news.job.queued_at_s for news in self.jobs)
        return min((*ended, *self.removed.values(), *(news.at_s for news in self.troubles)), default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class DigestMaker:
    """Makes them for one published repository."""

    book: NewsBook
    logs: JobLogs
    redactor: Redactor
    pages: BuildPages
    repository: str

    def happened(self, told: Position, until: Position, wanted: Wanted) -> Happened:
        """What is to be told of what happened in between."""
        jobs = self.book.jobs(told, until, wanted.states)
        if wanted.kinds is None:
            return Happened(jobs=jobs)
        jobs = tuple(news for news in jobs if news.kinds & wanted.kinds)
        removed = self.book.removed(told, until) if NewsKind.REMOVAL in wanted.kinds else {}
        troubles = self.book.troubles(told, until) if NewsKind.WORKER in wanted.kinds else ()
        return Happened(jobs=jobs, removed=removed, troubles=troubles)

    def digest(self, message_id: str, happened: Happened, *, now_s: float) -> Digest:
        """All of it."""
        return replace(
            self.numbers(message_id, happened, now_s=now_s),
            jobs=tuple(self._complete(happened.jobs)),
            removed=tuple(happened.removed),
            workers=tuple(replace(news, text=self._clean(news.text)) for news in happened.troubles),
        )

    def numbers(self, message_id: str, happened: Happened, *, now_s: float, since_s: float | None = None) -> Digest:
        """How much of what, which is all there is of a backlog (`since_s`)."""
        return Digest(
            id=message_id,
            repository=self.repository,
            at_s=now_s,
            counts=counted(happened.jobs, tuple(happened.removed), happened.troubles),
            url=self.pages.url,
            backlog_since_s=since_s,
        )

    def _complete(self, jobs: Iterable[JobNews]) -> Iterator[JobNews]:
        logs_left = _MOST_LOGS
        for news in jobs:
            job = replace(
                news.job,
                reason=self._clean(news.job.reason),
                version=self._clean(news.job.version) if news.job.version else None,
            )
            lines: tuple[str, ...] = ()
            if job.state.is_failure and logs_left:
                logs_left -= 1
                lines = self._last_lines(news.job)
            yield replace(news, job=job, url=self.pages.of(job), last_lines=lines)

    def _last_lines(self, job: Job) -> tuple[str, ...]:
        """The end of its log; nothing for one that has none, or whose log was removed."""
        last: deque[str] = deque(maxlen=_KEPT_LINES)
        partial = ""
        try:
            for piece in self.logs.read(job):
                *lines, partial = (partial + piece).split("\n")
                last.extend(lines)
                partial = partial[-_LINE_MAX:]
        except (NotReadyError, FileNotFoundError):
            return ()
        if partial:
            last.append(partial)
        return tuple(self._clean(without_colours(line.rstrip("\r")).expandtabs(4)[:_LINE_MAX]) for line in last)

    def _clean(self, text: str) -> str:
        return one_visible_line(self.redactor.clean(text))
