"""Text from strangers as it may go to a terminal: with colours, and nothing else that a terminal obeys."""

from __future__ import annotations

import re

_COLOUR = r"\x1b\[[0-9;:]*m"
_SEQUENCES = re.compile(
    rf"(?P<colour>{_COLOUR})|\x1b\[[0-?]*[ -/]*[@-~]|\x1b[ -/]+[0-~]|\x1b[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b.?"
    r"|[\x00-\x08\x0b\x0c\x0e-\x1a\x1c-\x1f\x7f\x80-\x9f]",
    re.DOTALL,
)
_COLOURS = re.compile(_COLOUR)


def without_commands(text: str) -> str:
    """Whole lines, without everything that a terminal would obey but for colours."""
    return _SEQUENCES.sub(lambda found: found["colour"] or "", text)


def without_sequences(text: str) -> str:
    """Whole lines, without everything that a terminal would obey."""
    return _SEQUENCES.sub("", text)


def without_colours(text: str) -> str:
    """What is left of such text for readers that show colours as signs."""
    return _COLOURS.sub("", text)
