"""A report as a table in colours, for a person at a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, TextIO

from ci_toolkit.model.verdict import Weight
from ci_toolkit.reports.rows import remarks, rows_of, schedule_text, summary

if TYPE_CHECKING:
    from ci_toolkit.pipelines.outcome import Outcome
    from ci_toolkit.reports.surroundings import Surroundings

_STYLES = {Weight.FAILURE: "red", Weight.WARNING: "yellow", Weight.EVENT: "green", Weight.QUIET: "dim"}


def write_terminal_report(outcome: Outcome, stream: TextIO, surroundings: Surroundings) -> None:
    """Write the whole report."""
    # rich takes longer to import than all the rest, and only a terminal needs it.
    from rich.console import Console, Group  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    console = Console(
        file=stream,
        width=surroundings.width,
        force_terminal=True,
        color_system="auto" if surroundings.colours else None,
        highlight=False,
        legacy_windows=False,
    )
    rows = rows_of(outcome)
    if rows:
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
        for title, options in _COLUMNS:
            table.add_column(title, **options)  # type: ignore[arg-type]  # options are a column's own
        for row in rows:
            why = Group(Text(row.why), *(Text(problem, style="red") for problem in row.problems))
            table.add_row(
                Text(row.package), Text(row.what, style=_STYLES[row.weight]), Text(row.step), why, Text(row.now)
            )
        console.print(table)
        console.print()
    for line in filter(None, [schedule_text(outcome), *remarks(outcome)]):
        console.print(Text(line))
    console.print(Text(summary(outcome), style="bold"))


_COLUMNS: tuple[tuple[str, dict[str, object]], ...] = (
    ("package", {"overflow": "fold", "min_width": 8}),
    ("what", {"no_wrap": True}),
    ("from → to", {"overflow": "fold", "min_width": 10}),
    ("why", {"overflow": "fold", "ratio": 3}),
    ("now", {"overflow": "fold", "ratio": 2}),
)
