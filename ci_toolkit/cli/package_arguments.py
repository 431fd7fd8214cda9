"""Packages on a command line, or in variable PACKAGES of a manual pipeline."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ci_toolkit.errors import ConfigError

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Sequence

    from ci_toolkit.cli.surface import Terminal

VARIABLE = "PACKAGES"


def declare_packages(parser: ArgumentParser, form: str) -> None:
    """Add the list; `form` says how each one may be written."""
    parser.add_argument(
        "packages",
        nargs="*",
        metavar="PACKAGE",
        help=f"{form}; several with blanks, commas or colons between (default: variable {VARIABLE})",
    )


def named_packages(options: Namespace, terminal: Terminal) -> Sequence[str]:
    """The list as it was written; ConfigError when there is none."""
    texts: Sequence[str] = options.packages or [terminal.environ.get(VARIABLE, "")]
    if not any(text.strip() for text in texts):
        raise ConfigError("no package is named", hint=f"name them as arguments, or in variable {VARIABLE}")
    return texts
