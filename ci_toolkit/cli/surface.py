"""What every subcommand shares: how it is declared, and what it is handed."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TextIO

from ci_toolkit.reports.surroundings import Surroundings, detect

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Mapping

    from ci_toolkit.effects.clock import Clock
    from ci_toolkit.effects.redaction import Redactor
    from ci_toolkit.pipelines.workshop import Workshop


@dataclass(frozen=True, slots=True, kw_only=True)
class Terminal:
    """The outside of one invocation: streams, environment, clock and working directory."""

    stdout: TextIO
    stderr: TextIO
    environ: Mapping[str, str]
    clock: Clock
    redactor: Redactor
    cwd: Path

    @property
    def surroundings(self) -> Surroundings:
        """Where the output is going to be read."""
        return detect(self.environ, self.stdout)

    def say(self, text: str) -> None:
        """Print a result, without secrets."""
        self.stdout.write(self.redactor.clean(text))
        self.stdout.flush()


class Subcommand(Protocol):
    """One module of `cli`: `declare` adds its arguments, `run` gives the exit status."""

    NAME: str
    HELP: str

    def declare(self, parser: ArgumentParser) -> None:
        """Add arguments."""

    def run(self, options: Namespace, terminal: Terminal) -> int:
        """Do it; ToolkitError stops it with that error's status."""


def declare_repository(parser: ArgumentParser) -> None:
    """The options that say which repository is meant."""
    group = parser.add_argument_group("repository")
    group.add_argument(
        "--repository", metavar="DIR", type=Path, help="a clone of the package repository (default: here)"
    )
    group.add_argument("--remote", default="origin", help="the remote it is pushed to (default: %(default)s)")
    group.add_argument("--branch", help="its default branch (default: CI_DEFAULT_BRANCH, else what the remote says)")


def declare_run(parser: ArgumentParser) -> None:
    """The options of everything that writes and reports."""
    parser.add_argument("--dry-run", action="store_true", help="show what would happen; change nothing")
    parser.add_argument("--json", action="store_true", help="print the report as JSON on stdout")


def workshop_for(options: Namespace, terminal: Terminal) -> Workshop:
    """The repository that the options mean."""
    # All that a pipeline needs takes longer to import than some subcommands take to run.
    from ci_toolkit.pipelines.workshop import open_workshop  # noqa: PLC0415

    return open_workshop(
        (options.repository or terminal.cwd).resolve(),
        environ=terminal.environ,
        clock=terminal.clock,
        redactor=terminal.redactor,
        cache=cache_folder(terminal.environ),
        run_name=secrets.token_hex(8),
        remote=options.remote,
        branch=options.branch,
    )


def cache_folder(environ: Mapping[str, str]) -> Path | None:
    """`$XDG_CACHE_HOME/ci-toolkit`, by default `~/.cache/ci-toolkit`; None without a home."""
    if environ.get("XDG_CACHE_HOME"):
        return Path(environ["XDG_CACHE_HOME"]) / "ci-toolkit"
    return Path(environ["HOME"]) / ".cache/ci-toolkit" if environ.get("HOME") else None
