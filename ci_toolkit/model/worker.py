"""A worker: one machine of a farm, and the states it can be in."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class WorkerState(Enum):
    """How a worker is; the value is how people and machines read it."""

    IDLE = "idle"
    BUSY = "busy"
    DRAINING = "draining"
    QUARANTINED = "quarantined"
    UNFIT = "unfit"
    AWAY = "away"

    @property
    def takes_builds(self) -> bool:
        """Whether it may be given something to build."""
        return self in (WorkerState.IDLE, WorkerState.BUSY)

    @property
    def health(self) -> WorkerHealth:
        """What the state means for whoever looks after the worker."""
        match self:
            case WorkerState.IDLE | WorkerState.BUSY:
                return WorkerHealth.GOOD
            case WorkerState.DRAINING:
                return WorkerHealth.RESTING
            case _:
                return WorkerHealth.BAD


class WorkerHealth(Enum):
    """Whether somebody has to look at a worker; the value is how people and machines read it."""

    GOOD = "good"
    RESTING = "resting"
    BAD = "bad"


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """One machine as it is now.

    It builds jobs of `builder_class` and lower, `slots` at once. `running` are the repositories and numbers of jobs
    that it builds, `since_s` when it came into its state, in seconds since 1970, and `reason` why it is there: who
    drained it, what it fails at, what is wrong with its version. `version` and `machine` are what it says of itself.
    """

    name: str
    builder_class: int
    slots: int
    state: WorkerState
    reason: str
    since_s: float
    running: tuple[tuple[str, int], ...] = ()
    version: str | None = None
    machine: str | None = None

    @property
    def used(self) -> int:
        """How many builds it has in its slots."""
        return len(self.running)

    @property
    def free(self) -> int:
        """How many more builds it takes."""
        return max(0, self.slots - self.used) if self.state.takes_builds else 0
