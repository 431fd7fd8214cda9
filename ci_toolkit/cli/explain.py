"""`ci-toolkit explain PKG`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ci_toolkit.cli.surface import Terminal, declare_repository, workshop_for
from ci_toolkit.errors import ConfigError
from ci_toolkit.formats.verdicts import parse_verdicts
from ci_toolkit.model.names import Pkgbase, nearest
from ci_toolkit.reports.explanation import explain_json, explain_text

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

NAME = "explain"
HELP = "say why a package did or did not get updated, from what the last run recorded"


def declare(parser: ArgumentParser) -> None:
    """Add arguments."""
    parser.add_argument("package", help="the name of its folder")
    parser.add_argument("--json", action="store_true", help="print the same as JSON")
    declare_repository(parser)


def run(options: Namespace, terminal: Terminal) -> int:
    """Read the state branch and say what it knows."""
    pkgbase = Pkgbase(options.package.rstrip("/"))
    snapshot = workshop_for(options, terminal).reader.read(reviews=frozenset({pkgbase}))
    verdict = parse_verdicts(snapshot.state.verdicts).get(pkgbase)
    if pkgbase not in snapshot.packages and verdict is None:
        hint = nearest(pkgbase, snapshot.packages) or None
        raise ConfigError(f"{snapshot.branch} has no such package", got=pkgbase, hint=hint)
    explain = explain_json if options.json else explain_text
    terminal.say(explain(pkgbase, verdict, snapshot.state, snapshot.reviews.get(pkgbase)))
    return 0
