"""`ci-toolkit drop`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ci_toolkit.cli.package_arguments import declare_packages, named_packages
from ci_toolkit.cli.reporting import report
from ci_toolkit.cli.surface import Terminal, declare_repository, declare_run, workshop_for
from ci_toolkit.pipelines.manual_drop import ManualDrop
from ci_toolkit.pipelines.reading import NO_REVIEWS

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

NAME = "drop"
HELP = "take packages out of the repository"


def declare(parser: ArgumentParser) -> None:
    """Add arguments."""
    declare_packages(parser, "a name, or a glob such as 'python-*'")
    parser.add_argument("--force", action="store_true", help="also what other packages depend on")
    declare_run(parser)
    declare_repository(parser)


def run(options: Namespace, terminal: Terminal) -> int:
    """Run the operation once."""
    started_s = terminal.clock.monotonic()
    unwanted = named_packages(options, terminal)
    workshop = workshop_for(options, terminal)
    operation = ManualDrop(workshop=workshop, unwanted=unwanted, forced=options.force, dry_run=options.dry_run)
    outcome = operation.run(workshop.reader.read(reviews=NO_REVIEWS))
    return report(outcome, terminal, workshop, as_json=options.json, started_s=started_s, requests=None)
