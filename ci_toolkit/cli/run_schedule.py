"""`ci-toolkit run-schedule [TRIGGER]`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ci_toolkit.cli import on_schedule

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from ci_toolkit.cli.surface import Terminal

NAME = "run-schedule"
HELP = "by hand what a timer would do: on-schedule, or only what waits for a trigger"


def declare(parser: ArgumentParser) -> None:
    """Add arguments."""
    parser.add_argument(
        "trigger",
        nargs="?",
        metavar="TRIGGER",
        help="only have the packages built whose CI_ON_TRIGGER equals it (default: variable TRIGGER, else a whole run)",
    )
    on_schedule.declare(parser)


def run(options: Namespace, terminal: Terminal) -> int:
    """Run the pipeline once."""
    trigger = options.trigger or terminal.environ.get("TRIGGER") or None
    return on_schedule.run_once(options, terminal, trigger=trigger)
