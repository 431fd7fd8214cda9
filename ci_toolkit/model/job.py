"""A job: one package to be built for one schedule, the states it can be in, and how it gets from one to another."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ci_toolkit.model.names import Pkgbase


class JobState(Enum):
    """Where a job is; the value is how people and machines read it."""

    QUEUED = "queued"
    WAITING = "waiting for dependency"
    BUILDING = "building"
    PUBLISHING = "publishing"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    SKIPPED = "skipped"
    ALREADY_BUILT = "already built"
    TIMED_OUT = "timed out"
    CANCELLED = "cancelled"
    REPLACED = "replaced"

    @property
    def is_over(self) -> bool:
        """Whether nothing more happens to a job in this state."""
        return not FOLLOWING[self]

    @property
    def is_good(self) -> bool:
        """Whether what was asked for is there."""
        return self in (JobState.SUCCEEDED, JobState.ALREADY_BUILT)

    @property
    def is_failure(self) -> bool:
        """Whether somebody has to look at it, and dependants are held."""
        return self in (JobState.FAILED, JobState.TIMED_OUT)


# What may follow a state. Building goes back to queued when the machine, not the package, ended it.
FOLLOWING: Mapping[JobState, frozenset[JobState]] = {
    JobState.QUEUED: frozenset(
        {
            JobState.WAITING,
            JobState.BUILDING,
            JobState.PUBLISHING,
            JobState.ALREADY_BUILT,
            JobState.FAILED,
            JobState.CANCELLED,
            JobState.REPLACED,
        }
    ),
    JobState.WAITING: frozenset({JobState.WAITING, JobState.QUEUED, JobState.CANCELLED, JobState.REPLACED}),
    JobState.BUILDING: frozenset(
        {
            JobState.QUEUED,
            JobState.PUBLISHING,
            JobState.FAILED,
            JobState.SKIPPED,
            JobState.TIMED_OUT,
            JobState.CANCELLED,
            JobState.REPLACED,
        }
    ),
    JobState.PUBLISHING: frozenset({JobState.SUCCEEDED, JobState.ALREADY_BUILT, JobState.FAILED, JobState.QUEUED}),
    **{
        state: frozenset()
        for state in (
            JobState.SUCCEEDED,
            JobState.FAILED,
            JobState.SKIPPED,
            JobState.ALREADY_BUILT,
            JobState.TIMED_OUT,
            JobState.CANCELLED,
            JobState.REPLACED,
        )
    },
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    """One step of a job, at `at_s` seconds since 1970, and why; `old` is None for its first."""

    at_s: float
    old: JobState | None
    new: JobState
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One job as it is now.

    `number` is what people call it by, 0 where nobody numbers it; `queued_at_s` is 0 where nobody tells. `waits_for` is
    the package that a waiting job needs, `version` what was built, `phase` where a build is or was when it ended, with
    the exit `status` that ended it and what the `phases` took in seconds; `interference` is what the owner changed.
    `log_of` is the job whose log tells of the build: its own number, an earlier one's when nothing had to be built,
    None when nothing was ever begun. Jobs of a higher `priority` are built first; `worker` is the machine of a farm
    that builds it, or was the last to, and `losses` how often one was lost while it did. `recipe` is how it is built,
    `size_bytes` the size of all files that it made or found made; both are None where nobody noted them.
    """

    number: int
    pkgbase: Pkgbase
    state: JobState
    reason: str
    request: str
    commit: str
    builder_class: str | None
    queued_at_s: float
    started_at_s: float | None = None
    ended_at_s: float | None = None
    waits_for: Pkgbase | None = None
    version: str | None = None
    phase: str | None = None
    status: int | None = None
    phases: tuple[tuple[str, float], ...] = ()
    interference: tuple[str, ...] = ()
    also_needs: tuple[str, ...] = ()
    log_of: int | None = None
    priority: int = 0
    worker: str | None = None
    losses: int = 0
    recipe: str | None = None
    size_bytes: int | None = None

    @property
    def seconds(self) -> float | None:
        """How long it was built, None when it has not been, or still is."""
        return sum(seconds for _, seconds in self.phases) if self.phases else None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFilter:
    """Which jobs are meant: all by default; `newest` takes the last one of each package alone."""

    packages: frozenset[str] = frozenset()
    states: frozenset[JobState] = frozenset()
    numbers: frozenset[int] = frozenset()
    newest: bool = False
