"""How the rules of the comparison are written down, and how a finding is made of one."""

from __future__ import annotations

from dataclasses import dataclass

from ci_toolkit.model.finding import Finding, Rule, Severity

PKGBUILD = "PKGBUILD"

CANNOT_TELL = Rule(
    id="cannot-tell",
    severity=Severity.MEDIUM,
    meaning="The file cannot be understood, so anything may have changed.",
    fixed=True,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a change is: lines as in `Finding`, with the text before and after."""

    file: str = PKGBUILD
    line: int | None = None
    old: str | None = None
    new: str | None = None


def found(rule: Rule, place: Place, text: str, severity: Severity | None = None) -> Finding:
    """What `rule` says of a place; `severity` when this place is worse or better than the rule's usual one."""
    return Finding(
        rule=rule.id,
        severity=rule.severity if severity is None else severity,
        file=place.file,
        text=text,
        line=place.line,
        old=place.old,
        new=place.new,
    )
