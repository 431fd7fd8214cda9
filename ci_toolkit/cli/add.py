"""`ci-toolkit add`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ci_toolkit.cli.reporting import report
from ci_toolkit.cli.surface import Terminal, declare_repository, declare_run, workshop_for
from ci_toolkit.errors import ConfigError
from ci_toolkit.model.additions import Request, parse_info, parse_wishes
from ci_toolkit.pipelines.manual_add import ManualAdd
from ci_toolkit.pipelines.reading import NO_REVIEWS
from ci_toolkit.pipelines.upstream_access import UpstreamAccess
from ci_toolkit.plugins import load_backend, load_review_rules

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Mapping

NAME = "add"
HELP = "add packages as the AUR or another upstream has them, after a look at what is in them"

VARIABLE = "ADD_PACKAGES"


def declare(parser: ArgumentParser) -> None:
    """Add arguments."""
    parser.add_argument(
        "wishes",
        nargs="*",
        metavar="NAME/SOURCE",
        help="SOURCE: aur (which may be left out), a git URL (with #path=FOLDER for a folder in it), "
        "github:OWNER/NAME, gitlab:[HOST/]NUMBER or gitea:HOST/OWNER/NAME "
        f"(default: variable {VARIABLE}, with blanks between several)",
    )
    parser.add_argument(
        "--with-deps", action="store_true", help="add also what they need and only the AUR has; CI_LIB_DB must be set"
    )
    parser.add_argument("--origin", metavar="TEXT", help="where the wish comes from (default: variable REQUEST_ORIGIN)")
    parser.add_argument(
        "--reason",
        metavar="TEXT",
        help="why they are wanted (default: variables CUSTOM_REQUEST_REASON, REQUEST_REASON); "
        "both are written to .CI/info",
    )
    declare_run(parser)
    declare_repository(parser)


def run(options: Namespace, terminal: Terminal) -> int:
    """Run the operation once."""
    started_s = terminal.clock.monotonic()
    texts = options.wishes or [terminal.environ.get(VARIABLE, "")]
    if not any(text.strip() for text in texts):
        raise ConfigError("no package is named", hint=f"name them as arguments, or in variable {VARIABLE}")
    wishes, request = parse_wishes(texts), _request(options, terminal.environ)
    workshop = workshop_for(options, terminal)
    snapshot = workshop.reader.read(reviews=NO_REVIEWS)
    with UpstreamAccess.of(workshop) as access:
        operation = ManualAdd(
            workshop=workshop,
            observer=access.observer(snapshot, workshop),
            aur=access.aur_tools(snapshot.settings),
            backend=load_backend(snapshot.settings.backend),
            review_rules=load_review_rules(),
            wishes=wishes,
            request=request,
            with_dependencies=options.with_deps,
            dry_run=options.dry_run,
        )
        outcome = operation.run(snapshot)
    return report(outcome, terminal, workshop, as_json=options.json, started_s=started_s, requests=access.requests)


def _request(options: Namespace, environ: Mapping[str, str]) -> Request:
    """Option, then variable; of the two for the reason the one that a person writes freely."""
    origin = options.origin if options.origin is not None else environ.get("REQUEST_ORIGIN")
    said = parse_info(options.reason, "--reason")
    free = parse_info(environ.get("CUSTOM_REQUEST_REASON"), "CUSTOM_REQUEST_REASON")
    chosen = parse_info(environ.get("REQUEST_REASON"), "REQUEST_REASON")
    return Request(
        origin=parse_info(origin, "REQUEST_ORIGIN" if options.origin is None else "--origin"),
        reason=said if options.reason is not None else free or chosen,
    )
