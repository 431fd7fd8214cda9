"""What a review is about: everything that its description, its comments and the terminal tell."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ci_toolkit.model.finding import Assessment, Finding, Severity
from ci_toolkit.review.facts import Facts

if TYPE_CHECKING:
    from ci_toolkit.model.names import Oid, Pkgbase

_NO_FACTS = Facts()
WORDS = {severity: "refused" if severity is Severity.REFUSE else severity.word for severity in Severity}


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewSubject:
    """One change of one package. None is what is not known, or what there is none of.

    `old_version` None: the package is new. `upstream` is its CI_PKGBUILD_SOURCE, `link` the page that the upstream's
    kind gave, `compare` one of the sources' own repository. `old_maintainers` are those last seen; an empty tuple
    means an orphaned package. `content` names the tree of the files, `branch` and `target` are those of the review.
    """

    pkgbase: Pkgbase | str
    assessment: Assessment
    old_version: str | None = None
    new_version: str | None = None
    old_revision: str | None = None
    revision: str | None = None
    old_maintainers: tuple[str, ...] | None = None
    maintainers: tuple[str, ...] | None = None
    upstream: str | None = None
    link: str | None = None
    compare: str | None = None
    facts: Facts = _NO_FACTS
    branch: str | None = None
    target: str | None = None
    content: Oid | None = None

    @property
    def severity(self) -> Severity:
        """The worst of the findings."""
        return self.assessment.severity

    @property
    def findings(self) -> tuple[Finding, ...]:
        """The worst first, and otherwise in their order."""
        return tuple(sorted(self.assessment.findings, key=lambda finding: -finding.severity))

    @property
    def maintainers_changed(self) -> bool:
        """Whether the people are known not to be those of before."""
        known = self.maintainers is not None and self.old_maintainers is not None
        return known and set(self.maintainers or ()) != set(self.old_maintainers or ())


def shares_lines(finding: Finding, other: Finding | None) -> bool:
    """Whether two findings are about the same lines, which then need to be shown once."""
    if other is None or (finding.old, finding.new) == (None, None) or finding.severity is not other.severity:
        return False
    return (finding.file, finding.old, finding.new) == (other.file, other.old, other.new)


def place(finding: Finding) -> str:
    """Where it was found, such as `PKGBUILD:12`; `before` where the line is one of the old version."""
    if finding.line is None:
        return finding.file
    gone = " before" if finding.new is None and finding.old is not None else ""
    return f"{finding.file}:{finding.line}{gone}"


def tally(findings: tuple[Finding, ...]) -> str:
    """How many of which severity, the worst first: `1 critical, 2 medium`."""
    counted = {severity: sum(finding.severity is severity for finding in findings) for severity in reversed(Severity)}
    return ", ".join(f"{count} {WORDS[severity]}" for severity, count in counted.items() if count)
