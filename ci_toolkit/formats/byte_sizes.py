"""Sizes as people read them."""

from __future__ import annotations


def bytes_text(size_bytes: float) -> str:
    """A size in few signs: `12 B`, `3.4 KiB`, `120 MiB`."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size_bytes < 1_000:
            return f"{size_bytes:.0f} {unit}" if unit == "B" or size_bytes >= 99.5 else f"{size_bytes:.1f} {unit}"
        size_bytes /= 1_024
    return f"{size_bytes:,.1f} TiB"
