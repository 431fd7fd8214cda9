"""`ci-toolkit stack`."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from ci_toolkit.errors import NotReadyError

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from ci_toolkit.cli.surface import Terminal

NAME = "stack"
HELP = "generate what stands around a farm: proxy, database, metrics, alerts, dashboards, logs"


def declare(parser: ArgumentParser) -> None:
    """Add arguments."""
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    render = verbs.add_parser("render", help="write every file that differs, after all of them have been checked")
    render.add_argument(
        "--force", action="store_true", help="replace files that somebody has edited, and keep logs shortly"
    )
    render.add_argument("--check", action="store_true", help="write nothing; fail when something would be written")
    status = verbs.add_parser("status", help="whether it is to be rendered and why, and what a person has yet to do")
    status.add_argument("--json", action="store_true", help="print JSON on stdout")
    diff = verbs.add_parser("diff", help="what a rendering would change")
    for verb in (render, status, diff):
        verb.add_argument(
            "folder", metavar="DIR", type=Path, nargs="?", default=Path(), help="with stack.toml (default: here)"
        )


def run(options: Namespace, terminal: Terminal) -> int:
    """Do what the verb says."""
    if find_spec("jsonschema") is None or find_spec("yaml") is None:
        raise NotReadyError("a stack needs jsonschema and PyYAML", hint="pip install 'ci-toolkit[stack]'")
    from ci_toolkit.effects.process import Processes  # noqa: PLC0415 - the rest of the program does without all of it
    from ci_toolkit.stack.report import checks_text, rendered_text, status_text  # noqa: PLC0415
    from ci_toolkit.stack.stack_folder import StackFolder  # noqa: PLC0415
    from ci_toolkit.stack.validating.check import Programs  # noqa: PLC0415

    programs = Programs(processes=Processes(redactor=terminal.redactor), environ=terminal.environ)
    stack = StackFolder((terminal.cwd / options.folder).resolve(), programs, terminal.clock)
    match options.verb:
        case "render" if options.check:
            terminal.say(checks_text(stack.check(force=options.force)))
        case "render":
            terminal.say(rendered_text(stack.render(force=options.force)))
        case "diff":
            terminal.say("".join(stack.diff()))
        case _:
            status = stack.status()
            said = {
                "needs_render": bool(status.reasons),
                "reasons": status.reasons,
                "compose_files": status.compose_files,
                "missing_compose_files": status.missing_compose_files,
                "to_do": status.to_do,
            }
            terminal.say(json.dumps(said, indent=2) + "\n" if options.json else status_text(status))
    return 0
