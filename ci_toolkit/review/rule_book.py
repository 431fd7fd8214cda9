"""All rules together with the owner's severities: what the findings of a change amount to."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ci_toolkit.errors import ConfigError
from ci_toolkit.model.finding import Assessment, Finding, Rule, Severity
from ci_toolkit.model.names import nearest

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ci_toolkit.model.review_settings import ReviewSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleBook:
    """Every rule by its id, and the severities that the owner gave to some."""

    rules: Mapping[str, Rule]
    severities: Mapping[str, Severity]

    @classmethod
    def of(cls, rules: Iterable[Rule], settings: ReviewSettings) -> RuleBook:
        """ConfigError, with file and line, when the owner names a rule that is not there or lowers a fixed one.

        Two rules with one id are a mistake of the program; those of plugins are checked when they are loaded.
        """
        known: dict[str, Rule] = {}
        for rule in rules:
            if known.setdefault(rule.id, rule) is not rule:
                raise ValueError(f"two rules are called {rule.id}")
        for name, severity in settings.severities.items():
            problem, hint = _fault(name, severity, known)
            if problem:
                error = ConfigError(problem, key=name, hint=hint)
                raise error.located(file=settings.file, line=settings.lines.get(name))
        return cls(rules=known, severities=dict(settings.severities))

    def rated(self, findings: Iterable[Finding]) -> Assessment:
        """The findings with the owner's severities, in order; KeyError for a rule that is not in the book."""
        return assessed(self._rated(finding) for finding in findings)

    def _rated(self, finding: Finding) -> Finding:
        rule = self.rules[finding.rule]
        severity = self.severities.get(rule.id)
        if severity is None:
            return finding
        # A rule may say of one place that it is worse than usual, and a fixed one is never made harmless.
        return replace(finding, severity=max(severity, finding.severity) if rule.fixed else severity)


def assessed(findings: Iterable[Finding]) -> Assessment:
    """The findings in order: the worst first, then by file and line, what holds for the whole file before its lines."""
    return Assessment(
        findings=tuple(sorted(findings, key=lambda one: (-one.severity, one.file, one.line or 0, one.rule)))
    )


def _fault(name: str, severity: Severity, known: Mapping[str, Rule]) -> tuple[str, str | None]:
    rule = known.get(name)
    if rule is None:
        return "is no rule", nearest(name, known) or None
    if rule.fixed and severity < rule.severity:
        return f"cannot be less than {rule.severity.word}", rule.meaning
    return "", None
