"""A report in a GitLab job log: collapsible sections (source: GitLab's documentation of job logs)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ci_toolkit.reports.plain import row_lines
from ci_toolkit.reports.rows import counts, remarks, rows_of, schedule_text, summary

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ci_toolkit.pipelines.outcome import Outcome

_CLEAR = "\x1b[0K"


def gitlab_report(outcome: Outcome, now_s: int) -> str:
    """The whole report; `now_s` is the time that GitLab wants in every marker."""
    rows = list(row_lines(rows_of(outcome)))
    schedule = schedule_text(outcome)
    parts = []
    if rows:
        parts.append(log_section("packages", f"{len(rows)} packages to report", rows, now_s, collapsed=False))
    if schedule:
        head, _, names = schedule.partition(": ")
        parts.append(log_section("schedule", head, names.split(", "), now_s, collapsed=True))
    every = [f"{count:>6}  {code}" for code, count in counts(outcome).items()]
    parts.append(log_section("verdicts", "verdicts by reason", every, now_s, collapsed=True))
    parts += [f"{line}\n" for line in (*remarks(outcome), summary(outcome))]
    return "".join(parts)


def log_section(name: str, title: str, lines: Iterable[str], now_s: int, *, collapsed: bool) -> str:
    """Lines under a title that opens and closes them."""
    option = "[collapsed=true]" if collapsed else ""
    body = "".join(f"{line}\n" for line in lines)
    start = f"{_CLEAR}section_start:{now_s}:{name}{option}\r{_CLEAR}{title}\n"
    return f"{start}{body}{_CLEAR}section_end:{now_s}:{name}\r{_CLEAR}\n"
