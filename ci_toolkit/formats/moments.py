"""Moments as people write them: so long ago, a date, a date with a time, or seconds since 1970."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from ci_toolkit.errors import ConfigError

_AGO = re.compile(r"([0-9]{1,6})([mhdw])")
_SECONDS = re.compile(r"[0-9]{9,11}(?:\.[0-9]{1,9})?")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[T ][0-9]{2}:[0-9]{2}(?::[0-9]{2})?)?Z?")
_UNIT_S = {"m": 60, "h": 3_600, "d": 86_400, "w": 7 * 86_400}
_HINT = "such as 90m, 12h, 7d, 4w, 2026-11-21, 2026-11-21T14:30 (UTC), or seconds since 1970"


def parse_moment(text: str, *, now_s: float, key: str) -> float:
    """Seconds since 1970; ConfigError that blames `key` for anything else than `30m`, `12h`, `7d`, a date or a time.

    >>> parse_moment("2h", now_s=10_000.0, key="--since"), parse_moment("1970-01-02", now_s=0, key="--since")
    (2800.0, 86400.0)
    """
    if found := _AGO.fullmatch(text):
        return now_s - int(found[1]) * _UNIT_S[found[2]]
    if _SECONDS.fullmatch(text):
        return float(text)
    if _DATE.fullmatch(text):
        try:
            return datetime.fromisoformat(text.removesuffix("Z")).replace(tzinfo=UTC).timestamp()
        except ValueError as error:
            raise ConfigError("is no date that there is", key=key, got=text, hint=_HINT) from error
    raise ConfigError("is no time", key=key, got=text, hint=_HINT)
