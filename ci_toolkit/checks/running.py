"""Checks over a subject: what all of them say, in the order of the files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ci_toolkit.checks.problem import Problem, problem_of
from ci_toolkit.errors import ToolkitError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ci_toolkit.checks.spec import Check, Subject


def run_checks(checks: Iterable[Check], subject: Subject) -> tuple[Problem, ...]:
    """Every problem once, sorted by file and line."""
    found: dict[Problem, None] = {}
    for check in checks:
        _collect(found, check.name, ".", check.whole(subject))
        for name in subject.packages:
            _collect(found, check.name, name, check.package(name, subject))
    return tuple(sorted(found, key=lambda problem: problem.order))


def _collect(found: dict[Problem, None], check: str, place: str, problems: Iterator[Problem]) -> None:
    try:
        for problem in problems:
            found[problem] = None
    except ToolkitError as error:
        found[problem_of(error, check, error.file or place)] = None
