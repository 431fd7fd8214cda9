"""What checks found, for people: grouped by file, and as annotations in a GitHub job."""

from __future__ import annotations

import json
from itertools import groupby
from typing import TYPE_CHECKING

from ci_toolkit.reports.plain_text import one_line
from ci_toolkit.reports.surroundings import Place, Surroundings
from ci_toolkit.reports.workflow_commands import plain_log, workflow_command

if TYPE_CHECKING:
    from ci_toolkit.checks.problem import Problem
    from ci_toolkit.pipelines.checking import CheckOutcome

_COLOURS = {"error": "\x1b[31m", "warning": "\x1b[33m"}
_BOLD, _PLAIN = "\x1b[1m", "\x1b[0m"


def problems_text(outcome: CheckOutcome, surroundings: Surroundings) -> str:
    """All problems by file, and a last line that sums them up."""
    coloured = surroundings.place is Place.TERMINAL and surroundings.colours
    parts = []
    for file, problems in groupby(outcome.problems, key=lambda problem: problem.file):
        parts.append(_painted(one_line(file), _BOLD, coloured) + "\n")
        parts += [f"  {_line(problem, coloured)}\n" for problem in problems]
    parts += [f"mended {one_line(file)}\n" for file in outcome.mended]
    parts.append(f"{summary(outcome)}\n")
    text = "".join(parts)
    if surroundings.place is not Place.GITHUB:
        return text
    return "".join(_annotation(problem) for problem in outcome.problems) + plain_log(text)


def problems_json(outcome: CheckOutcome) -> str:
    """The same for machines."""
    value = {
        "errors": outcome.errors,
        "warnings": len(outcome.problems) - outcome.errors,
        "packages": outcome.packages,
        "mended": list(outcome.mended),
        "problems": [
            {
                "check": it.check,
                "severity": it.severity,
                "file": it.file,
                "line": it.line,
                "text": it.text,
                "hint": it.hint,
            }
            for it in outcome.problems
        ],
    }
    return json.dumps(value, indent=2) + "\n"


def summary(outcome: CheckOutcome) -> str:
    """One line: how many of what."""
    warnings = len(outcome.problems) - outcome.errors
    counts = [_count(outcome.errors, "error"), _count(warnings, "warning")]
    told = ", ".join(filter(None, counts)) or "no problems"
    return f"{told} in {_count(outcome.packages, 'package')}" if outcome.packages else told


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}" if number else ""


def _line(problem: Problem, coloured: bool) -> str:
    place = f"{problem.line}: " if problem.line else ""
    severity = _painted(problem.severity, _COLOURS[problem.severity], coloured)
    return f"{place}{severity}: {one_line(problem.sentence, 500)} [{problem.check}]"


def _painted(text: str, colour: str, coloured: bool) -> str:
    return f"{colour}{text}{_PLAIN}" if coloured else text


def _annotation(problem: Problem) -> str:
    return workflow_command(
        problem.severity,
        one_line(problem.sentence, 500),
        file=one_line(problem.file),
        line=str(problem.line or ""),
        title=problem.check,
    )
