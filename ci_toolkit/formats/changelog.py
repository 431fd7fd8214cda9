"""The part of a changelog that lies between two versions."""

from __future__ import annotations

import re

_HEADING = re.compile(r"## +\[?v?(?P<version>[0-9]+(?:\.[0-9]+)*)\b")
_LONGEST = 8_000


def changes_between(changelog: bytes, old: str, new: str) -> str:
    """The sections from that of `new` down to that of `old`, without the latter; empty where `new` has none.

    At most 8,000 characters, and none that could not be shown.
    """
    kept: list[str] = []
    inside = False
    for line in changelog.decode(errors="replace").split("\n"):
        heading = _HEADING.match(line)
        if heading and heading["version"] == old:
            break
        inside = inside or (heading is not None and heading["version"] == new)
        if inside:
            kept.append("".join(character if character.isprintable() else " " for character in line).rstrip())
    text = "\n".join(kept).strip()
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
