"""Markdown of GitLab and GitHub in which strangers' text stays text.

Backslashes and entities are not enough: both services look for mentions (`@user`), issues (`#1`, `!1`), labels (`~a`),
addresses and quick actions (`/merge`) in the rendered text, and skip only code. So whatever is not a plain word becomes
code, and lines of files stand in fences behind a sign, where no line starts with a slash or a fence.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import quote

from ci_toolkit.review.visible import code_point, one_visible_line, visible

if TYPE_CHECKING:
    from collections.abc import Iterable

LONGEST_SENTENCE = 400
_PIECE = re.compile(r"\"[^\"]*\"|(?<![\w])'[^']*'(?!\w)|\S+")
# A word that neither service, nor Markdown, sees anything in; seven hexadecimal letters could be a commit.
_PLAIN = re.compile(r"[(]?(?![a-fA-F]{7,}\b)(?:[A-Za-z]+(?:['-][A-Za-z]+)*|[0-9]{1,6})[)]?[.,;:]?")
_TRAILING = ",;:."
_URL = re.compile(r"https://[A-Za-z0-9.-]+(?::[0-9]{1,5})?(?:/[A-Za-z0-9._~/?&=%+:@,;-]*)?")


def code(text: str, *, limit: int = LONGEST_SENTENCE) -> str:
    """`text` as a code span on one line."""
    shown = cut(one_visible_line(text), limit)
    if not shown.strip():
        return f"`<{len(shown)} blanks>`"
    marks = "`" * (longest_run(shown) + 1)
    pad = " " if shown.startswith(("`", " ")) or shown.endswith(("`", " ")) else ""
    return f"{marks}{pad}{shown}{pad}{marks}"


def cell(text: str, *, limit: int = LONGEST_SENTENCE) -> str:
    """The same in a table: a pipe would end the cell even there, and is shown by its number."""
    return code(text, limit=limit).replace("|", code_point("|"))


def prose(sentence: str, *, limit: int = LONGEST_SENTENCE) -> str:
    """A sentence in which everything but plain words is code; what is quoted in it is one piece of code."""
    text = cut(one_visible_line(sentence), limit)
    parts: list[str] = []
    dubious: tuple[int, int] | None = None
    for match in _PIECE.finditer(text):
        if _PLAIN.fullmatch(match[0]) and _stands_alone(text, match):
            parts += [*_as_code(text, dubious), match[0]]
            dubious = None
        else:
            dubious = (dubious[0] if dubious else match.start(), match.end())
    return " ".join([*parts, *_as_code(text, dubious)]) or "(nothing is said of it)"


def fenced(lines: Iterable[str], language: str = "") -> str:
    """Lines of files as a block, closed by more backticks than there are in a row anywhere in it.

    The caller puts a sign (`+`, `-`, a blank) in front of each line.
    """
    shown = [visible(line) for line in lines]
    marks = "`" * max(3, 1 + max(map(longest_run, shown), default=0))
    return "\n".join([f"{marks}{language}", *shown, marks])


def link(label: str, url: str | None) -> str:
    """A link with a label of ours, or the address as code where it is not plainly one; for a table."""
    if url is None or not label:
        return label
    if not _URL.fullmatch(url):
        return f"{label}: {cell(url)}"
    return f"[{label}](<{quote(url, safe='/:?&=%+~,;-._')}>)"


def cut(text: str, limit: int) -> str:
    """`text`, or its beginning and end with the number of characters in between."""
    if len(text) <= limit:
        return text
    head, tail = limit * 3 // 4, limit // 8
    return f"{text[:head]} <{len(text) - head - tail:,} more characters> {text[-tail:]}"


def longest_run(text: str) -> int:
    """How many backticks follow each other at most."""
    return max(map(len, re.findall("`+", text)), default=0)


def _stands_alone(text: str, match: re.Match[str]) -> bool:
    """Whether there are blanks, or the ends of the text, around a piece."""
    return not text[match.start() - 1 : match.start()].strip() and not text[match.end() : match.end() + 1].strip()


def _as_code(text: str, span: tuple[int, int] | None) -> list[str]:
    """A part of a text as one code span; quotes around the whole and a comma behind it are not part of it."""
    if span is None:
        return []
    part = text[slice(*span)]
    body, behind = (part[:-1], part[-1]) if len(part) > 1 and part[-1] in _TRAILING else (part, "")
    if len(body) > 2 and body[0] == body[-1] and body[0] in "'\"" and body[0] not in body[1:-1]:
        body = body[1:-1]
    return [code(body, limit=len(body)) + behind]
