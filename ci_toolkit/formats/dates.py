"""Points in time as people read them."""

from __future__ import annotations

from datetime import UTC, datetime


def format_time(seconds: int) -> str:
    """Unix seconds as `2026-11-21 14:00 UTC`; what no calendar has stays a number."""
    try:
        return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M} UTC"
    except (OverflowError, ValueError, OSError):
        return f"{seconds} s since 1970"
