"""A review's title and description, and what is said when it is about another revision than before."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ci_toolkit.model.finding import Severity
from ci_toolkit.review.markdown import code, prose
from ci_toolkit.review.record import DescriptionRecord, RecordedFinding, format_record, parse_record, record_of
from ci_toolkit.review.sections import alarms, decision, findings_by_severity, news, table
from ci_toolkit.review.subject import WORDS, ReviewSubject, tally
from ci_toolkit.review.visible import one_visible_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

LARGEST_BODY = 58_000  # GitHub takes 65,536; forges add a line of their own
LONGEST_TITLE = 200
_ACTION = "chore(update)"
_LONGEST_REASON = 90
_LONGEST_VERSION = 50
_MOST_NAMED = 20
# Titles are searched for mentions and the like, too, and have no code.
_NOT_IN_TITLES = re.compile(r"[^A-Za-z0-9 .,:;()'+=_/→…-]")
_DASH = "\N{EN DASH}"
_SCHEME = re.compile(r"(?:[a-z][a-z0-9+.-]*)?://|\bwww\.", re.IGNORECASE)
_UPSTREAMS = {"aur": "The AUR package", "custom": "The package"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """A title on one line, and a text in Markdown of at most 58,000 characters."""

    title: str
    body: str


def describe(subject: ReviewSubject) -> Description:
    """What a service shows of a review."""
    return Description(title=title_of(subject), body=_body(subject))


def title_of(subject: ReviewSubject) -> str:
    """`chore(update): foo 1.2-1 → 1.3-1`, with the worst of high and critical findings behind it."""
    title = f"{_ACTION}: {subject.pkgbase}{_step(subject)}"
    if subject.severity < Severity.HIGH:
        return title
    reason = _harmless(subject.findings[0].text.removesuffix("."))
    shown = reason if len(reason) <= _LONGEST_REASON else f"{reason[:_LONGEST_REASON].rpartition(' ')[0]}…"
    title = f"{title} {_DASH} {WORDS[subject.severity]}: {shown}"
    return title if len(title) <= LONGEST_TITLE else f"{title[: LONGEST_TITLE - 1]}…"


def since(old_body: str, subject: ReviewSubject) -> str:
    """The comment that says what is another matter now than it was in an earlier description.

    A description that nobody understands any more is answered with the state of things alone.
    """
    before, now = parse_record(old_body), record_of(subject)
    head = f"Upstream has moved on; the description is about {_is_now(now)}."
    if before is None:
        return f"{head} {_summary(subject)}"
    fresh, gone = _apart(now.findings, before.findings), _apart(before.findings, now.findings)
    steps = [f"**Before** {_is_now(before)}. **Now** {_is_now(now)}."]
    if before.severity is not now.severity:
        steps.append(f"The worst finding was {WORDS[before.severity]} and is **{WORDS[now.severity]}** now.")
    # A list that was cut is no witness to what is new or gone.
    whole = not before.left_out
    parts = ["Upstream has moved on, and the description is a new one.", "\n".join(steps)]
    parts.append(_named("New since then", fresh if whole else ()))
    parts.append(_named("Gone since then", gone))
    same = len(now.findings) - len(fresh)
    if whole and same:
        parts.append(f"{same} {'finding is' if same == 1 else 'findings are'} the same as before.")
    return "\n\n".join(filter(None, parts))


def _body(subject: ReviewSubject) -> str:
    findings = subject.findings
    record = format_record(record_of(subject))
    closing = "\n".join(["### Your decision", "", *decision(subject)])
    opening = "\n\n".join(filter(None, [_summary(subject), alarms(subject), table(subject), news(subject.facts)]))
    room = LARGEST_BODY - len(opening) - len(closing) - len(record) - 200
    listed = findings_by_severity(findings, room=room, package=subject.pkgbase)
    return "\n\n".join(filter(None, [opening, listed, closing, record])) + "\n"


def _summary(subject: ReviewSubject) -> str:
    """What it is, in a sentence."""
    who = f"{_UPSTREAMS.get(subject.upstream or '', 'The package')} {code(subject.pkgbase)}"
    old, new = subject.old_version, subject.new_version
    if old is None:
        what = f"is new here{f', in version {code(new)}' if new else ''}"
    elif old == new or new is None:
        what = "changes without a new version"
    else:
        what = f"goes from {code(old)} to {code(new)}"
    by = ", **under another maintainer**" if subject.maintainers_changed else ""
    if not subject.findings:
        return f"{who} {what}{by}; nothing in it needs a decision."
    found = tally(subject.findings)
    ends = {
        "minor": "nothing in it needs a decision",
        "review": "a person has to decide",
        "refuse": "**it must not be taken**",
    }
    return f"{who} {what}{by}; {ends[subject.assessment.verdict]} ({found})."


def _step(subject: ReviewSubject) -> str:
    old, new = (_version(text) for text in (subject.old_version, subject.new_version))
    if not new:
        return ""
    if not old:
        return f" {new}"
    return f" {new} again" if old == new else f" {old} → {new}"


def _version(text: str | None) -> str:
    shown = _harmless(text or "")
    return shown if len(shown) <= _LONGEST_VERSION else f"{shown[: _LONGEST_VERSION - 1]}…"


def _harmless(text: str) -> str:
    """Text for a title: whatever a service might see something in becomes a dot in the middle of the line."""
    words = _SCHEME.sub(" ", one_visible_line(text)).split()
    return _NOT_IN_TITLES.sub("·", " ".join(words)).strip(" /")


def _is_now(record: DescriptionRecord) -> str:
    version = code(record.new_version) if record.new_version else "the new content"
    return f"{version} at revision {code(record.revision)}" if record.revision else version


def _apart(findings: Sequence[RecordedFinding], others: Iterable[RecordedFinding]) -> tuple[RecordedFinding, ...]:
    """Those that are not among the others."""
    known = {(finding.rule, finding.file, finding.text) for finding in others}
    return tuple(finding for finding in findings if (finding.rule, finding.file, finding.text) not in known)


def _named(title: str, findings: Sequence[RecordedFinding]) -> str:
    if not findings:
        return ""
    lines = [
        f"- {WORDS[one.severity]}, in {code(one.file)}: {prose(one.text)} (rule {code(one.rule)})"
        for one in findings[:_MOST_NAMED]
    ]
    more = len(findings) - len(lines)
    return "\n".join([f"**{title}**", "", *lines, *([f"- and {more} more"] if more > 0 else [])])
