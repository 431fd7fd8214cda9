"""How long a new revision must have been public before it is taken."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ci_toolkit.formats.state import HeldRevision

_HOUR_S = 3_600


def public_since(revision: str, told_s: int | None, held: HeldRevision | None, now_s: int) -> int | None:
    """Since when a revision counts as public, in unix seconds; `told_s` is what its upstream's service says.

    A service may tell the time of the revision that is held back (`held`) while its repository has a newer one already,
    which whoever pushed it just before the end of the time would make use of. Such a revision counts from now.
    """
    if told_s is None or held is None:
        return told_s
    if held.revision == revision:
        return max(told_s, held.since_s)
    return told_s if told_s > held.since_s else now_s


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
