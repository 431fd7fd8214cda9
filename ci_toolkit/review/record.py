"""The part of a description that machines read: one line of JSON in a comment of HTML.

People can edit descriptions, so what is read back is checked, and a record that is no good is as if there were none.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ci_toolkit.model.finding import Severity
from ci_toolkit.review.visible import one_visible_line

if TYPE_CHECKING:
    from ci_toolkit.review.subject import ReviewSubject

SCHEMA = 1
_MARK = "ci-toolkit-review"
# At the start of a line stands nothing that a stranger wrote: see module markdown.
_BLOCK = re.compile(rf"^<!-- {_MARK} (\{{.*\}}) -->\r?$", re.MULTILINE)
_LARGEST = 12_000
_LONGEST_TEXT = 240
_LONGEST_NAME = 200
_WORDS = {severity.word: severity for severity in Severity}
# Nothing that ends a comment, nor what a service would look for in the text of an e-mail.
_ESCAPED = str.maketrans({character: f"\\u{ord(character):04x}" for character in "<>&@#!~%$`"})


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedFinding:
    """A finding as it was, its text shortened."""

    rule: str
    severity: Severity
    file: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DescriptionRecord:
    """What a description was about; `left_out` counts findings that had no room in it."""

    package: str
    old_version: str | None
    new_version: str | None
    revision: str | None
    content: str | None
    severity: Severity
    findings: tuple[RecordedFinding, ...]
    left_out: int = 0


def record_of(subject: ReviewSubject) -> DescriptionRecord:
    """The record that belongs into the description of `subject`."""
    findings = tuple(
        RecordedFinding(
            rule=finding.rule,
            severity=finding.severity,
            file=_short(finding.file, _LONGEST_NAME),
            text=_short(finding.text, _LONGEST_TEXT),
        )
        for finding in subject.findings
    )
    return DescriptionRecord(
        package=subject.pkgbase,
        old_version=_name(subject.old_version),
        new_version=_name(subject.new_version),
        revision=_name(subject.revision),
        content=subject.content,
        severity=subject.severity,
        findings=findings,
    )


def format_record(record: DescriptionRecord) -> str:
    """The block, at most some 12,000 characters long: the least severe findings are left out."""
    rows: list[dict[str, str]] = []
    size = 0
    for finding in record.findings:
        row = {
            "rule": finding.rule,
            "severity": finding.severity.word,
            "file": finding.file,
            "text": finding.text,
        }
        size += len(_json(row))
        if size > _LARGEST:
            break
        rows.append(row)
    value = {
        "schema": SCHEMA,
        "package": record.package,
        "verdict": record.severity.verdict,
        "severity": record.severity.word,
        "from": record.old_version,
        "to": record.new_version,
        "revision": record.revision,
        "content": record.content,
        "findings": rows,
        "left_out": record.left_out + len(record.findings) - len(rows),
    }
    return f"<!-- {_MARK} {_json(value)} -->"


def parse_record(body: str) -> DescriptionRecord | None:
    """The last record in a description; None when there is none that can be understood."""
    blocks = _BLOCK.findall(body)
    try:
        value = json.loads(blocks[-1]) if blocks else None
        return _record(value)
    except (ValueError, RecursionError, KeyError, TypeError):
        return None


def _record(value: Any) -> DescriptionRecord | None:  # noqa: ANN401 - JSON, checked here
    match value:
        case {"schema": 1, "package": str(package), "severity": str(word), "findings": list(rows), "left_out": int(n)}:
            texts = [value.get(key) for key in ("from", "to", "revision", "content")]
            if not all(text is None or isinstance(text, str) for text in texts):
                return None
            return DescriptionRecord(
                package=package,
                old_version=texts[0],
                new_version=texts[1],
                revision=texts[2],
                content=texts[3],
                severity=_WORDS[word],
                findings=tuple(_finding(row) for row in rows),
                left_out=n,
            )
    return None


def _finding(row: Any) -> RecordedFinding:  # noqa: ANN401 - JSON, checked here
    match row:
        case {"rule": str(rule), "severity": str(word), "file": str(file), "text": str(text)}:
            return RecordedFinding(rule=rule, severity=_WORDS[word], file=file, text=text)
    raise ValueError("a finding of another shape")


def _json(value: object) -> str:
    return json.dumps(value, separators=(",", ":")).translate(_ESCAPED)


def _short(text: str, limit: int) -> str:
    shown = one_visible_line(text)
    return shown if len(shown) <= limit else f"{shown[: limit - 1]}…"


def _name(text: str | None) -> str | None:
    return None if text is None else _short(text, _LONGEST_NAME)
