"""The time that statistics are about, and which ones somebody wants."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from ci_toolkit.errors import RefusedError

DAY_S = 86_400.0


class GroupBy(Enum):
    """What tells the groups of a statistic apart; the value is how people and machines name it."""

    PACKAGE = "package"
    RECIPE = "recipe"
    WORKER = "worker"


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A time, in seconds since 1970: from `begin_s` on, and before `end_s`, which is later."""

    begin_s: float
    end_s: float

    @property
    def seconds(self) -> float:
        """How long it is."""
        return self.end_s - self.begin_s

    def has(self, at_s: float) -> bool:
        """Whether a moment is in it."""
        return self.begin_s <= at_s < self.end_s

    def overlap(self, begin_s: float, end_s: float) -> float:
        """How many seconds of a span are in it."""
        return max(0.0, min(end_s, self.end_s) - max(begin_s, self.begin_s))


@dataclass(frozen=True, slots=True, kw_only=True)
class StatisticsWish:
    """Which statistics are meant: of jobs that ended from `begin_s` on and before `end_s`, None for now.

    `packages` are those that count, empty for all.
    """

    begin_s: float
    end_s: float | None = None
    by: GroupBy = GroupBy.PACKAGE
    packages: frozenset[str] = frozenset()


def window_of(wish: StatisticsWish, *, now_s: float, kept_days: int) -> Window:
    """The part of the wished time that there are jobs of: what ended so many days ago is forgotten.

    RefusedError when nothing of it is left.
    """
    end_s = now_s if wish.end_s is None else min(wish.end_s, now_s)
    begin_s = max(wish.begin_s, now_s - kept_days * DAY_S)
    if begin_s >= end_s:
        hint = f"it ends after it begins, begins before now, and is of the last {kept_days} days (CI_LOG_DAYS)"
        raise RefusedError("that is no time that builds are known of", hint=hint)
    return Window(begin_s=begin_s, end_s=end_s)
