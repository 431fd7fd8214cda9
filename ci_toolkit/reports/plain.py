"""A report as plain lines that stand in columns and are easy to search."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ci_toolkit.reports.rows import Row, remarks, rows_of, schedule_text, summary

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ci_toolkit.pipelines.outcome import Outcome

_WIDEST_COLUMN = 32


def plain_report(outcome: Outcome) -> str:
    """The whole report."""
    lines = [*row_lines(rows_of(outcome)), *filter(None, [schedule_text(outcome)]), *remarks(outcome), summary(outcome)]
    return "".join(f"{line}\n" for line in lines)


def row_lines(rows: Iterable[Row]) -> Iterator[str]:
    """One line a row, and an indented one for each further problem."""
    listed = list(rows)
    widths = [
        min(_WIDEST_COLUMN, max((len(text) for text in column), default=0))
        for column in zip(*((row.what, row.package, row.step) for row in listed), strict=True)
    ]
    for row in listed:
        cells = zip((row.what, row.package, row.step), widths, strict=True)
        head = "  ".join(f"{text:<{width}}" for text, width in cells if width)
        yield f"{head}  {sentence(row)}".rstrip()
        yield from (f"    {problem}" for problem in row.problems)


def sentence(row: Row) -> str:
    """Why, and what happens now."""
    return f"{row.why}; {row.now}" if row.now else row.why
