"""`ci-toolkit schedule submit [FILE|DIR …]`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ci_toolkit.backends.spec import BackendTools
from ci_toolkit.cli.reporting import report_all
from ci_toolkit.cli.surface import declare_repository, declare_run, workshop_for
from ci_toolkit.pipelines.checkout_settings import checkout_settings
from ci_toolkit.pipelines.left_schedules import read_left_schedules
from ci_toolkit.pipelines.submitting import Submitting
from ci_toolkit.plugins import load_backend

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from ci_toolkit.cli.surface import Terminal

NAME = "schedule-submit"
HELP = "hand over to the build backend what an earlier job has scheduled and left as files (also: schedule submit)"
_DEFAULT = ".ci"


def declare(parser: ArgumentParser) -> None:
    """Add arguments."""
    parser.add_argument(
        "paths",
        nargs="*",
        type=Path,
        metavar="FILE|DIR",
        help="schedule.json, or schedule-params.txt with deptree.txt beside it, as an earlier job or the bash template "
        f"left them; or folders with such files (default: {_DEFAULT})",
    )
    parser.add_argument(
        "--allow-mass-removal", action="store_true", help="have packages removed however many these are"
    )
    declare_run(parser)
    declare_repository(parser)


def run(options: Namespace, terminal: Terminal) -> int:
    """Hand over everything that is there once."""
    started_s = terminal.clock.monotonic()
    workshop = workshop_for(options, terminal)
    settings = checkout_settings(workshop.top, terminal.environ)
    default = workshop.top / _DEFAULT
    paths = [terminal.cwd / path for path in options.paths] or ([default] if default.is_dir() else [])
    submitting = Submitting(
        workshop=workshop,
        backend=load_backend(settings.backend),
        settings=settings,
        tools=BackendTools(top=workshop.top, environ=terminal.environ, settings=settings, clock=terminal.clock),
        dry_run=options.dry_run,
        allows_mass_removal=options.allow_mass_removal,
    )
    outcomes = submitting.run(read_left_schedules(paths, terminal.environ, workshop.processes))
    if not outcomes and not options.json:
        terminal.say("schedule-submit: no earlier job has scheduled anything\n")
    return report_all(outcomes, terminal, workshop, as_json=options.json, started_s=started_s)
