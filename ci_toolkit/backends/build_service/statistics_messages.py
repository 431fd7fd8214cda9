"""Statistics of builds as messages of the build service, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ci_toolkit.backends.build_service import build_service_pb2 as pb
from ci_toolkit.backends.build_service.messages import parse_state, state_name
from ci_toolkit.errors import FormatError
from ci_toolkit.model.build_statistics import BuildStatistics, Figures, QueueFigures, Spread
from ci_toolkit.model.statistics_window import GroupBy, Window

if TYPE_CHECKING:
    from typing import Literal

_GROUPS = {
    pb.GroupBy.GROUP_BY_PACKAGE: GroupBy.PACKAGE,
    pb.GroupBy.GROUP_BY_RECIPE: GroupBy.RECIPE,
    pb.GroupBy.GROUP_BY_WORKER: GroupBy.WORKER,
}
_MESSAGES = {by: message for message, by in _GROUPS.items()}


def group_message(by: GroupBy) -> pb.GroupBy:
    """What the groups are."""
    return _MESSAGES[by]


def parse_group(value: pb.GroupBy) -> GroupBy:
    """Likewise; packages where nothing is said, FormatError for what nobody here knows."""
    if value == pb.GroupBy.GROUP_BY_UNSPECIFIED:
        return GroupBy.PACKAGE
    if value not in _GROUPS:
        raise FormatError("is none of the groups", key="by", got=str(value), hint="package, recipe or worker")
    return _GROUPS[value]


def statistics_message(statistics: BuildStatistics) -> pb.Statistics:
    """All of it."""
    queue = statistics.queue
    return pb.Statistics(
        since_s=statistics.window.begin_s,
        until_s=statistics.window.end_s,
        by=group_message(statistics.by),
        queue=pb.QueueFigures(at_end=queue.at_end, mean=queue.mean, most=queue.most),
        total=_figures_message(statistics.total),
        groups=[pb.Group(name=name, figures=_figures_message(figures)) for name, figures in statistics.groups],
    )


def parse_statistics(message: pb.Statistics) -> BuildStatistics:
    """What `statistics_message` made."""
    queue = message.queue
    return BuildStatistics(
        window=Window(begin_s=message.since_s, end_s=message.until_s),
        by=parse_group(message.by),
        total=_figures(message.total),
        queue=QueueFigures(at_end=queue.at_end, mean=queue.mean, most=queue.most),
        groups=tuple(
            (group.name if group.HasField("name") else None, _figures(group.figures)) for group in message.groups
        ),
    )


def _figures_message(figures: Figures) -> pb.Figures:
    return pb.Figures(
        outcomes=[pb.Outcome(state=state_name(state), count=count) for state, count in figures.outcomes.items()],
        duration_s=_spread_message(figures.durations),
        wait_s=_spread_message(figures.waits),
        size_bytes=_spread_message(figures.sizes),
        total_bytes=figures.size_bytes,
        sizes_unknown=figures.sizes_unknown,
        busy_s=figures.busy_s,
        slots=figures.slots,
        use=figures.use,
    )


def _figures(message: pb.Figures) -> Figures:
    return Figures(
        outcomes={parse_state(one.state): one.count for one in message.outcomes},
        durations=_spread(message, "duration_s"),
        waits=_spread(message, "wait_s"),
        sizes=_spread(message, "size_bytes"),
        size_bytes=message.total_bytes if message.HasField("total_bytes") else None,
        sizes_unknown=message.sizes_unknown,
        busy_s=message.busy_s,
        slots=message.slots if message.HasField("slots") else None,
        use=message.use if message.HasField("use") else None,
    )


def _spread_message(spread: Spread | None) -> pb.Spread | None:
    if spread is None:
        return None
    return pb.Spread(count=spread.count, mean=spread.mean, p50=spread.p50, p95=spread.p95, most=spread.most)


def _spread(message: pb.Figures, field: Literal["duration_s", "wait_s", "size_bytes"]) -> Spread | None:
    if not message.HasField(field):
        return None
    found: pb.Spread = getattr(message, field)
    return Spread(count=found.count, mean=found.mean, p50=found.p50, p95=found.p95, most=found.most)
