"""Titles and Markdown cut to what a service takes, so that nothing is left open in what is shown."""

from __future__ import annotations

import re

_FENCE = re.compile(r" {0,3}(?:(`{3,})([^`]*)|(~{3,})(.*))")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_CUT = "\n\n… the rest is too long to be shown here"


def one_line(title: str, limit: int) -> str:
    """`title` on one line, with at most `limit` characters."""
    words = " ".join(_CONTROL.sub(" ", title).split())
    return words if len(words) <= limit else f"{words[: limit - 1]}…"


def cut_text(text: str, limit: int) -> str:
    """`text` with at most `limit` characters: what was open where it is cut is closed, and it says that it was cut."""
    if len(text) <= limit:
        return text
    room = max(0, limit - len(_CUT))
    kept = text[:room]
    while True:
        kept = kept.rpartition("\n")[0] or kept
        end = _closing(kept)
        if len(kept) + len(end) <= room:
            return f"{kept.rstrip()}{end}{_CUT}"[:limit]
        kept = kept[: max(0, min(room - len(end), len(kept) - 1))]


def cut_before_last_line(text: str, limit: int) -> str:
    """The same for a text by whose last line a later run knows it."""
    if len(text) <= limit:
        return text
    before, _, last = text.rstrip().rpartition("\n")
    if len(last) > limit // 2:
        return cut_text(text, limit)
    return f"{cut_text(before.rstrip(), limit - len(last) - 2)}\n\n{last}"


def _closing(text: str) -> str:
    """What ends a code block and folded parts that are open at the end."""
    fence, folded, in_html = "", 0, False
    for line in text.split("\n"):
        found = _FENCE.fullmatch(line)
        ticks, rest = (found[1] or found[3], found[2] or found[4]) if found else ("", "")
        if fence:
            fence = "" if ticks.startswith(fence) and not (rest or "").strip() else fence
            continue
        change = line.startswith("<details") - line.startswith("</details>")
        folded += change
        # A line of HTML goes on to the next empty one, and what looks like a fence there is none.
        in_html = bool(line.strip()) and (in_html or change != 0)
        fence = "" if in_html else ticks
    return (f"\n{fence}" if fence else "") + "\n</details>" * max(0, folded)
