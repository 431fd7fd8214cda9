"""The view that tells how builds fared over a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ci_toolkit.errors import ConfigError
from ci_toolkit.farm.web.answers import RequestError, json_answer, told_as
from ci_toolkit.farm.web.asking import require_few, statistics_for
from ci_toolkit.formats.moments import parse_moment
from ci_toolkit.formats.statistics_record import statistics_record
from ci_toolkit.model.statistics_window import GroupBy, StatisticsWish

if TYPE_CHECKING:
    from flask import Response

    from ci_toolkit.farm.web.desk import Call, Desk

_GROUPS = {by.value: by for by in GroupBy}


def statistics(desk: Desk, call: Call, repository: str) -> Response:
    """Figures of a repository's builds over a time."""
    desk.repository(repository)
    try:
        wish = _wish(call, desk.clock.now())
    except ConfigError as error:
        raise told_as(400, error, error.what) from error
    return json_answer(statistics_record(statistics_for(desk, repository, wish)))


def _wish(call: Call, now_s: float) -> StatisticsWish:
    asked = call.request.args
    by = asked.get("by", GroupBy.PACKAGE.value)
    if by not in _GROUPS:
        raise RequestError(400, "by is none of the groups", hint=f"there are {', '.join(_GROUPS)}")
    packages = asked.getlist("package")
    require_few(packages)
    return StatisticsWish(
        begin_s=parse_moment(asked.get("since", "7d"), now_s=now_s, key="since"),
        end_s=parse_moment(asked["until"], now_s=now_s, key="until") if "until" in asked else None,
        by=_GROUPS[by],
        packages=frozenset(packages),
    )
