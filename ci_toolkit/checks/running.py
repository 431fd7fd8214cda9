"""Checks over a subject: what all of them say, in the order of the files."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from ci_toolkit.checks.problem import Problem, problem_of
from ci_toolkit.errors import ConfigError, FormatError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ci_toolkit.checks.spec import Check, Subject


def run_checks(checks: Iterable[Check], subject: Subject) -> tuple[Problem, ...]:
    """Every problem once, sorted by file and line; ToolkitError when something else than a file is at fault."""
    listed = tuple(checks)
    # Threads, so that some go on while another waits for a program.
    with ThreadPoolExecutor(len(listed) or 1) as pool:
        results = list(pool.map(lambda check: _problems(check, subject), listed))
    found = dict.fromkeys(problem for result in results for problem in result)
    return tuple(sorted(found, key=lambda problem: problem.order))


def _problems(check: Check, subject: Subject) -> dict[Problem, None]:
    found: dict[Problem, None] = {}
    _collect(found, check.name, ".", check.whole(subject))
    for name in subject.packages:
        _collect(found, check.name, name, check.package(name, subject))
    return found


def _collect(found: dict[Problem, None], check: str, place: str, problems: Iterator[Problem]) -> None:
    try:
        for problem in problems:
            found[problem] = None
    except (FormatError, ConfigError) as error:
        found[problem_of(error, check, error.file or place)] = None
