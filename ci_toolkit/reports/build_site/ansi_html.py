"""A build's log as HTML and as plain text: all escaped, colours as classes, nothing else of what terminals obey.

Source of the codes: ECMA-48, SGR.
"""

from __future__ import annotations

import html
import re
from functools import lru_cache

_COLOUR = re.compile(r"\x1b\[([0-9;:]*)m")
_SEQUENCE = re.compile(r"(?P<colour>\x1b\[[0-9;:]*m)|\x1b\[[0-?]*[ -/]*[@-~]|[\x00-\x08\x0b-\x1f\x7f-\x9f]")
# What a program wrote over at a terminal, such as the steps of a progress bar.
_OVERWRITTEN = re.compile(r"^.*\r(?=[^\r\n])", re.MULTILINE)
# Characters that show nothing, or show others in another order: a log could seem to say what it does not.
_HIDDEN = re.compile(
    "[\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]"
)
_STYLES = {1: "b", 2: "d", 3: "i", 4: "u"}
_ENDED = {22: {"b", "d"}, 23: {"i"}, 24: {"u"}}
_COLOURS = {f"c{number}" for number in range(16)}
_NO_STYLE: tuple[str, ...] = ()


def plain_log(text: str) -> str:
    """A log without colours, for a file that browsers show as it is."""
    return _SEQUENCE.sub("", readable(text))


def readable(text: str) -> str:
    """A log, or whole lines of one, without what was written over; hidden characters become replacement characters."""
    text = _OVERWRITTEN.sub("", text) if "\r" in text else text
    return text if text.isascii() else _HIDDEN.sub("\N{REPLACEMENT CHARACTER}", text)


def ansi_html(text: str) -> str:
    """Markup for inside `<pre>`; classes are b, d, i, u and c0 to c15."""
    only_colours = _SEQUENCE.sub(lambda found: found[0] if found["colour"] else "", readable(text))
    first, *rest = _COLOUR.split(html.escape(only_colours))
    parts, style = [first], _NO_STYLE
    for codes, piece in zip(rest[::2], rest[1::2], strict=True):
        style = _changed(style, codes)
        if piece:
            parts.append(f'<span class="{" ".join(style)}">{piece}</span>' if style else piece)
    return "".join(parts)


@lru_cache(maxsize=1024)  # logs have thousands of sequences, of few kinds
def _changed(style: tuple[str, ...], codes: str) -> tuple[str, ...]:
    """The classes after a sequence; colours beyond the sixteen are left out with the numbers that tell them."""
    classes = set(style)
    numbers = [int(code[:4]) if code else 0 for code in codes.split(":", maxsplit=1)[0].split(";")]
    while numbers:
        number = numbers.pop(0)
        if number == 0:
            classes.clear()
        elif number in _STYLES:
            classes.add(_STYLES[number])
        elif number in _ENDED:
            classes -= _ENDED[number]
        elif 30 <= number <= 37 or 90 <= number <= 97:
            classes = (classes - _COLOURS) | {f"c{number - 30 if number < 90 else number - 82}"}
        elif number == 39:
            classes -= _COLOURS
        elif number in (38, 48):
            del numbers[: 2 if numbers[:1] == [5] else 4]
    return tuple(sorted(classes))
