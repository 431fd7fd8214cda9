"""All checks by name; a module is imported when its check is asked for."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from ci_toolkit.errors import ConfigError
from ci_toolkit.model.names import nearest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ci_toolkit.checks.spec import Check

CHECKS: dict[str, str] = {
    "ci-config": "both kinds of config file and review.toml: keys, values, regular expressions, names",
    "pkgbuild-srcinfo": ".SRCINFO says what PKGBUILD says",
    "package-name": "a folder is called as its package, and the build backend takes the name",
    "recipe-file": ".CI/recipe.toml can be built by a recipe that is installed",
    "pkgbuild-lint": "PKGBUILD parses, does nothing that it must not when it is read, and what shellcheck says",
    "pkgbuild-format": "PKGBUILD is formatted as shfmt does",
    "nvchecker-config": "nvchecker's file of a package has an entry for it",
    "commit-message": "a conventional commit, and `[deploy x]` names a package",
    "deptree": "no circles, an order that builder classes keep, and no names that others still need are gone",
}
ON_REQUEST = ("pkgbuild-format", "commit-message")
"""Run only when they are named."""


def load_checks(names: Sequence[str]) -> tuple[Check, ...]:
    """The checks called `names`, the usual ones without any; ConfigError with the nearest for one that is not there."""
    for name in names:
        if name not in CHECKS:
            hint = nearest(name, CHECKS) or f"there are {', '.join(CHECKS)}"
            raise ConfigError("there is no such check", got=name, hint=hint)
    wanted = [name for name in CHECKS if name in names or (not names and name not in ON_REQUEST)]
    return tuple(import_module(f"ci_toolkit.checks.{name.replace('-', '_')}").CHECK for name in wanted)
