"""Strangers' text in Markdown: inside code it is neither markup, nor a mention, nor a command to the service."""

from __future__ import annotations

import re
import unicodedata

_BACKTICKS = re.compile(r"`+")
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_LONGEST_SPAN = 300
_LONGEST_BLOCK = 20_000


def code_span(text: str, limit: int = _LONGEST_SPAN) -> str:
    """`text` as code inside a line, cut after `limit` characters; a dash when it is empty."""
    clean = "".join(_shown(character) for character in text.replace("\n", " ")).strip()
    if not clean:
        return "-"
    clean = clean if len(clean) <= limit else f"{clean[: limit - 1]}…"
    ticks = "`" * (_longest_run(clean) + 1)
    padding = " " if "`" in (clean[0], clean[-1]) else ""
    return f"{ticks}{padding}{clean}{padding}{ticks}"


def code_block(text: str, limit: int = _LONGEST_BLOCK) -> str:
    """`text` as code on lines of its own, cut after `limit` characters."""
    clean = "\n".join("".join(_shown(character) for character in line) for line in text.split("\n"))
    clean = clean if len(clean) <= limit else f"{clean[:limit]}…"
    fence = "`" * max(3, _longest_run(clean) + 1)
    return f"{fence}text\n{clean}\n{fence}"


def _longest_run(text: str) -> int:
    return max((len(run) for run in _BACKTICKS.findall(text)), default=0)


def _shown(character: str) -> str:
    if character.isspace():
        return " "
    return "\N{REPLACEMENT CHARACTER}" if unicodedata.category(character) in _HIDDEN else character
