"""A review for a person at a terminal or in a log, and for machines."""

from __future__ import annotations

import io
import json
import textwrap
from dataclasses import dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from ci_toolkit.model.finding import Severity
from ci_toolkit.reports.surroundings import Place, Surroundings
from ci_toolkit.review.difference import difference
from ci_toolkit.review.links import upstream_links
from ci_toolkit.review.markdown import cut
from ci_toolkit.review.subject import WORDS, place, shares_lines, tally
from ci_toolkit.review.visible import one_visible_line, visible

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ci_toolkit.model.finding import Finding
    from ci_toolkit.review.facts import ChecksumChange
    from ci_toolkit.review.subject import ReviewSubject

_MOST_LINES = 60
_LONGEST_SENTENCE = 600
_LONGEST_NAME = 120
_MOST_NAMES = 30
_NARROWEST = 30
_BESIDE = 12  # characters that a label takes
_STYLES = {
    Severity.MINOR: "green",
    Severity.LOW: "cyan",
    Severity.MEDIUM: "yellow",
    Severity.HIGH: "bold red",
    Severity.CRITICAL: "bold white on red",
    Severity.REFUSE: "bold white on red",
}
_COMMAND = "##["  # GitHub's runner takes it for the start of a command wherever it stands in a line
_SIGNS = {"+": "green", "-": "red"}
_ENDS = {
    "minor": "nothing in it needs a decision",
    "review": "look at it before you take it",
    "refuse": "do not take it",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Line:
    """A line that fits, and how it looks."""

    text: str
    style: str = ""


def review_text(subject: ReviewSubject, surroundings: Surroundings) -> str:
    """The whole review, in colours where they are seen."""
    # In a log, lines of files stay whole, so that they can be searched for.
    wraps = surroundings.place is Place.TERMINAL
    lines = _lines(subject, max(_NARROWEST, surroundings.width), wraps=wraps)
    if surroundings.place is not Place.TERMINAL or not surroundings.colours:
        text = "".join(f"{line.text}\n" for line in lines)
        return text.replace(_COMMAND, "##<U+005B>") if surroundings.place is Place.GITHUB else text
    # rich takes longer to import than all the rest, and only a terminal needs it.
    from rich.console import Console  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    stream = io.StringIO()
    console = Console(file=stream, width=surroundings.width, force_terminal=True, highlight=False, legacy_windows=False)
    for line in lines:
        console.print(Text(line.text, style=line.style), soft_wrap=True)
    return stream.getvalue()


def review_json(subject: ReviewSubject) -> str:
    """The same for machines; texts as they are, all of them in ASCII."""
    return json.dumps(review_fields(subject), indent=2).replace(_COMMAND, "##\\u005b") + "\n"


def review_fields(subject: ReviewSubject) -> dict[str, Any]:
    """The same as plain JSON values."""
    return {
        "verdict": subject.assessment.verdict,
        "severity": subject.severity.word,
        "package": subject.pkgbase,
        "from": subject.old_version,
        "to": subject.new_version,
        "revision": subject.revision,
        "maintainers": None if subject.maintainers is None else list(subject.maintainers),
        "new_hosts": [host for host, _ in subject.facts.hosts],
        "new_commands": [name for name, _ in subject.facts.commands],
        "findings": [
            {
                "rule": finding.rule,
                "severity": finding.severity.word,
                "file": finding.file,
                "line": finding.line,
                "text": finding.text,
                "old": finding.old,
                "new": finding.new,
            }
            for finding in subject.findings
        ],
    }


def _lines(subject: ReviewSubject, width: int, *, wraps: bool) -> Iterator[_Line]:
    findings = subject.findings
    yield from _wrapped(_title(subject), width, style="bold")
    yield from _facts(subject, width)
    severity = None
    for finding, following in zip_longest(findings, findings[1:]):
        if finding.severity is not severity:
            severity = finding.severity
            yield _Line(text="")
        yield from _finding(finding, width)
        if finding.severity is not Severity.MINOR and not shares_lines(finding, following):
            yield from _file_lines(finding, width, wraps=wraps)
    yield _Line(text="")
    found = f" ({tally(findings)})" if findings else ""
    verdict = f"{subject.assessment.verdict}: {_ENDS[subject.assessment.verdict]}{found}"
    yield from _wrapped(verdict, width, style=_STYLES[subject.severity])


def _title(subject: ReviewSubject) -> str:
    name, old, new = (_name(text or "") for text in (subject.pkgbase, subject.old_version, subject.new_version))
    if not new:
        return f"{name} {old} → ?" if old else f"{name} (its version cannot be read)"
    if not old:
        return f"{name} {new} (nothing to compare with: everything in it is new)"
    return f"{name} {old} → {new}" if old != new else f"{name} {new} (the same version)"


def _facts(subject: ReviewSubject, width: int) -> Iterator[_Line]:
    if subject.maintainers is not None:
        yield from _labelled("maintainer", _maintainers(subject), width, urgent=subject.maintainers_changed)
    if subject.revision:
        yield from _labelled("revision", _name(subject.revision), width)
    if subject.branch:
        yield from _labelled("branch", f"{subject.branch} → {subject.target or 'the default branch'}", width)
    for label, url in upstream_links(subject):
        if label in ("this commit", "compare", "compare the sources"):
            # An address is of use in one piece only.
            yield _Line(text=f"{'look':<{_BESIDE}}{url}")
    facts = subject.facts
    # Of a package that is new, or seen for the first time, every command is new and none stands out.
    hosts, commands = (_listed([name for name, _ in pairs]) for pairs in (facts.hosts, facts.commands))
    yield from _labelled("new hosts", hosts, width, urgent=True)
    if subject.old_version is not None:
        yield from _labelled("commands", f"new: {commands}" if commands else "", width, urgent=True)
    yield from _labelled("checksums", "; ".join(_checksums(change) for change in facts.checksums), width)


def _maintainers(subject: ReviewSubject) -> str:
    now = _listed(subject.maintainers or ()) or "nobody, the package is orphaned"
    if not subject.maintainers_changed:
        return now
    return f"{now} (before: {_listed(subject.old_maintainers or ()) or 'nobody'})"


def _checksums(change: ChecksumChange) -> str:
    name, old, new = _name(change.array), change.old or (), change.new or ()
    if not old or not new:
        return f"{name} {'new' if not old else 'gone, or computed'}"
    changed = sum(before != after for before, after in zip(old, new, strict=False))
    skipped = sum(after == "SKIP" != before for before, after in zip(old, new, strict=False))
    count = f"{changed} of {len(old)} changed" + (f", {len(new)} now" if len(new) != len(old) else "")
    return f"{name} {count}{f', {skipped} skipped now' if skipped else ''}"


def _finding(finding: Finding, width: int) -> Iterator[_Line]:
    style = _STYLES[finding.severity]
    where = _name(place(finding))
    sentence = cut(one_visible_line(finding.text), _LONGEST_SENTENCE)
    yield from _wrapped(f"{WORDS[finding.severity]}: {where}: {sentence} [{finding.rule}]", width, style=style)


def _file_lines(finding: Finding, width: int, *, wraps: bool) -> Iterator[_Line]:
    # The bar keeps a line from being taken for something else by whoever reads the log of a CI job.
    for line in difference(finding.old, finding.new, most_lines=_MOST_LINES):
        shown = visible(line).expandtabs(4)
        for text in _pieces(shown, width - 4) if wraps else [shown]:
            yield _Line(text=f"  │ {text}", style=_SIGNS.get(line[0], ""))


def _pieces(line: str, width: int) -> list[str]:
    """A line of a file cut where the terminal ends; what goes on is set off."""
    first, rest = line[:width], line[width:]
    step = width - 2
    return [first, *(f"  {rest[start : start + step]}" for start in range(0, len(rest), step))]


def _labelled(label: str, text: str, width: int, *, urgent: bool = False) -> Iterator[_Line]:
    if not text:
        return
    style = "yellow" if urgent else ""
    for number, line in enumerate(_wrap(text, width - _BESIDE)):
        yield _Line(text=f"{label if number == 0 else '':<{_BESIDE}}{line}", style=style)


def _wrapped(text: str, width: int, *, style: str = "") -> Iterator[_Line]:
    for number, line in enumerate(_wrap(text, width - 2)):
        yield _Line(text=line if number == 0 else f"  {line}", style=style)


def _wrap(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, width, break_on_hyphens=False) or [""]


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(_name(name) for name in names[:_MOST_NAMES])
    more = len(names) - _MOST_NAMES
    return f"{shown} and {more} more" if more > 0 else shown


def _name(text: str) -> str:
    return cut(one_visible_line(text), _LONGEST_NAME)
