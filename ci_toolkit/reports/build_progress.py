"""What is shown while builds run: a line a running build at a terminal, else a line whenever one begins or ends."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

from ci_toolkit.model.job import JobState
from ci_toolkit.reports.jobs import verdict_word
from ci_toolkit.reports.plain_text import one_line
from ci_toolkit.reports.surroundings import Place, Surroundings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console, Group

    from ci_toolkit.building.build_listener import Listener
    from ci_toolkit.effects.clock import Clock
    from ci_toolkit.model.job import Job

_REFRESH_A_SECOND = 4
_STYLES = {"good": "green", "bad": "bold red", "over": "yellow", "going": "cyan"}


@contextmanager
def build_progress(*, stream: TextIO, surroundings: Surroundings, clock: Clock) -> Iterator[Listener]:
    """A listener that shows what it is told."""
    if surroundings.place is not Place.TERMINAL or not stream.isatty():
        yield _Lines(stream)
        return
    from rich.console import Console  # noqa: PLC0415 - slow to import, and only a terminal needs it
    from rich.live import Live  # noqa: PLC0415

    console = Console(file=stream, width=surroundings.width, no_color=not surroundings.colours, highlight=False)
    shown = _Shown(console, clock)
    with Live(get_renderable=shown.lines, console=console, refresh_per_second=_REFRESH_A_SECOND, transient=True):
        yield shown


class _Lines:
    """For logs."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def moved(self, job: Job) -> None:
        """Say what begins and what ends."""
        if job.state is JobState.BUILDING or job.state.is_over:
            self._write(_line(job))

    def phase(self, job: Job, phase: str) -> None:
        """Phases are in the build's own log."""

    def published(self, outcome: str) -> None:
        """Jobs tell of it."""

    def left(self, *, queued: int, waiting: int) -> None:
        """What is left is said at the end."""

    def note(self, text: str) -> None:
        """Say it."""
        self._write(text)

    def _write(self, text: str) -> None:
        self._stream.write(f"{text}\n")
        self._stream.flush()


class _Shown:
    """For terminals: what has ended scrolls away above, what runs stays below."""

    def __init__(self, console: Console, clock: Clock) -> None:
        self._console, self._clock = console, clock
        self._running: dict[int, tuple[Job, str, float]] = {}
        self._left = ""

    def moved(self, job: Job) -> None:
        """Show it in one of both places."""
        from rich.text import Text  # noqa: PLC0415 - likewise

        if job.state is JobState.BUILDING:
            self._running[job.number] = (job, "begins", self._clock.monotonic())
        elif job.state is JobState.PUBLISHING:
            _, _, since = self._running.get(job.number, (job, "", self._clock.monotonic()))
            self._running[job.number] = (job, "waits to be published", since)
        else:
            self._running.pop(job.number, None)
        if job.state.is_over:
            self._console.print(Text(_line(job), style=_STYLES[verdict_word(job.state)]))

    def phase(self, job: Job, phase: str) -> None:
        """Show it in its line."""
        if job.number in self._running:
            self._running[job.number] = (job, phase, self._running[job.number][2])

    def published(self, outcome: str) -> None:
        """Jobs tell of it."""

    def left(self, *, queued: int, waiting: int) -> None:
        """Show it below."""
        self._left = f"{queued} queued, {waiting} waiting" if queued or waiting else ""

    def note(self, text: str) -> None:
        """Show it above."""
        from rich.text import Text  # noqa: PLC0415 - likewise

        self._console.print(Text(text))

    def lines(self) -> Group:
        """What runs, and what is left."""
        from rich.console import Group  # noqa: PLC0415 - likewise
        from rich.table import Table  # noqa: PLC0415 - likewise
        from rich.text import Text  # noqa: PLC0415 - likewise

        table = Table(box=None, pad_edge=False, show_header=False, padding=(0, 2, 0, 0))
        for job, phase, since in list(self._running.values()):
            table.add_row(job.pkgbase, phase, f"{self._clock.monotonic() - since:.0f} s")
        return Group(table, Text(self._left, style="dim")) if self._left else Group(table)


def _line(job: Job) -> str:
    seconds = f" ({job.seconds:.1f} s)" if job.state.is_over and job.seconds is not None else ""
    if job.state is JobState.BUILDING:
        return f"{job.pkgbase}: building (job {job.number})"
    return f"{job.pkgbase}: {job.state.value}, {one_line(job.reason)}{seconds}"
