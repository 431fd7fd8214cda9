"""Statistics of the jobs in a job database."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ci_toolkit.model.build_statistics import summarise
from ci_toolkit.model.statistics_window import window_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ci_toolkit.backends.job_database import JobDatabase
    from ci_toolkit.model.build_statistics import BuildStatistics
    from ci_toolkit.model.statistics_window import StatisticsWish


def statistics_of(
    database: JobDatabase,
    wish: StatisticsWish,
    *,
    now_s: float,
    kept_days: int,
    slots: Mapping[str | None, int],
) -> BuildStatistics:
    """The statistics that are meant; `kept_days` is for how long jobs are kept, `slots` as `summarise` takes them.

    RefusedError for a time that no jobs are known of.
    """
    window = window_of(wish, now_s=now_s, kept_days=kept_days)
    samples = database.samples(since_s=window.begin_s, packages=wish.packages)
    return summarise(samples, window, by=wish.by, slots=slots)
