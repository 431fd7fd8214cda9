"""A build's log as HTML: everything escaped, colours as classes, nothing else of what terminals obey.

Source of the codes: ECMA-48, SGR.
"""

from __future__ import annotations

import html
import re

_SEQUENCE = re.compile(r"\x1b\[([0-9;:]*)m|\x1b\[[0-?]*[ -/]*[@-~]|[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_STYLES = {1: "b", 2: "d", 3: "i", 4: "u"}
_ENDED = {22: ("b", "d"), 23: ("i",), 24: ("u",)}


def ansi_html(text: str) -> str:
    """Markup for inside `<pre>`; classes are b, d, i, u and c0 to c15."""
    parts: list[str] = []
    style: dict[str, str] = {}
    position = 0
    for found in _SEQUENCE.finditer(text):
        _append(parts, text[position : found.start()], style)
        position = found.end()
        if found[1] is not None:
            style = _changed(style, found[1])
    _append(parts, text[position:], style)
    return "".join(parts)


def _append(parts: list[str], text: str, style: dict[str, str]) -> None:
    if not text:
        return
    escaped = html.escape(text)
    classes = " ".join(sorted(style.values()))
    parts.append(f'<span class="{classes}">{escaped}</span>' if classes else escaped)


def _changed(style: dict[str, str], codes: str) -> dict[str, str]:
    """The style after a sequence; colours beyond the sixteen are left out with the numbers that tell them."""
    changed = dict(style)
    numbers = [int(code[:4]) if code else 0 for code in codes.split(":", maxsplit=1)[0].split(";")]
    while numbers:
        number = numbers.pop(0)
        if number == 0:
            changed = {}
        elif number in _STYLES:
            changed[_STYLES[number]] = _STYLES[number]
        elif number in _ENDED:
            for name in _ENDED[number]:
                changed.pop(name, None)
        elif 30 <= number <= 37 or 90 <= number <= 97:
            changed["colour"] = f"c{number - 30 if number < 90 else number - 82}"
        elif number == 39:
            changed.pop("colour", None)
        elif number in (38, 48):
            del numbers[: 2 if numbers[:1] == [5] else 4]
    return changed
