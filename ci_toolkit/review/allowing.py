"""CI_PKGBUILD_CHANGE_ALLOW_REGEX: changes that the owner has declared to be no major ones."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from ci_toolkit.model.finding import Finding, Severity
from ci_toolkit.review.dangerous import text_dangers

if TYPE_CHECKING:
    from collections.abc import Sequence

_LONGEST_LINE = 4_096
_SYNTAX = re.compile(r"\$\(|`|[<>]\(|<<|[;&|<>]|\\$|[^\t -~]", re.MULTILINE)


def allow(finding: Finding, patterns: Sequence[re.Pattern[str]]) -> Finding:
    """The finding, made minor when every line of its place matches one pattern both before and after.

    Never so when the new text runs more than the old one, whatever the patterns say.
    """
    if not patterns or finding.old is None or finding.new is None or finding.severity is Severity.REFUSE:
        return finding
    old, new = finding.old.split("\n"), finding.new.split("\n")
    if len(old) != len(new) or adds_syntax(finding.old, finding.new):
        return finding
    changed = [(before, after) for before, after in zip(old, new, strict=True) if before != after]
    if changed and all(_is_allowed(before, after, patterns) for before, after in changed):
        return replace(finding, severity=Severity.MINOR)
    return finding


def undone(data: bytes, findings: Sequence[Finding]) -> bytes | None:
    """The new script with what these findings show as it was before; None when that cannot be put back."""
    for finding in sorted(findings, key=lambda it: -(it.line or 0)):
        if finding.line is None or finding.old is None or not finding.new:
            return None
        lines = data.split(b"\n")
        start = sum(len(line) + 1 for line in lines[: finding.line - 1])
        at = data.find(finding.new.encode(), start)
        if not start <= at < start + len(lines[finding.line - 1]):
            return None
        data = data[:at] + finding.old.encode() + data[at + len(finding.new.encode()) :]
    return data


def adds_syntax(old: str, new: str) -> bool:
    """Whether the new text has more commands, redirections, expansions or odd characters, or dangerous words."""
    return sorted(_SYNTAX.findall(old)) != sorted(_SYNTAX.findall(new)) or bool(text_dangers(new) - text_dangers(old))


def _is_allowed(old: str, new: str, patterns: Sequence[re.Pattern[str]]) -> bool:
    if max(len(old), len(new)) > _LONGEST_LINE:
        return False
    return any(pattern.search(old) and pattern.search(new) for pattern in patterns)
