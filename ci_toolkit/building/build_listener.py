"""Who is told how builds get on, and what a run tells at its end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from ci_toolkit.errors import ToolkitError
    from ci_toolkit.model.job import Job


class Listener(Protocol):
    """Is told what happens as it happens, always by the same thread."""

    def moved(self, job: Job) -> None:
        """A job came to another state."""

    def phase(self, job: Job, phase: str) -> None:
        """A build came to another phase."""

    def left(self, *, queued: int, waiting: int) -> None:
        """So many jobs are queued, and so many wait for others."""

    def published(self, outcome: str) -> None:
        """Clients see something else (`published`), cannot (`failed`), or a package was kept out (`refused`)."""

    def note(self, text: str) -> None:
        """Something that belongs to no single job."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSummary:
    """What a run has done: jobs that it brought to an end, those left waiting, and why it could not go on, if so."""

    ended: tuple[Job, ...]
    waiting: tuple[Job, ...]
    removed: tuple[str, ...]
    fault: ToolkitError | OSError | None
