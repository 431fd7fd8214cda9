"""The lines of a finding as a diff that shows every difference, and never more than a reader can take."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from ci_toolkit.review.markdown import cut
from ci_toolkit.review.visible import code_point

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

LONGEST_LINE = 600
_CONTEXT = 2
# Comparing takes time with the cube of the lengths at worst; what is longer is shown as all old, then all new.
_MOST_COMPARED = 150


def difference(old: str | None, new: str | None, *, most_lines: int) -> list[str]:
    """Lines that start with `-`, `+` or a blank, at most `most_lines` and a remark on the rest; empty without texts.

    What goes before what comes, both in the order of the file.
    """
    if (old or "") == (new or ""):
        return []
    old_lines, new_lines = _lines(old), _lines(new)
    if old_lines == new_lines:
        old_lines[-1:] = [f"{line}<end of text>" for line in old_lines[-1:]] if not _ends(old) else old_lines[-1:]
        new_lines[-1:] = [f"{line}<end of text>" for line in new_lines[-1:]] if not _ends(new) else new_lines[-1:]
    return _shortened([f"{sign}{_line(text)}" for sign, text in _signed(old_lines, new_lines)], most_lines)


def _lines(text: str | None) -> list[str]:
    """Lines as git cuts them, at line feeds alone; a carriage return stays and is shown."""
    if not text:
        return []
    return text.removesuffix("\n").split("\n")


def _ends(text: str | None) -> bool:
    return (text or "\n").endswith("\n")


def _line(text: str) -> str:
    """A line with the blanks at its end made visible, which are a difference to some readers."""
    bare = text.rstrip(" \t")
    return cut(bare, LONGEST_LINE) + "".join(code_point(blank) for blank in text[len(bare) :][:8])


def _signed(old: Sequence[str], new: Sequence[str]) -> Iterator[tuple[str, str]]:
    start, end = _alike(old, new)
    old, new = old[start : len(old) - end], new[start : len(new) - end]
    if max(len(old), len(new)) > _MOST_COMPARED or not old or not new:
        yield from (("-", line) for line in old)
        yield from (("+", line) for line in new)
        return
    groups = difflib.SequenceMatcher(None, old, new, autojunk=False).get_grouped_opcodes(_CONTEXT)
    for number, group in enumerate(groups):
        if number:
            yield " ", "…"
        for tag, old_start, old_end, new_start, new_end in group:
            if tag == "equal":
                yield from ((" ", line) for line in old[old_start:old_end])
                continue
            yield from (("-", line) for line in old[old_start:old_end])
            yield from (("+", line) for line in new[new_start:new_end])


def _alike(old: Sequence[str], new: Sequence[str]) -> tuple[int, int]:
    """How many lines at the start and at the end are left out because both have them; some context stays."""
    most = min(len(old), len(new))
    start = next((number for number in range(most) if old[number] != new[number]), most)
    end = next((number for number in range(most - start) if old[-1 - number] != new[-1 - number]), most - start)
    return max(0, start - _CONTEXT), max(0, end - _CONTEXT)


def _shortened(lines: list[str], most_lines: int) -> list[str]:
    """The first lines; of those that come, which are what a person decides on, at least half of the room."""
    if len(lines) <= most_lines:
        return lines
    coming = sum(line.startswith("+") for line in lines)
    spare = max(0, most_lines - min(coming, most_lines // 2))
    kept: list[str] = []
    for line in lines:
        if len(kept) == most_lines:
            break
        if line.startswith("+"):
            kept.append(line)
        elif spare:
            kept.append(line)
            spare -= 1
    return [*kept, f" … {len(lines) - len(kept):,} more lines"]
