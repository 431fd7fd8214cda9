"""Two versions of a PKGBUILD, statement by statement."""

from __future__ import annotations

from difflib import SequenceMatcher
from typing import TYPE_CHECKING, NamedTuple

from ci_toolkit.errors import FormatError
from ci_toolkit.formats.bash_tokens import SEPARATOR
from ci_toolkit.model.finding import Finding, Rule, Severity
from ci_toolkit.review import characters, dangerous, hunks, variables
from ci_toolkit.review.allowing import allow, undone
from ci_toolkit.review.commands import read_script
from ci_toolkit.review.dangerous import added_dangers, danger_findings
from ci_toolkit.review.rules import CANNOT_TELL, PKGBUILD, Place, found
from ci_toolkit.review.steps import read_steps
from ci_toolkit.review.variables import Sides

if TYPE_CHECKING:
    import re
    from collections.abc import Sequence

    from ci_toolkit.review.commands import ReadScript, Statement

NEW_PACKAGE = Rule(id="package-added", severity=Severity.MEDIUM, meaning="The package is new; all of it is to be read.")
REMOVED = Rule(id="pkgbuild-removed", severity=Severity.MEDIUM, meaning="There is no PKGBUILD any more.")
RULES = (CANNOT_TELL, NEW_PACKAGE, REMOVED)

_MOST_CHANGED = 1_500


class _Pair(NamedTuple):
    """A statement of one side with its counterpart; one of both may be missing."""

    old: Statement | None
    new: Statement | None


def compare_pkgbuilds(old: bytes, new: bytes, allowed: Sequence[re.Pattern[str]] = ()) -> list[Finding]:
    """What a person has to know about the step from one PKGBUILD to another; harmless steps are minor findings."""
    strict = _compare(old, new)
    if not allowed or _is_minor(strict):
        return strict
    lenient = [allow(finding, allowed) for finding in strict]
    if not _is_minor(lenient):
        return lenient
    # Nothing may hide beside what the owner allowed: without it, the rest has to be harmless by itself.
    spared = [before for before, after in zip(strict, lenient, strict=True) if before != after]
    rest = undone(new, spared)
    return lenient if rest is not None and _is_minor(_compare(old, rest)) else strict


def _is_minor(findings: Sequence[Finding]) -> bool:
    return all(finding.severity is Severity.MINOR for finding in findings)


def _compare(old: bytes, new: bytes) -> list[Finding]:
    if old == new:
        return []
    odd = characters.character_findings(old, new, PKGBUILD)
    try:
        before, after = read_script(old), read_script(new)
    except FormatError as error:
        danger = danger_findings(added_dangers(old, new), PKGBUILD, "function")
        return [*danger, *odd, _cannot_tell(error)]
    changed = _changed_pairs(before, after)
    if changed is None:
        return [*odd, found(CANNOT_TELL, Place(), "PKGBUILD changed in too many places to compare.")]
    sides = Sides(before, after, read_steps(before, after))
    findings = [*odd, *(finding for pair in changed for finding in _judge(pair, changed, sides))]
    if _is_minor(findings):
        return [*_unseen_difference(before, after, changed), *findings]
    return [*_danger(before, after, sides), *findings]


def assess_pkgbuild(new: bytes) -> list[Finding]:
    """What a person has to know about a PKGBUILD that is new."""
    result = characters.character_findings(b"", new, PKGBUILD)
    try:
        script = read_script(new)
    except FormatError as error:
        return [*danger_findings(added_dangers(b"", new), PKGBUILD, "function"), *result, _cannot_tell(error)]
    added = _danger_by_place(script, added_dangers(b"", new, None, script))
    return [*added, *result, found(NEW_PACKAGE, Place(), NEW_PACKAGE.meaning)]


def _cannot_tell(error: FormatError) -> Finding:
    return found(CANNOT_TELL, Place(line=error.line), f"PKGBUILD cannot be compared: it {error.problem}.")


