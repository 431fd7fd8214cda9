"""How many packages may disappear at once without somebody saying so: CI_REMOVE_LIMIT."""

from __future__ import annotations

from ci_toolkit.errors import RefusedError

# In a small repository a handful of packages is a large share.
_ALWAYS_REMOVABLE = 5


def check_removal(removed: int, before: int, limit_percent: int, *, leaves_any: bool, hint: str) -> None:
    """RefusedError when `removed` of `before` packages are too many, or none is left."""
    few = removed <= _ALWAYS_REMOVABLE or removed * 100 <= before * limit_percent
    if removed and not (few and leaves_any):
        raise RefusedError(
            f"{removed} of {before} packages are gone, more than {limit_percent} percent (CI_REMOVE_LIMIT)", hint=hint
        )
