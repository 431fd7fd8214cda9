"""The PKGBUILDs of a subject, for checks that look at all of them at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ci_toolkit.checks.problem import Problem, problem_of
from ci_toolkit.checks.spec import PKGBUILD
from ci_toolkit.errors import ToolkitError

if TYPE_CHECKING:
    from ci_toolkit.checks.spec import Subject


def read_pkgbuilds(subject: Subject, check: str) -> tuple[dict[str, bytes], list[Problem]]:
    """The texts by package, and a problem for each that cannot be read."""
    texts: dict[str, bytes] = {}
    problems = []
    for name in subject.packages:
        try:
            text = subject.files.read(f"{name}/{PKGBUILD}")
        except ToolkitError as error:
            problems.append(problem_of(error, check, error.file or name))
        else:
            if text is not None:
                texts[name] = text
    return texts, problems
