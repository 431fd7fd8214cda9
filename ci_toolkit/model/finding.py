"""What a review finds in a change of a package: each with the rule that says so, how bad it is, and where."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Literal

ReviewVerdict = Literal["minor", "review", "refuse"]


class Severity(IntEnum):
    """How bad a finding is; the worst one of a change decides about it.

    `MINOR` is harmless and applied, `REFUSE` is never applied nor put on a review branch; a person decides between.
    """

    MINOR = 0
    LOW = 1
    MEDIUM = 2
    HIGH = 3
    CRITICAL = 4
    REFUSE = 5

    @property
    def word(self) -> str:
        """As it is written in configuration and reports."""
        return self.name.lower()

    @property
    def verdict(self) -> ReviewVerdict:
        """What a change leads to when this is the worst that was found in it."""
        if self is Severity.MINOR:
            return "minor"
        return "refuse" if self is Severity.REFUSE else "review"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One thing that is looked for: `id` never changes, `meaning` is a sentence for people.

    The owner of a repository may give it another severity, but a `fixed` one only a higher one.
    """

    id: str
    severity: Severity
    meaning: str
    fixed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What one rule says of one place.

    `line` counts from 1 in the new version of `file`, or in the old one when `new` is None; None: the whole file.
    `old` and `new` are the text there before and after, as it stands in the file and not shortened; `text` is a
    sentence that makes sense without them. All three may hold whatever a stranger wrote.
    """

    rule: str
    severity: Severity
    file: str
    text: str
    line: int | None = None
    old: str | None = None
    new: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Assessment:
    """All findings of a change, the worst first."""

    findings: tuple[Finding, ...] = ()

    @property
    def severity(self) -> Severity:
        """The worst of them; minor when there is none."""
        return max((finding.severity for finding in self.findings), default=Severity.MINOR)

    @property
    def verdict(self) -> ReviewVerdict:
        """What the change leads to."""
        return self.severity.verdict
