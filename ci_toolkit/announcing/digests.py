"""Digests out of the job database: cleaned of secrets and of what cannot be seen, with the ends of logs that failed."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ci_toolkit.errors import NotReadyError
from ci_toolkit.model.news import Digest, NewsKind, counted
from ci_toolkit.recipes.build_log import without_colours
from ci_toolkit.review.visible import one_visible_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ci_toolkit.announcing.pages import BuildPages
    from ci_toolkit.backends.job_logs import JobLogs
    from ci_toolkit.backends.news_book import Cursor, NewsBook, Position
    from ci_toolkit.effects.redaction import Redactor
    from ci_toolkit.model.job import Job, JobState
    from ci_toolkit.model.news import Counts, JobNews, WorkerNews

_KEPT_LINES = 40
_LINE_MAX = 1_000
_MOST_LOGS = 20  # of a message: no place shows more


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Jobs that came to one of `states`, and are news of one of `kinds`; None: all of those jobs, and nothing else."""

    states: frozenset[JobState]
    kinds: frozenset[NewsKind] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DigestMaker:
    """Makes them for one published repository."""

    book: NewsBook
    logs: JobLogs
    redactor: Redactor
    pages: BuildPages
    repository: str

    def digest(self, cursor: Cursor, until: Position, wanted: Wanted, *, now_s: float) -> Digest:
        """What happened up to there."""
        jobs, removed, troubles = self._happened(cursor.told, until, wanted)
        return replace(
            self._numbers(cursor, until, counted(jobs, removed, troubles), now_s),
            jobs=tuple(self._complete(jobs)),
            removed=removed,
            workers=tuple(replace(news, text=self._clean(news.text)) for news in troubles),
        )

    def backlog(self, cursor: Cursor, until: Position, wanted: Wanted, *, since_s: float, now_s: float) -> Digest:
        """What happened up to there in numbers."""
        counts = counted(*self._happened(cursor.told, until, wanted))
        return replace(self._numbers(cursor, until, counts, now_s), backlog_since_s=since_s)

    def _numbers(self, cursor: Cursor, until: Position, counts: Counts, now_s: float) -> Digest:
        message_id = cursor.message_id(until)
        return Digest(id=message_id, repository=self.repository, at_s=now_s, counts=counts, url=self.pages.url)

    def _happened(
        self, told: Position, until: Position, wanted: Wanted
    ) -> tuple[tuple[JobNews, ...], tuple[str, ...], tuple[WorkerNews, ...]]:
        jobs = self.book.jobs(told, until, wanted.states)
        if wanted.kinds is None:
            return jobs, (), ()
        return (
            tuple(news for news in jobs if news.kinds & wanted.kinds),
            self.book.removed(told, until) if NewsKind.REMOVAL in wanted.kinds else (),
            self.book.troubles(told, until) if NewsKind.WORKER in wanted.kinds else (),
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
