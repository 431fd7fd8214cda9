"""How long a new revision must have been public before it is taken."""

from __future__ import annotations

_HOUR_S = 3_600


def held_until(revision_s: int | None, hours: int, now_s: int) -> int | None:
    """Until when a revision that has been public since `revision_s` is held back, None when it is not.

    Times are unix seconds. A time in the future means that a clock is wrong and nothing is known of the age: it counts
    as now, so that such a revision is held for the whole time, and until the clocks agree. `revision_s` None: the
    upstream gives no time of its own, and a time the author sets would be no hindrance.
    """
    if revision_s is None or hours <= 0:
        return None
    until_s = min(revision_s, now_s) + hours * _HOUR_S
    return until_s if until_s > now_s else None
