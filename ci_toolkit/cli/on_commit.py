"""`ci-toolkit on-commit`."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from ci_toolkit.cli.forge_choice import chosen_forge
from ci_toolkit.cli.reporting import report
from ci_toolkit.cli.surface import Terminal, declare_repository, declare_run, workshop_for
from ci_toolkit.pipelines.on_commit import OnCommit
from ci_toolkit.pipelines.reading import NO_REVIEWS
from ci_toolkit.plugins import load_backend

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

NAME = "on-commit"
HELP = "after a push: schedule what changed since tag scheduled, and move the tag"

log = logging.getLogger(__name__)


def declare(parser: ArgumentParser) -> None:
    """Add arguments."""
    declare_run(parser)
    declare_repository(parser)
    parser.add_argument(
        "--allow-mass-removal",
        action="store_true",
        help="accept that more packages are gone than CI_REMOVE_LIMIT allows",
    )
    parser.add_argument(
        "--replace-at-aur",
        metavar="PACKAGE",
        action="append",
        default=[],
        help="push this package to the AUR although something that was not pushed from here is there",
    )


def run(options: Namespace, terminal: Terminal) -> int:
    """Run the pipeline once."""
    started_s = terminal.clock.monotonic()
    workshop = workshop_for(options, terminal)
    snapshot = workshop.reader.read(reviews=NO_REVIEWS)
    for key in snapshot.settings.overridden:
        log.info("%s: the environment's value is used, not that of .ci/config", key)
    pipeline = OnCommit(
        workshop=workshop,
        backend=load_backend(snapshot.settings.backend),
        forge=chosen_forge(snapshot.settings, terminal.environ),
        dry_run=options.dry_run,
        allows_mass_removal=options.allow_mass_removal,
        replaces_at_aur=frozenset(options.replace_at_aur),
    )
    outcome = pipeline.run(snapshot)
    return report(outcome, terminal, workshop, as_json=options.json, started_s=started_s, requests=None)
