"""Commit messages: conventional commits (conventionalcommits.org, 1.0.0), and the packages they ask to deploy.

    fix(firedragon)!: leave out the patch     type, scope if there is one, ! for what breaks, description
                                              an empty line
    Any text. [deploy firedragon]             builds the package although nothing in it is different

Messages that git writes itself (merges, reverts, fixups) are left alone.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

TYPES = ("build", "bump", "chore", "ci", "docs", "feat", "fix", "perf", "refactor", "revert", "style", "test")
_DEPLOY = re.compile(r"\[deploy ([^\]\n]*)\]")
_HEADER = re.compile(r"(?P<type>[^\s():!]+)(?:\((?P<scope>[^()]*)\))?!?:(?P<rest>.*)")
_BY_GIT = re.compile(r"Merge |Revert \"|Reapply \"|fixup! |squash! |amend! ")
_SCISSORS = re.compile(r"# -+ >8 -+")
_FORM = "write `type(scope): description`, such as `fix(paru): build with the new pacman`"


def deployed_names(message: str) -> tuple[str, ...]:
    """The names in `[deploy NAME]`, in order; what they name is not asked here."""
    return tuple(name.strip() for name in _DEPLOY.findall(message))


def message_lines(text: str) -> tuple[tuple[int, str], ...]:
    """The lines, from 1, that become part of the commit: none that git leaves out as comments or behind scissors."""
    kept = []
    for number, line in enumerate(text.split("\n"), 1):
        if _SCISSORS.fullmatch(line):
            break
        if not line.startswith("#"):
            kept.append((number, line.rstrip()))
    first = next((index for index, (_, line) in enumerate(kept) if line), len(kept))
    return tuple(kept[first:])


def message_faults(text: str) -> Iterator[tuple[int, str, str | None]]:
    """Line, fault and hint of everything that makes a message no conventional commit."""
    lines = message_lines(text)
    if not any(line for _, line in lines):
        yield 1, "the message is empty", _FORM
        return
    number, header = lines[0]
    if _BY_GIT.match(header):
        return
    yield from ((number, fault, hint) for fault, hint in _header_faults(header))
    if len(lines) > 1 and lines[1][1]:
        yield lines[1][0], "the second line is not empty", "everything behind the first line is a body of its own"


def _header_faults(header: str) -> Iterator[tuple[str, str | None]]:
    match = _HEADER.fullmatch(header)
    if match is None:
        yield "the first line is no conventional commit", _FORM
        return
    if match["type"] not in TYPES:
        yield f"{match['type'][:40]!r} is no type of change", f"there are {', '.join(TYPES)}"
    if match["scope"] is not None and not match["scope"].strip():
        yield "the scope is empty", "leave the parentheses out"
    if not match["rest"].strip():
        yield "the description is missing", _FORM
    elif not match["rest"].startswith(" "):
        yield "there is no blank behind the colon", _FORM
