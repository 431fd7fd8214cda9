"""The machines of a farm, for a person."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ci_toolkit.reports.jobs import ago
from ci_toolkit.reports.plain_text import one_line

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def workers_text(workers: Sequence[Mapping[str, Any]], *, now_s: float) -> str:
    """One line a machine: name, class, how many of its slots are taken, state, since when, why, and what it is."""
    if not workers:
        return "no workers\n"
    rows = [
        (
            one_line(str(worker["name"])),
            f"class {worker['class']}",
            f"{len(worker['running'])} of {worker['slots']}",
            one_line(str(worker["state"])),
            ago(now_s - float(worker["since"])),
            one_line(", ".join(filter(None, (worker["reason"], worker["machine"], worker["version"])))),
        )
        for worker in workers
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]) - 1)]
    lines = (
        "  ".join([*(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=False)), row[-1]]) for row in rows
    )
    return "".join(f"{line.rstrip()}\n" for line in lines)
