"""What is shown while upstreams are asked."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

from ci_toolkit.reports.surroundings import Place, Surroundings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ci_toolkit.effects.clock import Clock

_INTERVAL_S = 10.0


@contextmanager
def progress(
    total: int, *, stream: TextIO, surroundings: Surroundings, clock: Clock
) -> Iterator[Callable[[str], None]]:
    """A function to be called with every package whose upstream has answered, from any thread."""
    if surroundings.place is Place.TERMINAL and stream.isatty():
        with _bar(total, stream, surroundings) as done:
            yield done
        return
    yield _Lines(total, stream, clock).done


@contextmanager
def _bar(total: int, stream: TextIO, surroundings: Surroundings) -> Iterator[Callable[[str], None]]:
    """One line that is gone when the work is done."""
    from rich.console import Console  # noqa: PLC0415 - slow to import, and only a terminal needs it
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn  # noqa: PLC0415

    console = Console(file=stream, width=surroundings.width, no_color=not surroundings.colours)
    columns = (TextColumn("asking upstreams"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as shown:
        task = shown.add_task("", total=total)
        yield lambda _package: shown.advance(task)


class _Lines:
    """For logs: a line now and then, and none at all for a short run."""

    def __init__(self, total: int, stream: TextIO, clock: Clock) -> None:
        self._total, self._stream, self._clock = total, stream, clock
        self._lock = threading.Lock()
        self._count = 0
        self._next_s = clock.monotonic() + _INTERVAL_S

    def done(self, _package: str) -> None:
        """Count one."""
        with self._lock:
            self._count += 1
            if self._clock.monotonic() < self._next_s:
                return
            self._next_s = self._clock.monotonic() + _INTERVAL_S
            self._stream.write(f"asked {self._count} of {self._total} upstreams\n")
            self._stream.flush()
