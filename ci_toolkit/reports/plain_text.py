"""Text from strangers, made harmless for terminals and CI logs."""

from __future__ import annotations

import unicodedata

_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
_LONGEST = 300


def one_line(text: str, limit: int = _LONGEST) -> str:
    """`text` on one line: no control, format or direction characters, cut with an ellipsis after `limit` characters."""
    clean = "".join(_shown(character) for character in text)
    return clean if len(clean) <= limit else f"{clean[: limit - 1]}…"


def _shown(character: str) -> str:
    if character.isspace():
        return " "
    # C*: control, format (directions, zero widths), surrogates, unassigned; Zl and Zp end lines for some readers.
    return _REPLACEMENT if unicodedata.category(character) in _HIDDEN else character


_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
