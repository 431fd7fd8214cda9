"""What every form of report has in common: its rows, its remarks and its summary line."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ci_toolkit.model.names import review_branch
from ci_toolkit.model.verdict import Code, Verdict, Weight
from ci_toolkit.reports.plain_text import one_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ci_toolkit.pipelines.outcome import Outcome

_MOST_ALIKE = 20
_MOST_NAMED = 12
_ORDER = (Weight.FAILURE, Weight.WARNING, Weight.EVENT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One verdict as texts that are safe to print."""

    weight: Weight
    package: str
    what: str
    step: str
    why: str
    now: str
    problems: tuple[str, ...]


def rows_of(outcome: Outcome) -> list[Row]:
    """A row for every package that is not simply unchanged: failures first, then warnings, then what happened.

    Where one reason holds for very many packages, such as a service that is down, they share a row.
    """
    shown = [verdict for verdict in outcome.verdicts if verdict.weight is not Weight.QUIET]
    shown.sort(key=lambda verdict: (_ORDER.index(verdict.weight), verdict.package))
    alike: dict[tuple[object, ...], list[Verdict]] = {}
    for verdict in shown:
        alike.setdefault(_likeness(verdict), []).append(verdict)
    rows = []
    for group in alike.values():
        rows += [_shared_row(group)] if len(group) > _MOST_ALIKE else [_row(verdict) for verdict in group]
    return sorted(rows, key=lambda row: _ORDER.index(row.weight))


def _likeness(verdict: Verdict) -> tuple[object, ...]:
    """What verdicts that may share a row have in common; those with versions of their own never do."""
    own = verdict.package if verdict.old or verdict.new else ""
    return (verdict.code, verdict.why, verdict.now, verdict.problems, own)


def _shared_row(group: list[Verdict]) -> Row:
    names = names_in_brief([verdict.package for verdict in group])
    return replace(_row(group[0]), package=f"{len(group)} packages", now=f"{group[0].now} ({names})".strip())


def names_in_brief(names: Sequence[str]) -> str:
    """All names if they are few, else the first ones and how many more."""
    more = len(names) - _MOST_NAMED
    shown = ", ".join(one_line(name, 80) for name in names[:_MOST_NAMED])
    return f"{shown} and {more} more" if more > 0 else shown


def _row(verdict: Verdict) -> Row:
    old, new = one_line(verdict.old or "", 60), one_line(verdict.new or "", 60)
    return Row(
        weight=verdict.weight,
        package=one_line(verdict.package, 80),
        what=verdict.code.word,
        step=f"{old} → {new}" if old and new else new,
        why=one_line(verdict.why),
        now=one_line(verdict.now),
        problems=tuple(one_line(problem) for problem in verdict.problems),
    )


def schedule_text(outcome: Outcome) -> str:
    """The builds in order, `3 builds in this order: a, b/2, c`; empty when there are none."""
    builds = outcome.schedule.builds
    names = ", ".join(
        f"{build.pkgbase}/{build.builder_class}" if build.builder_class else build.pkgbase for build in builds
    )
    if not builds:
        return ""
    return f"1 build: {names}" if len(builds) == 1 else f"{len(builds)} builds in this order: {names}"


def remarks(outcome: Outcome) -> list[str]:
    """Everything else worth a line."""
    found = [f"note: {one_line(text)}" for text in (*outcome.schedule.concerns, *outcome.notes)]
    found += [f"review {one_line(text)}" for text in outcome.review_notes]
    found += [f"problem: {one_line(text)}" for text in outcome.problems]
    found += _removed_reviews(outcome)
    if outcome.handed_over:
        found.append(one_line(outcome.handed_over))
    return found


def _removed_reviews(outcome: Outcome) -> list[str]:
    """Review branches without use, by reason."""
    by_reason: dict[str, list[str]] = {}
    for one in outcome.dropped_reviews:
        by_reason.setdefault(one.reason, []).append(review_branch(one.pkgbase))
    verb = "would be removed" if outcome.dry_run else "removed"
    lines = []
    for reason, names in by_reason.items():
        what = "review branch" if len(names) == 1 else f"{len(names)} review branches"
        lines.append(f"{what} {verb} because {one_line(reason)}: {names_in_brief(names)}")
    return lines


def counts(outcome: Outcome) -> dict[str, int]:
    """How often each code was given, most important first."""
    counted = Counter(verdict.code for verdict in outcome.verdicts)
    return {code.code: counted[code] for code in Code if counted[code]}


def summary(outcome: Outcome) -> str:
    """The last line: how many of what, and what it cost."""
    loud = Counter(verdict.code.word for verdict in outcome.verdicts if verdict.weight is not Weight.QUIET)
    quiet = Counter(verdict.code.word for verdict in outcome.verdicts if verdict.weight is Weight.QUIET)
    parts = [f"{count} {word}" for word, count in (*loud.items(), *sorted(quiet.items()))]
    total = len(outcome.verdicts)
    packages = "1 package" if total == 1 else f"{total} packages"
    text = f"{outcome.pipeline}: {packages}: {', '.join(parts) or 'none'}"
    cost = _cost(outcome)
    dry = "; dry run, nothing was changed" if outcome.dry_run else ""
    return f"{text}{f' ({cost})' if cost else ''}{dry}"


def _cost(outcome: Outcome) -> str:
    units = (("requests", "upstream requests"), ("processes", "processes"), ("seconds", "s"))
    return ", ".join(f"{outcome.effort[key]:g} {unit}" for key, unit in units if key in outcome.effort)
