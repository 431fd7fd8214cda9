"""Tells notifiers and listeners what becomes of builds, as far as each of them has not heard it yet.

How far each has got is in the job database. A message is held there before it is sent and crossed off afterwards, so
that a process that is killed in between loses nothing, and the next one sends the same message, by the same id, again.
A notifier that fails is tried again after a while that grows, and keeps no other from being told.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ci_toolkit.announcing.digests import DigestMaker
from ci_toolkit.announcing.recipients import Recipient, recipients_of
from ci_toolkit.announcing.sendings import Sending, SendOutcome, watched_by_nobody
from ci_toolkit.backends.job_logs import JobLogs
from ci_toolkit.backends.news_book import NewsBook
from ci_toolkit.errors import NotifyError, ToolkitError

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from ci_toolkit.announcing.pages import BuildPages
    from ci_toolkit.backends.local_folder import LocalFolder
    from ci_toolkit.backends.news_book import Cursor, Position
    from ci_toolkit.effects.clock import Clock
    from ci_toolkit.effects.redaction import Redactor
    from ci_toolkit.model.news import Digest
    from ci_toolkit.model.settings import Settings

log = logging.getLogger(__name__)

_LOOK_S = 1.0
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 30.0, 3_600.0
_BACKLOG_S = 86_400.0
_LONGEST_WAIT_S = 86_400.0  # whatever a service asks for
_MOST_SKIPPED = 1_000
_MOST_MESSAGES = 50  # one after the other to one recipient


@dataclass(frozen=True, slots=True, kw_only=True)
class _Trouble:
    """Why a recipient could not be told, how often in a row, and when it is tried again."""

    problem: str
    failures: int
    again_s: float


class Announcer:
    """For one published repository and one thread at a time, but for `health`; to be closed after use.

    `top` is the folder that paths in the settings begin at; `watch` hears of each attempt to send something.
    """

    def __init__(
        self,
        place: LocalFolder,
        settings: Settings,
        *,
        environ: Mapping[str, str],
        clock: Clock,
        redactor: Redactor,
        pages: BuildPages,
        top: Path,
        watch: Callable[[Sending], None] = watched_by_nobody,
    ) -> None:
        """PluginError for a notifier that is not there; what one lacks is said by `health`, and logged."""
        self._settings, self._clock, self._redactor = settings, clock, redactor
        self._watch = watch
        self._recipients = recipients_of(settings, environ=environ, clock=clock, top=top)
        self._book = NewsBook(place.jobs)
        self._book.begin(recipient.name for recipient in self._recipients)
        self._maker = DigestMaker(
            book=self._book,
            logs=JobLogs(folder=place.logs),
            redactor=redactor,
            pages=pages,
            repository=settings.repo_name,
        )
        self._seen = -1
        self._skipped: dict[str, Position] = {}
        self._due_s: dict[str, float] = {}
        self._troubles: dict[str, _Trouble] = {}
        for recipient in self._recipients:
            self._attempt_check(recipient)

    @property
    def is_idle(self) -> bool:
        """Whether there is nobody to tell."""
        return not self._recipients

    def close(self) -> None:
        """Let go of the file."""
        self._book.close()

    def health(self) -> tuple[str, ...]:
        """A sentence for each recipient that cannot be told at the moment."""
        troubles = dict(self._troubles)
        return tuple(f"{name}: {trouble.problem}" for name, trouble in sorted(troubles.items()))

    def due_s(self) -> float | None:
        """Seconds until somebody may be told what is held back for now; None when nothing is."""
        return max(0.0, min(self._due_s.values()) - self._clock.now()) if self._due_s else None

    def serve(self, stop: threading.Event) -> None:
        """Tell whatever comes, until that is set, and then what is left. What goes wrong is logged, once."""
        said = ""
        while True:
            is_last = stop.is_set()
            try:
                self.run_once(flush=is_last)
                said = ""
            except ToolkitError as error:
                if str(error) != said:
                    log.warning("builds are not announced: %s", error)
                said = str(error)
            if is_last:
                return
            stop.wait(_LOOK_S)

    def run_once(self, *, flush: bool = False) -> None:
        """Tell everybody what can be told now; `flush`: even if their last message was a moment ago."""
        changes = self._book.changes()
        if changes == self._seen and not flush and self.due_s() != 0.0:
            return
        self._seen = changes
        self._due_s = {}
        for recipient in self._recipients:
            for _ in range(_MOST_MESSAGES):
                if not self._tell(recipient, flush=flush):
                    break

    def _tell(self, recipient: Recipient, *, flush: bool) -> bool:
        """Send one message, or find that there is none to send; whether there may be more to be told at once."""
        cursor, now_s = self._book.cursor(recipient.name), self._clock.now()
        told = self._skipped.get(recipient.name, cursor.told)
        until = cursor.held or self._book.next_position(told, recipient.wanted.states, recipient.most_jobs)
        if until == told:
            if flush and told != cursor.told:
                self._advance(cursor, told)
            return False
        due_s = self._due(recipient, cursor, now_s, flush=flush)
        if due_s > now_s:
            self._due_s[recipient.name] = due_s
            return False
        happened = self._maker.happened(told, until, recipient.wanted)
        if happened.oldest_s is None:
            self._skip(cursor, until)
            return True
        if recipient.sums_up and happened.oldest_s < now_s - _BACKLOG_S:
            until, digest = self._backlog(recipient, cursor, since_s=happened.oldest_s, now_s=now_s)
        else:
            digest = self._maker.digest(cursor.message_id(until), happened, now_s=now_s)
        if until != cursor.held:
            self._book.hold(cursor, until)
        if not self._send(recipient, cursor, digest):
            return False
        self._advance(cursor, until, sent_at_s=self._clock.now())
        return True

    def _skip(self, cursor: Cursor, until: Position) -> None:
        """There is no news up to there, which is noted now and then: whoever builds reads all jobs after a change."""
        if until.step - cursor.told.step > _MOST_SKIPPED:
            self._advance(cursor, until)
        else:
            self._skipped[cursor.name] = until

    def _advance(self, cursor: Cursor, until: Position, *, sent_at_s: float | None = None) -> None:
        self._book.advance(cursor, until, sent_at_s=sent_at_s)
        self._skipped.pop(cursor.name, None)

    def _backlog(
        self, recipient: Recipient, cursor: Cursor, *, since_s: float, now_s: float
    ) -> tuple[Position, Digest]:
        """Everything up to now, in numbers."""
        until = self._book.end()
        happened = self._maker.happened(cursor.told, until, recipient.wanted)
        return until, self._maker.numbers(cursor.message_id(until), happened, now_s=now_s, since_s=since_s)

    def _due(self, recipient: Recipient, cursor: Cursor, now_s: float, *, flush: bool) -> float:
        """When it may be told, in seconds since 1970."""
        trouble = self._troubles.get(recipient.name)
        waits = [trouble.again_s if trouble else 0.0, cursor.not_before_s]
        if not flush and cursor.sent_at_s <= now_s:
            waits.append(cursor.sent_at_s + recipient.interval_s)
        # What lies further ahead was noted before the clock went back.
        return max((due_s for due_s in waits if due_s <= now_s + _LONGEST_WAIT_S), default=now_s)

    def _send(self, recipient: Recipient, cursor: Cursor, digest: Digest) -> bool:
        begun_s = self._clock.monotonic()
        try:
            never = recipient.send(digest)
        except Exception as error:  # noqa: BLE001 - a notifier may be anybody's, and keeps nobody else from being told
            is_late = isinstance(error, NotifyError) and error.retry_after_s is not None
            self._tell_watcher(recipient, SendOutcome.POSTPONED if is_late else SendOutcome.FAILED, begun_s)
            self._note_failure(recipient, cursor, error)
            return False
        self._tell_watcher(recipient, SendOutcome.INCOMPLETE if never else SendOutcome.SENT, begun_s)
        for said in never:
            log.warning("%s: %s", recipient.name, self._redactor.clean(said))
        if self._troubles.pop(recipient.name, None):
            log.warning("%s can be told again what becomes of builds", recipient.name)
        return True

    def _tell_watcher(self, recipient: Recipient, outcome: SendOutcome, begun_s: float) -> None:
        seconds = self._clock.monotonic() - begun_s
        self._watch(Sending(recipient=recipient.name, outcome=outcome, seconds=seconds))

    def _attempt_check(self, recipient: Recipient) -> None:
        try:
            recipient.check()
        except Exception as error:  # noqa: BLE001 - likewise
            self._note_failure(recipient, None, error)

    def _note_failure(self, recipient: Recipient, cursor: Cursor | None, error: Exception) -> None:
        """Remember it, and say it the first time."""
        text = str(error) if isinstance(error, ToolkitError) else f"it is broken: {type(error).__name__}: {error}"
        problem = self._redactor.clean(text)
        before = self._troubles.get(recipient.name)
        failures = before.failures + 1 if before else 1
        pause_s = min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2 ** min(failures - 1, 10))
        now_s = self._clock.now()
        if isinstance(error, NotifyError) and error.retry_after_s is not None and cursor is not None:
            pause_s = min(error.retry_after_s, _LONGEST_WAIT_S)
            self._book.postpone(cursor, now_s + pause_s)
        self._due_s[recipient.name] = now_s + pause_s
        self._troubles[recipient.name] = _Trouble(problem=problem, failures=failures, again_s=now_s + pause_s)
        if before is None:
            log.warning("%s is not told what becomes of builds, and is tried again: %s", recipient.name, problem)
