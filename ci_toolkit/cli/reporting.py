"""From a pipeline's outcome to what is printed and the exit status."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from ci_toolkit.errors import PackagesFailedError
from ci_toolkit.reports.report import report_json, write_report

if TYPE_CHECKING:
    from ci_toolkit.cli.surface import Terminal
    from ci_toolkit.pipelines.outcome import Outcome
    from ci_toolkit.pipelines.workshop import Workshop


def report(
    outcome: Outcome, terminal: Terminal, workshop: Workshop, *, as_json: bool, started_s: float, requests: int | None
) -> int:
    """Print the report; gives the exit status."""
    effort: dict[str, float] = {
        **({} if requests is None else {"requests": requests}),
        "processes": workshop.processes.started,
        "seconds": round(terminal.clock.monotonic() - started_s, 2),
        "cpu_seconds": round(time.process_time(), 2),
    }
    outcome = replace(outcome, effort=effort)
    if as_json:
        terminal.say(report_json(outcome))
    else:
        write_report(
            outcome,
            stream=terminal.stdout,
            surroundings=terminal.surroundings,
            environ=terminal.environ,
            now_s=int(terminal.clock.now()),
        )
    return PackagesFailedError.exit_status if outcome.failed else 0
