"""`ci-toolkit bump`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ci_toolkit.cli.package_arguments import VARIABLE, declare_packages, named_packages
from ci_toolkit.cli.reporting import report
from ci_toolkit.cli.surface import Terminal, declare_repository, declare_run, workshop_for
from ci_toolkit.pipelines.manual_bump import ManualBump
from ci_toolkit.pipelines.reading import NO_REVIEWS
from ci_toolkit.pipelines.upstream_access import UpstreamAccess

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Sequence

NAME = "bump"
HELP = "have packages rebuilt with a higher release, as CI_PACKAGE_BUMP in their .CI/config says from then on"


def declare(parser: ArgumentParser) -> None:
    """Add arguments."""
    declare_packages(parser, "a name, a glob such as 'python-*', or all")
    parser.add_argument(
        "--dependants-of",
        nargs="+",
        action="extend",
        default=[],
        metavar="LIB",
        help="all packages that depend on this at run time or to be built: a package, what one provides, or libx.so",
    )
    declare_run(parser)
    declare_repository(parser)


def run(options: Namespace, terminal: Terminal) -> int:
    """Run the operation once."""
    started_s = terminal.clock.monotonic()
    workshop = workshop_for(options, terminal)
    with UpstreamAccess.of(workshop) as access:
        operation = ManualBump(
            workshop=workshop,
            tools=lambda snapshot: access.source_tools(snapshot, workshop),
            wanted=_wanted(options, terminal),
            libraries=options.dependants_of,
            dry_run=options.dry_run,
        )
        outcome = operation.run(workshop.reader.read(reviews=NO_REVIEWS))
    return report(outcome, terminal, workshop, as_json=options.json, started_s=started_s, requests=access.requests)


def _wanted(options: Namespace, terminal: Terminal) -> Sequence[str]:
    """With `--dependants-of` nothing else need be named."""
    if options.dependants_of and not options.packages and not terminal.environ.get(VARIABLE, "").strip():
        return ()
    return named_packages(options, terminal)
