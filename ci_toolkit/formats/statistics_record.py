"""Statistics of builds as an object of JSON, as commands print them and farms send them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from ci_toolkit.errors import FormatError
from ci_toolkit.model.build_statistics import BuildStatistics, Figures, QueueFigures, Spread
from ci_toolkit.model.job import JobState
from ci_toolkit.model.statistics_window import GroupBy, Window

if TYPE_CHECKING:
    from collections.abc import Mapping

_NO_DATE_S = 253_402_300_800.0  # the year 10000, which no date of ours is written in


def statistics_record(statistics: BuildStatistics) -> dict[str, Any]:
    """Times are seconds since 1970, durations seconds, sizes bytes, rates and use from 0 to 1; null is unknown."""
    return {
        "since": statistics.window.begin_s,
        "until": statistics.window.end_s,
        "by": statistics.by.value,
        "queue": {"at_end": statistics.queue.at_end, "mean": statistics.queue.mean, "most": statistics.queue.most},
        "total": _figures_record(statistics.total),
        "groups": [{"name": name, **_figures_record(figures)} for name, figures in statistics.groups],
    }


def parse_statistics_record(record: Mapping[str, Any]) -> BuildStatistics:
    """What `statistics_record` made; FormatError for anything else. What a later version adds is passed over."""
    try:
        queue = record["queue"]
        return BuildStatistics(
            window=_window(record),
            by=GroupBy(record["by"]),
            total=_figures(record["total"]),
            queue=QueueFigures(at_end=_whole(queue["at_end"]), mean=_number(queue["mean"]), most=_whole(queue["most"])),
            groups=tuple((_name(group["name"]), _figures(group)) for group in record["groups"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise FormatError("are no statistics of builds", got=repr(record)) from error


def _figures_record(figures: Figures) -> dict[str, Any]:
    return {
        "ended": figures.ended,
        "outcomes": {state.value: count for state, count in figures.outcomes.items()},
        "success_rate": figures.success_rate,
        "cache_hit_rate": figures.cache_hit_rate,
        "duration": _spread_record(figures.durations),
        "wait": _spread_record(figures.waits),
        "size": _spread_record(figures.sizes),
        "size_bytes": figures.size_bytes,
        "sizes_unknown": figures.sizes_unknown,
        "busy": figures.busy_s,
        "slots": figures.slots,
        "use": figures.use,
    }


def _spread_record(spread: Spread | None) -> dict[str, Any] | None:
    if spread is None:
        return None
    return {"count": spread.count, "mean": spread.mean, "p50": spread.p50, "p95": spread.p95, "most": spread.most}


def _window(record: Mapping[str, Any]) -> Window:
    window = Window(begin_s=_number(record["since"]), end_s=_number(record["until"]))
    if not 0 <= window.begin_s < window.end_s < _NO_DATE_S:
        raise ValueError(window)
    return window


def _figures(record: Mapping[str, Any]) -> Figures:
    return Figures(
        outcomes={JobState(name): _whole(count) for name, count in record["outcomes"].items()},
        durations=_spread(record["duration"]),
        waits=_spread(record["wait"]),
        sizes=_spread(record["size"]),
        size_bytes=None if record["size_bytes"] is None else _whole(record["size_bytes"]),
        sizes_unknown=_whole(record["sizes_unknown"]),
        busy_s=_number(record["busy"]),
        slots=None if record["slots"] is None else _whole(record["slots"]),
        use=None if record["use"] is None else _number(record["use"]),
    )


def _spread(record: Mapping[str, Any] | None) -> Spread | None:
    if record is None:
        return None
    return Spread(
        count=_whole(record["count"]),
        mean=_number(record["mean"]),
        p50=_number(record["p50"]),
        p95=_number(record["p95"]),
        most=_number(record["most"]),
    )


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise TypeError(value)
    return float(value)


def _whole(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise TypeError(value)
    return value


def _name(value: object) -> str | None:
    if value is not None and not isinstance(value, str):
        raise TypeError(value)
    return value
