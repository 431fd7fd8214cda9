"""`.CI/recipe.toml`: what it says can be built, by a recipe that is installed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ci_toolkit.checks.problem import Problem, problem_of
from ci_toolkit.checks.spec import PKGBUILD, Check
from ci_toolkit.errors import ConfigError, FormatError
from ci_toolkit.formats.recipe_toml import RECIPE_PATH, parse_recipe_file
from ci_toolkit.model.names import nearest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ci_toolkit.checks.spec import Subject

_NAME = "recipe-file"


def _package(name: str, subject: Subject) -> Iterator[Problem]:
    path = f"{name}/{RECIPE_PATH}"
    data = subject.files.read(path)
    if data is None:
        return
    try:
        described = parse_recipe_file(data, read=lambda inside: subject.files.read(f"{name}/{inside}"), file=path)
    except (ConfigError, FormatError) as error:
        yield problem_of(error, _NAME, path)
        return
    known = subject.tools.kinds("recipes")
    if described.recipe not in known:
        hint = nearest(described.recipe, known) or f"there are {', '.join(sorted(known))}"
        yield _problem(path, f"recipe names nothing that is installed: {described.recipe!r}", hint)
        return
    if subject.files.read(f"{name}/{PKGBUILD}") is not None:
        hint = f"remove one of the two: {RECIPE_PATH} is what counts"
        yield _problem(path, "the folder has a PKGBUILD as well, which is not built", hint)
    fault = subject.tools.recipe_fault(name)
    if fault is not None:
        inside = fault.file or RECIPE_PATH
        yield problem_of(fault, _NAME, inside if inside.startswith(f"{name}/") else f"{name}/{inside}")


def _problem(path: str, text: str, hint: str) -> Problem:
    return Problem(check=_NAME, severity="error", file=path, text=text, hint=hint)


CHECK = Check(name=_NAME, package=_package)
