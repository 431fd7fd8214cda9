"""`ci-toolkit logs PACKAGE`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from ci_toolkit.cli.build_backend import meant_jobs, opened_backend

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from ci_toolkit.cli.surface import Terminal

NAME = "logs"
HELP = "the log of a package's last build, or of a build"


def declare(parser: ArgumentParser) -> None:
    """Add arguments."""
    parser.add_argument("job", metavar="PACKAGE|NUMBER", help="a package's last build, or a build")
    parser.add_argument("-f", "--follow", action="store_true", help="go on as the log grows, until the build is over")
    parser.add_argument("--json", action="store_true", help="print pieces of the log as JSON objects, one a line")


def run(options: Namespace, terminal: Terminal) -> int:
    """Print it as it was written."""
    backend, tools = opened_backend(terminal)
    (job,) = meant_jobs([options.job], backend, tools)
    for piece in backend.log(job, tools, follow=options.follow):
        record = {"job": job.number, "package": job.pkgbase, "text": piece}
        terminal.say(f"{json.dumps(record)}\n" if options.json else piece)
    return 0
