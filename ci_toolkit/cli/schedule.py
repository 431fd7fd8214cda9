"""`ci-toolkit schedule`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ci_toolkit.cli.package_arguments import declare_packages, named_packages
from ci_toolkit.cli.reporting import report
from ci_toolkit.cli.surface import Terminal, declare_repository, declare_run, workshop_for
from ci_toolkit.pipelines.manual_schedule import ManualSchedule
from ci_toolkit.pipelines.reading import NO_REVIEWS
from ci_toolkit.plugins import load_backend

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

NAME = "schedule"
HELP = "have packages built, whether or not anything changed"


def declare(parser: ArgumentParser) -> None:
    """Add arguments."""
    declare_packages(parser, "a name, name/class (for builders of that class), a glob such as 'python-*', or all")
    declare_run(parser)
    declare_repository(parser)
    parser.epilog = (
        "ci-toolkit schedule submit is another command, which hands over what an earlier job has scheduled; "
        "a package of that name is scheduled with ci-toolkit schedule -- submit."
    )


def run(options: Namespace, terminal: Terminal) -> int:
    """Run the operation once."""
    started_s = terminal.clock.monotonic()
    wanted = named_packages(options, terminal)
    workshop = workshop_for(options, terminal)
    snapshot = workshop.reader.read(reviews=NO_REVIEWS)
    operation = ManualSchedule(
        workshop=workshop, backend=load_backend(snapshot.settings.backend), wanted=wanted, dry_run=options.dry_run
    )
    outcome = operation.run(snapshot)
    return report(outcome, terminal, workshop, as_json=options.json, started_s=started_s, requests=None)
