"""Statistics of builds, for a person and for programs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from ci_toolkit.formats.byte_sizes import bytes_text
from ci_toolkit.formats.statistics_record import statistics_record
from ci_toolkit.model.statistics_window import GroupBy
from ci_toolkit.reports.jobs import moment
from ci_toolkit.reports.plain_text import one_line

if TYPE_CHECKING:
    from collections.abc import Callable

    from ci_toolkit.model.build_statistics import BuildStatistics, Figures, Spread

MOST_ROWS = 25
"""Groups that a person is shown who does not ask for all."""
UNKNOWN, NOTHING = "?", "-"
"""What stands where nobody noted it, and where there is nothing that it could be told of."""
_LONGEST_NAME = 32
_MINUTE, _HOUR, _DAY = 60, 3_600, 86_400


def statistics_text(statistics: BuildStatistics, *, most_rows: int | None) -> str:
    """What there is to say of the window, and a row a group; None shows all of them."""
    window = statistics.window
    span = f"from {moment(window.begin_s)} to {moment(window.end_s)} UTC"
    total = statistics.total
    if not statistics.groups:
        return f"no build ended or ran {span}; {statistics.queue.at_end} waited at the end\n"
    lines = [f"builds {span}", *(f"  {title:<11}{said}" for title, said in summary_rows(statistics)), ""]
    shown = statistics.groups[:most_rows]
    rows = [
        (group_name(statistics.by, name, figures), *column_texts(figures, statistics.by)) for name, figures in shown
    ]
    lines += _table([(statistics.by.value, *column_titles(statistics.by)), *rows])
    left = len(statistics.groups) - len(shown)
    if left:
        lines += [f"and {left} more: --all shows them"]
    if total.sizes_unknown:
        lines += [f"{UNKNOWN} is a size that nobody noted, as of builds by an earlier version"]
    return "".join(f"{line}\n" for line in lines)


def statistics_json(statistics: BuildStatistics) -> str:
    """One object; all groups are in it."""
    return json.dumps(statistics_record(statistics), indent=2) + "\n"


def summary_rows(statistics: BuildStatistics) -> list[tuple[str, str]]:
    """What is said of the whole window, in one sentence each, with what it is about."""
    total, queue = statistics.total, statistics.queue
    counted = ", ".join(f"{count:,} {state.value}" for state, count in total.outcomes.items())
    rows = [
        ("ended", f"{total.ended:,}{f': {counted}' if counted else ''}"),
        ("success", f"{share_text(total.success_rate)} of what was built"),
        ("cache", f"{share_text(total.cache_hit_rate)} of what is there now was built already"),
        ("duration", _spread_said(total.durations, duration_text)),
        ("waited", _spread_said(total.waits, duration_text)),
        ("sizes", _sizes_said(total)),
        ("queue", f"{queue.at_end:,} at the end, {queue.mean:,.1f} on average, {queue.most:,} at most"),
    ]
    slots = "" if total.slots is None else f", {share_text(total.use)} of {total.slots} slots"
    return [*rows, ("workers", f"{duration_text(total.busy_s)} of building{slots}")]


def group_name(by: GroupBy, name: str | None, figures: Figures) -> str:
    """What a group is called, on one line: also those of builds of which nobody noted it, or that need no worker."""
    if name is not None:
        return one_line(name, _LONGEST_NAME)
    if by is GroupBy.WORKER:
        return "(no worker)" if figures.slots is None else "(this machine)"
    return "(not noted)"


def share_text(share: float | None) -> str:
    """A rate as percents; nothing is rounded to all or none of it."""
    if share is None:
        return NOTHING
    percent = 100 * share
    if 0 < percent < 0.1:
        return "< 0.1 %"
    return "> 99.9 %" if 99.9 < percent < 100 else f"{percent:.1f} %"


def duration_text(seconds: float) -> str:
    """How long something took, in few signs: `0.4 s`, `59 s`, `3 m 05 s`, `2 h 07 m`, `4 d 03 h`."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < _MINUTE:
        return f"{whole} s"
    if whole < _HOUR:
        return f"{whole // _MINUTE} m {whole % _MINUTE:02} s"
    if whole < _DAY:
        return f"{whole // _HOUR} h {whole % _HOUR // _MINUTE:02} m"
    return f"{whole // _DAY} d {whole % _DAY // _HOUR:02} h"


def column_titles(by: GroupBy) -> tuple[str, ...]:
    """What stands above the columns of a table of groups, beside that of their names."""
    titles = ("ended", "failed", "success", "cached", "mean", "p50", "p95", "waited", "size", "in all")
    return (*titles, "busy", "use") if by is GroupBy.WORKER else titles


def column_texts(figures: Figures, by: GroupBy) -> tuple[str, ...]:
    """What stands in those columns."""
    durations = figures.durations
    took = [] if durations is None else [durations.mean, durations.p50, durations.p95]
    nothing = UNKNOWN if figures.sizes_unknown else NOTHING
    cells = (
        f"{figures.ended:,}",
        f"{figures.failed:,}",
        share_text(figures.success_rate),
        share_text(figures.cache_hit_rate),
        *(map(duration_text, took) if took else (NOTHING,) * 3),
        NOTHING if figures.waits is None else duration_text(figures.waits.p50),
        nothing if figures.sizes is None else bytes_text(figures.sizes.p50),
        nothing if figures.size_bytes is None else bytes_text(figures.size_bytes),
    )
    return (*cells, duration_text(figures.busy_s), share_text(figures.use)) if by is GroupBy.WORKER else cells


def _spread_said(spread: Spread | None, text: Callable[[float], str]) -> str:
    if spread is None:
        return "nothing was built"
    return f"{text(spread.mean)} on average, half within {text(spread.p50)}, 95 % within {text(spread.p95)}"


def _sizes_said(total: Figures) -> str:
    unknown = f"of {total.sizes_unknown:,} successful builds unknown" if total.sizes_unknown else ""
    if total.sizes is None or total.size_bytes is None:
        return unknown or "nothing was made"
    made = f"{bytes_text(total.size_bytes)} made, half of the builds at most {bytes_text(total.sizes.p50)} each"
    return f"{made}; {unknown}" if unknown else made


def _table(rows: list[tuple[str, ...]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            [f"{row[0]:<{widths[0]}}", *(f"{cell:>{width}}" for cell, width in zip(row[1:], widths[1:], strict=True))]
        )
        for row in rows
    ]
