"""A report in a GitHub job: groups and annotations in the log, and a summary page.

Source: GitHub's documentation of workflow commands.
"""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

from ci_toolkit.model.verdict import Weight
from ci_toolkit.reports.plain import row_lines, sentence
from ci_toolkit.reports.rows import Row, counts, remarks, rows_of, schedule_text, summary
from ci_toolkit.reports.workflow_commands import command_text, workflow_command

if TYPE_CHECKING:
    from ci_toolkit.pipelines.outcome import Outcome

# GitHub shows no more annotations of one kind in one step.
_MOST_ANNOTATIONS = 10
_LARGEST_SUMMARY = 900_000
_COMMANDS = {Weight.FAILURE: "error", Weight.WARNING: "warning"}


def github_report(outcome: Outcome) -> str:
    """What goes to the log."""
    rows = rows_of(outcome)
    lines = [f"{len(rows)} packages to report", *row_lines(rows)] if rows else []
    parts = [f"  {line}\n" for line in lines]
    schedule = schedule_text(outcome)
    if schedule:
        head, _, names = schedule.partition(": ")
        parts.append(log_group(head, names.split(", ")))
    parts.append(log_group("verdicts by reason", [f"{count:>6}  {code}" for code, count in counts(outcome).items()]))
    for weight, command in _COMMANDS.items():
        chosen = [row for row in rows if row.weight is weight][:_MOST_ANNOTATIONS]
        parts += [workflow_command(command, _everything(row), title=row.package) for row in chosen]
    parts += [f"  {line}\n" for line in remarks(outcome)]
    parts.append(f"{summary(outcome)}\n")
    return "".join(parts)


def github_summary(outcome: Outcome) -> str:
    """The page that GitHub shows beside the job, in Markdown."""
    head = f"### {html.escape(summary(outcome))}\n\n"
    rows = rows_of(outcome)
    table = ["| package | what | from → to | why | now |\n| --- | --- | --- | --- | --- |\n"] if rows else []
    size = len(head)
    for number, row in enumerate(rows):
        line = (
            "| "
            + " | ".join(_cell(text) for text in (row.package, row.what, row.step, _everything(row), row.now))
            + " |\n"
        )
        size += len(line.encode())
        if size > _LARGEST_SUMMARY:
            table.append(f"\n{len(rows) - number} more packages are in the job's log.\n")
            break
        table.append(line)
    more = [f"- {_cell(line)}\n" for line in (schedule_text(outcome), *remarks(outcome)) if line]
    return head + "".join(table) + "\n" + "".join(more[:200])


def log_group(title: str, lines: list[str]) -> str:
    """Lines under a title that opens and closes them."""
    return f"::group::{command_text(title)}\n" + "".join(f"  {line}\n" for line in lines) + "::endgroup::\n"


def _everything(row: Row) -> str:
    return "; ".join((sentence(row), *row.problems))


def _cell(text: str) -> str:
    """Text in a table: nothing of it is Markdown or HTML."""
    return "".join(f"&#{ord(character)};" if character in _MARKUP else character for character in text)


_MARKUP = frozenset("\\`*_[]|~#!@<>&")
