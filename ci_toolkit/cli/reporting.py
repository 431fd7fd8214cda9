"""From a pipeline's outcome to what is printed and the exit status."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from ci_toolkit.errors import PackagesFailedError
from ci_toolkit.reports.report import report_json, reports_json, write_report

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ci_toolkit.cli.surface import Terminal
    from ci_toolkit.pipelines.outcome import Outcome
    from ci_toolkit.pipelines.workshop import Workshop


def report(
    outcome: Outcome, terminal: Terminal, workshop: Workshop, *, as_json: bool, started_s: float, requests: int | None
) -> int:
    """Print the report; gives the exit status."""
    outcome = _with_effort(outcome, terminal, workshop, started_s=started_s, requests=requests)
    if as_json:
        terminal.say(report_json(outcome))
    else:
        _write(outcome, terminal)
    return PackagesFailedError.exit_status if outcome.failed else 0


def report_all(
    outcomes: Iterable[Outcome], terminal: Terminal, workshop: Workshop, *, as_json: bool, started_s: float
) -> int:
    """Print the report of each, as JSON a list of them; gives the exit status."""
    listed = [_with_effort(one, terminal, workshop, started_s=started_s, requests=None) for one in outcomes]
    if as_json:
        terminal.say(reports_json(listed))
    else:
        for outcome in listed:
            _write(outcome, terminal)
    return PackagesFailedError.exit_status if any(outcome.failed for outcome in listed) else 0


def _with_effort(
    outcome: Outcome, terminal: Terminal, workshop: Workshop, *, started_s: float, requests: int | None
) -> Outcome:
    """The outcome with what it cost until now."""
    effort: dict[str, float] = {
        **({} if requests is None else {"requests": requests}),
        "processes": workshop.processes.started,
        "seconds": round(terminal.clock.monotonic() - started_s, 2),
        "cpu_seconds": round(time.process_time(), 2),
    }
    return replace(outcome, effort=effort)


def _write(outcome: Outcome, terminal: Terminal) -> None:
    write_report(
        outcome,
        stream=terminal.stdout,
        surroundings=terminal.surroundings,
        environ=terminal.environ,
        now_s=int(terminal.clock.now()),
    )