def _changed_pairs(old: ReadScript, new: ReadScript) -> list[_Pair] | None:
    """What differs, in order; None when that is too much to be lined up."""
    before, after = list(old.statements), list(new.statements)
    while before and after and before[0].raw == after[0].raw:
        del before[0], after[0]
    while before and after and before[-1].raw == after[-1].raw:
        del before[-1], after[-1]
    if max(len(before), len(after)) > _MOST_CHANGED:
        return None
    old_keys, new_keys = _keys(before), _keys(after)
    pairs = []
    for kind, a, b, c, d in SequenceMatcher(None, old_keys, new_keys, autojunk=False).get_opcodes():
        if kind == "equal":
            lined_up = zip(before[a:b], after[c:d], strict=True)
            pairs += [_Pair(one, two) for one, two in lined_up if not one.equals(two)]
        else:
            pairs += [_Pair(statement, None) for statement in before[a:b]]
            pairs += [_Pair(None, statement) for statement in after[c:d]]
    return pairs


def _keys(statements: list[Statement]) -> list[tuple[object, ...]]:
    """By what statements are recognised on the other side: their name, or all of them."""
    return [
        ("other", statement.tokens) if statement.kind == "other" else (statement.kind, statement.name)
        for statement in statements
    ]


def _judge(pair: _Pair, changed: list[_Pair], sides: Sides) -> list[Finding]:
    old, new = pair
    if old is not None and new is not None:
        is_assignment = old.kind == new.kind == "assignment"
        return variables.judge_assignment(old, new, sides) if is_assignment else hunks.judge_changed(old, new)
    if new is not None:
        twin = next((it.old for it in changed if it.old and not it.new and it.old.equals(new)), None)
        if twin:
            return [hunks.judge_moved(new)]
        return variables.judge_added(new, sides) if new.kind == "assignment" else [hunks.judge_added(new)]
    if old is None:
        return []
    twin = next((it.new for it in changed if it.new and not it.old and it.new.equals(old)), None)
    if twin:
        return []
    added = [it.new.name for it in changed if it.new and not it.old and it.new.kind == "assignment"]
    return [variables.judge_removed(old, added)] if old.kind == "assignment" else [hunks.judge_removed(old)]


def _unseen_difference(old: ReadScript, new: ReadScript, masked: list[_Pair]) -> list[Finding]:
    """A finding when the second reader sees more differences than the statements that were judged to be harmless."""
    old_texts = _masked(old, [pair.old for pair in masked if pair.old])
    new_texts = _masked(new, [pair.new for pair in masked if pair.new])
    if old_texts is not None and old_texts == new_texts:
        return []
    return [found(CANNOT_TELL, Place(), "PKGBUILD differs in more than what could be lined up.")]


def _masked(script: ReadScript, statements: list[Statement]) -> list[bytes] | None:
    """The words of a script without these statements; None when a statement is no run of whole words."""
    result: list[bytes] = []
    words, position = script.words, 0
    for statement in sorted(statements, key=lambda it: it.start):
        while position < len(words) and words[position].start < statement.start:
            result.append(words[position].text)
            position += 1
        first = position
        while position < len(words) and words[position].start < statement.end:
            position += 1
        inside = words[first:position]
        if not inside or (inside[0].start, inside[-1].end) != (statement.start, statement.end):
            return None
        if statement.kind == "assignment" and [word.text for word in inside] != _expected(statement):
            return None
        # What ends a statement belongs to it: one that is new has a separator of its own.
        if position == len(words) or words[position].text != SEPARATOR:
            return None
        position += 1
    return [*result, *(word.text for word in words[position:])]


def _expected(statement: Statement) -> list[bytes]:
    """What the second reader has to see of a plain assignment."""
    setting = statement.setting
    if setting is None or setting.elements is None:
        return [statement.raw]
    elements = (statement.data[word.start : word.end] for word in setting.elements)
    return [statement.data[statement.start : setting.value_start], b"(", *elements, b")"]


def _danger(old: ReadScript, new: ReadScript, sides: Sides) -> list[Finding]:
    added = added_dangers(old.data, new.data, old, new)
    return _danger_by_place(sides.new, added)


def _danger_by_place(script: ReadScript, added: list[dangerous.Danger]) -> list[Finding]:
    """Sources and descriptions may hold words such as git or npm: what is dangerous is to run them."""
    plain = {
        line
        for statement in script.statements
        if statement.kind == "assignment" and b"$(" not in statement.raw and b"`" not in statement.raw
        for line in range(statement.line, statement.node.end_point[0] + 2)
    }
    code = {line for statement in script.statements if statement.kind != "assignment"
            for line in range(statement.line, statement.node.end_point[0] + 2)}  # fmt: skip
    return danger_findings((it for it in added if it.line in code or it.line not in plain), PKGBUILD, "function")
