"""Statements that changed other than in a harmless value, shown place by place: one finding for each block of lines."""

from __future__ import annotations

import re
from collections import Counter
from difflib import SequenceMatcher
from typing import TYPE_CHECKING, NamedTuple

from ci_toolkit.model.finding import Rule, Severity
from ci_toolkit.review.commands import pieces_of
from ci_toolkit.review.rules import Place, found

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ci_toolkit.model.finding import Finding
    from ci_toolkit.review.commands import Piece, Statement

FUNCTION_CHANGED = Rule(id="function-changed", severity=Severity.MEDIUM, meaning="What a function does changed.")
FUNCTION_ADDED = Rule(id="function-added", severity=Severity.HIGH, meaning="A function is new.")
FUNCTION_REMOVED = Rule(id="function-removed", severity=Severity.MEDIUM, meaning="A function is gone.")
COMMAND_CHANGED = Rule(
    id="command-changed", severity=Severity.HIGH, meaning="A command outside of functions changed; it runs on reading."
)
COMMAND_ADDED = Rule(id="command-added", severity=Severity.MEDIUM, meaning="A command is new.")
COMMAND_REMOVED = Rule(id="command-removed", severity=Severity.MEDIUM, meaning="A command is gone.")
SUBSTITUTION = Rule(id="expansion-in-function", severity=Severity.MEDIUM, meaning="A text is computed in another way.")
REDIRECTION = Rule(id="redirection-added", severity=Severity.MEDIUM, meaning="A command reads or writes another file.")
HEREDOC = Rule(id="heredoc-changed", severity=Severity.MEDIUM, meaning="A text that a function writes changed.")
MOVED = Rule(id="order-changed", severity=Severity.LOW, meaning="A statement stands in another place.")
RULES = (
    *(FUNCTION_CHANGED, FUNCTION_ADDED, FUNCTION_REMOVED, COMMAND_CHANGED, COMMAND_ADDED, COMMAND_REMOVED),
    *(SUBSTITUTION, REDIRECTION, HEREDOC, MOVED),
)

_PACKAGE_FUNCTIONS = frozenset({"prepare", "build", "check", "package", "pkgver", "verify"})
_MOST_LINES = 3_000
_SETS = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\+?=")


class _Hunk(NamedTuple):
    """Lines of a statement, from 0, that changed."""

    old_start: int
    old_end: int
    new_start: int
    new_end: int


def judge_changed(old: Statement, new: Statement) -> list[Finding]:
    """What to say of a function or command that changed: a finding for each place."""
    old_lines, new_lines = old.text.split("\n"), new.text.split("\n")
    hunks = list(_hunks(old_lines, new_lines))
    if not hunks:
        return [found(_changed_rule(new), Place(line=new.line, old=old.text, new=new.text), _whole(new))]
    old_pieces, new_pieces = pieces_of(old.node, old.data), pieces_of(new.node, new.data)
    result = []
    for hunk in hunks:
        before = _within(old_pieces, old.line, hunk.old_start, hunk.old_end)
        after = _within(new_pieces, new.line, hunk.new_start, hunk.new_end)
        is_gone = hunk.new_start == hunk.new_end
        place = Place(
            line=old.line + hunk.old_start if is_gone else new.line + hunk.new_start,
            old="\n".join(old_lines[hunk.old_start : hunk.old_end]) or None,
            new=None if is_gone else "\n".join(new_lines[hunk.new_start : hunk.new_end]),
        )
        result.append(_judge_hunk(new, place, before, after))
    return result


def judge_added(statement: Statement) -> Finding:
    """What to say of a function or command that is new."""
    place = Place(line=statement.line, new=statement.text)
    if statement.kind == "function":
        known = statement.name in _PACKAGE_FUNCTIONS or statement.name.startswith("package_")
        severity = Severity.MEDIUM if known else Severity.HIGH
        return found(FUNCTION_ADDED, place, f"The function {statement.name} is new.", severity)
    return found(COMMAND_ADDED, place, "A command outside of functions is new; it runs on reading.", Severity.HIGH)


def judge_removed(statement: Statement) -> Finding:
    """What to say of a function or command that is gone."""
    place = Place(line=statement.line, old=statement.text)
    if statement.kind == "function":
        return found(FUNCTION_REMOVED, place, f"The function {statement.name} is gone.")
    return found(COMMAND_REMOVED, place, "A command outside of functions is gone.")


def judge_moved(statement: Statement) -> Finding:
    """What to say of a statement that is the same but stands in another place."""
    what = statement.name or "A command"
    return found(MOVED, Place(line=statement.line, new=statement.text), f"{what} stands in another place.")


def _hunks(old: list[str], new: list[str]) -> Iterator[_Hunk]:
    if max(len(old), len(new)) > _MOST_LINES:
        return
    old_bare, new_bare = [line.strip() for line in old], [line.strip() for line in new]
    for kind, a, b, c, d in SequenceMatcher(None, old_bare, new_bare, autojunk=False).get_opcodes():
        lines = [*old_bare[a:b], *new_bare[c:d]]
        if kind != "equal" and not all(not line or line.startswith("#") for line in lines):
            yield _Hunk(a, b, c, d)


def _within(pieces: list[Piece], line: int, start: int, end: int) -> list[Piece]:
    return [piece for piece in pieces if piece.line - line < end and piece.end_line - line >= start]


def _judge_hunk(statement: Statement, place: Place, before: list[Piece], after: list[Piece]) -> Finding:
    if statement.kind != "function":
        return found(COMMAND_CHANGED, place, _whole(statement))
    more = {piece.kind for piece in (Counter(_texts(after)) - Counter(_texts(before)))}
    where = f"in {statement.name}"
    names = {kind: {_command_name(piece.text) for piece in pieces if piece.kind == "command"}
             for kind, pieces in (("old", before), ("new", after))}  # fmt: skip
    if any(piece.kind == "heredoc" for piece in after):
        return found(HEREDOC, place, f"A text written {where} changed.")
    if fresh := names["new"] - names["old"]:
        return found(COMMAND_ADDED, place, f"New commands {where}: {', '.join(sorted(fresh))[:200]}.")
    for kind, rule in (("redirection", REDIRECTION), ("expansion", SUBSTITUTION)):
        if kind in more:
            return found(rule, place, f"A new {kind} {where}.")
    if place.new is None:
        return found(COMMAND_REMOVED, place, f"A command {where} is gone.")
    return found(FUNCTION_CHANGED, place, f"What {statement.name} does changed.")


def _command_name(text: str) -> str:
    """The word that is run: variables may be set for it in front."""
    words = text.split(" ")
    return next((word for word in words if not _SETS.match(word)), words[0])


def _texts(pieces: list[Piece]) -> list[Piece]:
    return [piece._replace(line=0, end_line=0) for piece in pieces]


def _changed_rule(statement: Statement) -> Rule:
    return FUNCTION_CHANGED if statement.kind == "function" else COMMAND_CHANGED


def _whole(statement: Statement) -> str:
    if statement.kind == "function":
        return f"What {statement.name} does changed."
    return "A command outside of functions changed; it runs on reading."
