"""The entry point: the only place that knows exit statuses, logging set-up and `sys`."""

from __future__ import annotations

import argparse
import gc
import logging
import os
import re
import signal
import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from ci_toolkit import __version__
from ci_toolkit.cli.surface import Terminal
from ci_toolkit.effects.clock import SystemClock
from ci_toolkit.effects.redaction import RedactingFormatter, Redactor
from ci_toolkit.errors import GitError, MachineError, ToolkitError
from ci_toolkit.model.names import nearest

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ci_toolkit.cli.surface import Subcommand

SUBCOMMANDS = (
    "init",
    "on_commit",
    "on_schedule",
    "pipeline",
    "run_schedule",
    "schedule",
    "schedule_submit",
    "add",
    "bump",
    "drop",
    "review",
    "review_changes",
    "reviews",
    "check",
    "build",
    "builds",
    "logs",
    "stats",
    "explain",
    "publish",
    "store",
    "farm",
    "stack",
    "config",
    "plugins",
    "adopt",
)

_TWO_WORDS = frozenset({"schedule-submit"})


def run() -> int:
    """The console script."""
    # A reader that goes away, such as `head`, ends the program without a traceback.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    # Values are made by the ten thousand and form no circles; to look for some takes a tenth of a run.
    gc.set_threshold(50_000)
    try:
        cwd = Path.cwd()
    except FileNotFoundError:
        sys.stderr.write("ci-toolkit: the working directory is gone; change to one that exists\n")
        return GitError.exit_status
    terminal = Terminal(
        stdout=sys.stdout,
        stderr=sys.stderr,
        environ=os.environ,
        clock=SystemClock(),
        redactor=Redactor(os.environ),
        cwd=cwd,
    )
    return main(sys.argv[1:], terminal)


def main(arguments: Sequence[str], terminal: Terminal) -> int:
    """Run one subcommand; gives the exit status."""
    arguments = _joined(arguments)
    modules = _modules(arguments)
    parser = _Parser(prog="ci-toolkit", description="Keeps a git repository of Arch-style packages up to date.")
    parser.add_argument("--version", action="version", version=f"ci-toolkit {__version__}")
    parser.add_argument("--verbose", "-v", action="store_true", help="tell what is being done, on stderr")
    choices = parser.add_subparsers(title="subcommands", dest="subcommand", required=True, metavar="SUBCOMMAND")
    for name, module in modules.items():
        module.declare(choices.add_parser(name, help=module.HELP, description=module.HELP))
    options = parser.parse_args(arguments)
    _set_up_logging(terminal, verbose=options.verbose)
    try:
        return modules[options.subcommand].run(options, terminal)
    except ToolkitError as error:
        terminal.stderr.write(terminal.redactor.clean(f"ci-toolkit {options.subcommand}: {error}\n"))
        return error.exit_status
    except OSError as error:
        problem = f"{error.strerror or error}{f': {error.filename}' if error.filename else ''}"
        terminal.stderr.write(
            terminal.redactor.clean(f"ci-toolkit {options.subcommand}: the machine refuses: {problem}\n")
        )
        return MachineError.exit_status
    except KeyboardInterrupt:
        terminal.stderr.write("interrupted; nothing is left half done\n")
        return 128 + signal.SIGINT


def _joined(arguments: Sequence[str]) -> Sequence[str]:
    """The arguments with a subcommand of two words, which stand side by side, as one: `schedule submit`.

    So a package may be called like the second word: `schedule -- submit` builds it.
    """
    place = next((number for number, word in enumerate(arguments) if not word.startswith("-")), len(arguments))
    pair = "-".join(arguments[place : place + 2])
    return [*arguments[:place], pair, *arguments[place + 2 :]] if pair in _TWO_WORDS else arguments


def _modules(arguments: Sequence[str]) -> dict[str, Subcommand]:
    """The modules that these arguments need, by subcommand: one where it is named, as importing all takes a while."""
    first = next((word for word in arguments if not word.startswith("-")), "")
    wanted: Iterable[str] = SUBCOMMANDS
    if first in map(_spelt, SUBCOMMANDS):
        wanted = [name for name in SUBCOMMANDS if _spelt(name) == first]
    elif list(arguments) == ["--version"]:
        wanted = ()
    modules: list[Subcommand] = [import_module(f"ci_toolkit.cli.{name}") for name in wanted]
    return {module.NAME: module for module in modules}


def _spelt(module_name: str) -> str:
    return module_name.replace("_", "-")


class _Parser(argparse.ArgumentParser):
    """Answers a misspelt subcommand with the nearest known one."""

    def error(self, message: str) -> None:  # type: ignore[override]  # the base declares that it never returns: it exits
        found = re.search(r"invalid choice: '([^']*)'", message)
        hint = nearest(found[1], [_spelt(name) for name in SUBCOMMANDS]) if found else ""
        super().error(f"{message}{f'; {hint}' if hint else ''}")


def _set_up_logging(terminal: Terminal, *, verbose: bool) -> None:
    handler = logging.StreamHandler(terminal.stderr)
    handler.setFormatter(RedactingFormatter(terminal.redactor))
    root = logging.getLogger("ci_toolkit")
    root.handlers[:] = [handler]
    root.setLevel(logging.DEBUG if verbose else logging.INFO)
    root.propagate = False


if __name__ == "__main__":
    sys.exit(run())
