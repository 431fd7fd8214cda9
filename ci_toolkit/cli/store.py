"""`ci-toolkit store`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ci_toolkit.backends.local_folder import local_folder
from ci_toolkit.effects.exclusive_lock import exclusive
from ci_toolkit.errors import PackagesFailedError
from ci_toolkit.pipelines.checking import find_top
from ci_toolkit.pipelines.checkout_settings import checkout_settings
from ci_toolkit.reports.store import check_json, check_text
from ci_toolkit.store.object_store import open_store

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from ci_toolkit.cli.surface import Terminal

NAME = "store"
HELP = "look after the packages that were built on this machine"
_WAIT_S = 2.0


def declare(parser: ArgumentParser) -> None:
    """Add arguments."""
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    check = verbs.add_parser("check", help="compare files, their contents and the index")
    check.add_argument("--mend", action="store_true", help="remove what is wrong; what made it is built again")
    check.add_argument("--json", action="store_true", help="print JSON on stdout")
    status = PackagesFailedError.exit_status
    check.epilog = f"Exit status: 0 all is well, or mended; {status} something is wrong."


def run(options: Namespace, terminal: Terminal) -> int:
    """Check, and mend if that is wished."""
    settings = checkout_settings(find_top(terminal.cwd.resolve()), terminal.environ)
    place = local_folder(settings, terminal.environ)
    # What a build is just storing would look like something that nobody knows.
    with (
        exclusive(place.lock, who="store check", wait_s=_WAIT_S, clock=terminal.clock),
        open_store(place.store) as store,
    ):
        faults = store.check()
        if options.mend:
            store.mend(faults)
        count, size_bytes = store.size()
    show = check_json if options.json else check_text
    terminal.say(show(faults, count=count, size_bytes=size_bytes, mended=options.mend))
    return PackagesFailedError.exit_status if faults and not options.mend else 0
