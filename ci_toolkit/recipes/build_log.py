"""The log of a build as it is written: without secrets, with colours and nothing else that a terminal obeys."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Self, get_args

from ci_toolkit.formats.terminal_text import without_commands, without_sequences
from ci_toolkit.recipes.build import BuildEndedError, Failed, Phase, PhaseTime, Skipped, TimedOut

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ci_toolkit.effects.clock import Clock
    from ci_toolkit.effects.process import Streamed
    from ci_toolkit.effects.redaction import Redactor

_LONGEST_LINE = 1 << 16
_STARTS = re.compile(r"==> (?:Starting (?P<function>[a-z]+)[a-zA-Z0-9@._+-]*\(\)|Entering fakeroot)")
_OWN = "\x1b[1;34m::\x1b[0m "


class BuildLog:
    """For `with`; what is taken goes to the file and, line by line, to `show`, every new phase to `tell`.

    In a log of makepkg the phase is told from what that says. A package's code can say the same, so it is a label and
    nothing more.
    """

    def __init__(
        self,
        path: Path,
        *,
        clock: Clock,
        redactor: Redactor,
        limit_bytes: int,
        show: Callable[[str], None],
        tell: Callable[[Phase], None] = lambda _: None,
        first: Phase = "interfere",
        is_of_makepkg: bool = True,
    ) -> None:
        self.path = path
        self.phase: Phase = first
        self._is_of_makepkg = is_of_makepkg
        self.is_full = False
        self._clock = clock
        self._redactor = redactor
        self._left = limit_bytes
        self._show = show
        self._tell = tell
        self._partial = b""
        self._times: dict[Phase, float] = {}
        self._since = clock.monotonic()

    def __enter__(self) -> Self:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._file = self.path.open("w", encoding="utf-8", errors="replace", newline="")
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def ending_reason(self, cancelled: Callable[[], str | None]) -> str | None:
        """Why a build has to end, if it has: somebody wants it to, or it printed too much."""
        return cancelled() or ("it printed too much" if self.is_full else None)

    def judge(self, ended: Streamed, what: str, *, limit_s: float, skip_status: int | None = None) -> None:
        """BuildEndedError unless a program of the build has succeeded; with `skip_status` it says to leave it."""
        self.flush()
        if ended.late:
            raise BuildEndedError(TimedOut(phase=self.phase, limit_s=limit_s))
        if ended.reason:
            raise BuildEndedError(Failed(phase=self.phase, status=None, reason=ended.reason))
        if skip_status is not None and ended.status == skip_status:
            raise BuildEndedError(Skipped(reason=f"{what} ended with {skip_status}, which means to skip this build"))
        if ended.status != 0:
            raise BuildEndedError(Failed(phase=self.phase, status=ended.status, reason=f"{what} failed"))

    @property
    def times(self) -> tuple[PhaseTime, ...]:
        """What every phase took until now."""
        self.begin(self.phase)
        return tuple(PhaseTime(phase=phase, seconds=seconds) for phase, seconds in self._times.items())

    def begin(self, phase: Phase) -> None:
        """From now on it is this phase."""
        now = self._clock.monotonic()
        self._times[self.phase] = self._times.get(self.phase, 0.0) + now - self._since
        if phase != self.phase:
            self._tell(phase)
        self.phase, self._since = phase, now

    def note(self, text: str) -> None:
        """A line of our own."""
        self.flush()
        for line in text.split("\n"):
            self._write(f"{_OWN}{line}\n")

    def take(self, chunk: bytes) -> None:
        """More of what the build prints."""
        self._left -= len(chunk)
        if self._left < 0:
            self.is_full = True
            return
        *lines, self._partial = (self._partial + chunk).split(b"\n")
        for line in lines:
            self._line(line.decode(errors="replace") + "\n")
        if len(self._partial) > _LONGEST_LINE:
            self.flush()

    def flush(self) -> None:
        """Write what has no line end yet, and give it one."""
        if self._partial:
            self._line(self._partial.decode(errors="replace") + "\n")
            self._partial = b""

    def _line(self, text: str) -> None:
        started = _STARTS.match(without_sequences(text)) if self._is_of_makepkg else None
        if started:
            name = started["function"] or "package"
            self.begin(next((phase for phase in get_args(Phase) if phase == name), "package"))
        self._write(text)

    def _write(self, text: str) -> None:
        clean = self._redactor.clean(without_commands(text))
        self._file.write(clean)
        self._file.flush()
        self._show(clean)
