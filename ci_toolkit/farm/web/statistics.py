"""The view that tells how builds fared over a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ci_toolkit.backends.job_statistics import statistics_of
from ci_toolkit.errors import ConfigError, RefusedError
from ci_toolkit.farm.web.answers import RequestError, json_answer
from ci_toolkit.formats.moments import parse_moment
from ci_toolkit.formats.statistics_record import statistics_record
from ci_toolkit.model.names import is_pkgbase
from ci_toolkit.model.statistics_window import GroupBy, StatisticsWish

if TYPE_CHECKING:
    from flask import Response

    from ci_toolkit.farm.web.desk import Call, Desk

_MOST_PACKAGES = 1_000
_GROUPS = {by.value: by for by in GroupBy}


def statistics(desk: Desk, call: Call, repository: str) -> Response:
    """Figures of a repository's builds; use of workers is what its own builds took of them."""
    place = desk.repository(repository)
    now_s = desk.clock.now()
    try:
        wish = _wish(call, now_s)
        with desk.listing, desk.databases.opened(place) as database:
            found = statistics_of(
                database,
                wish,
                now_s=now_s,
                kept_days=place.settings.log_days,
                slots={worker.name: worker.slots for worker in desk.farm.workers()},
            )
    except (ConfigError, RefusedError) as error:
        raise RequestError(400, error.what) from error
    return json_answer(statistics_record(found))


def _wish(call: Call, now_s: float) -> StatisticsWish:
    asked = call.request.args
    by = asked.get("by", GroupBy.PACKAGE.value)
    if by not in _GROUPS:
        raise RequestError(400, f"by is none of {', '.join(_GROUPS)}")
    packages = asked.getlist("package")
    if len(packages) > _MOST_PACKAGES or not all(map(is_pkgbase, packages)):
        raise RequestError(400, f"package is no possible name of a package, or there are more than {_MOST_PACKAGES:,}")
    return StatisticsWish(
        begin_s=parse_moment(asked.get("since", "7d"), now_s=now_s, key="since"),
        end_s=parse_moment(asked["until"], now_s=now_s, key="until") if "until" in asked else None,
        by=_GROUPS[by],
        packages=frozenset(packages),
    )
