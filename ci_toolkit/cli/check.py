"""`ci-toolkit check`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ci_toolkit.checks.registry import CHECKS, ON_REQUEST, load_checks
from ci_toolkit.effects.checkout import Checkout
from ci_toolkit.effects.process import Processes
from ci_toolkit.errors import PackagesFailedError
from ci_toolkit.pipelines.check_tools import CheckTools
from ci_toolkit.pipelines.checking import Checking, find_top

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from ci_toolkit.cli.surface import Terminal
    from ci_toolkit.pipelines.checking import CheckOutcome

NAME = "check"
HELP = "look for mistakes in the files here before they are pushed"


def declare(parser: ArgumentParser) -> None:
    """Add arguments."""
    parser.add_argument(
        "paths", nargs="*", metavar="PATH", help="packages or files of them (default: the whole repository)"
    )
    parser.add_argument(
        "--only",
        action="append",
        default=[],
        metavar="CHECK",
        help=f"run this check alone, may be repeated: {', '.join(CHECKS)}; "
        f"without it all run but {' and '.join(ON_REQUEST)} (whose PATH are files with messages)",
    )
    parser.add_argument("--full", action="store_true", help="also run PKGBUILDs, in the sandbox, and compare .SRCINFO")
    parser.add_argument("--fix", action="store_true", help="mend .SRCINFO (by makepkg, in the sandbox) and formatting")
    parser.add_argument(
        "--base",
        metavar="REV",
        default="HEAD",
        help="the commit to tell from which names are gone (HEAD)",
    )
    parser.add_argument("--repository", metavar="DIR", type=Path, help="the checkout (default: the one around here)")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_const", dest="form", const="json", help="print JSON")
    form.add_argument("--sarif", action="store_const", dest="form", const="sarif", help="print SARIF 2.1.0")
    form.add_argument(
        "--codequality", action="store_const", dest="form", const="codequality", help="print GitLab's Code Quality JSON"
    )
    status = PackagesFailedError.exit_status
    parser.epilog = (
        f"Exit status: 0 no problems or warnings only, {status} errors were found; others: it could not look."
    )


def run(options: Namespace, terminal: Terminal) -> int:
    """Check, print, and give the status."""
    cwd = terminal.cwd.resolve()
    checkout = Checkout(top=options.repository.resolve() if options.repository else find_top(cwd))
    processes = Processes(redactor=terminal.redactor)
    tools = CheckTools(checkout=checkout, processes=processes, environ=terminal.environ, base=options.base)
    checking = Checking(
        checkout=checkout,
        tools=tools,
        checks=load_checks(options.only),
        cwd=cwd,
        paths=options.paths,
        full=options.full,
        fix=options.fix,
    )
    outcome = checking.run()
    terminal.say(_printed(outcome, options.form, terminal))
    return PackagesFailedError.exit_status if outcome.errors else 0


def _printed(outcome: CheckOutcome, form: str | None, terminal: Terminal) -> str:
    match form:
        case "json":
            from ci_toolkit.reports.problems import problems_json  # noqa: PLC0415 - each form is rarely used

            return problems_json(outcome)
        case "sarif":
            from ci_toolkit.reports.sarif import problems_sarif  # noqa: PLC0415

            return problems_sarif(outcome.problems)
        case "codequality":
            from ci_toolkit.reports.code_quality import problems_code_quality  # noqa: PLC0415

            return problems_code_quality(outcome.problems)
        case _:
            from ci_toolkit.reports.problems import problems_text  # noqa: PLC0415

            return problems_text(outcome, terminal.surroundings)
