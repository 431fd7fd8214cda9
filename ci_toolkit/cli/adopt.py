"""`ci-toolkit adopt`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ci_toolkit.cli.surface import Terminal, declare_repository, workshop_for
from ci_toolkit.errors import ConfigError
from ci_toolkit.pipelines.adopting import Adopt, take_up, undo_adoption
from ci_toolkit.reports.adoption import adoption_text

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

NAME = "adopt"
HELP = "take over a repository that the bash template runs, in one commit, and tell what will be different"


def declare(parser: ArgumentParser) -> None:
    """Add arguments."""
    parser.add_argument("service", nargs="?", choices=("gitlab", "github"), help="where the pipelines run from now on")
    parser.add_argument("--undo", action="store_true", help="take the adoption back, in one commit as well")
    parser.add_argument("--new-branch", metavar="NAME", help="leave what is checked out, and make this branch")
    parser.add_argument("--dry-run", action="store_true", help="only tell; no branch changes")
    declare_repository(parser)


def run(options: Namespace, terminal: Terminal) -> int:
    """Adopt, or undo that."""
    if (options.service is None) is not options.undo:
        raise ConfigError("either a service, gitlab or github, or --undo is needed")
    workshop = workshop_for(options, terminal)
    if options.undo:
        commit, paths = undo_adoption(workshop)
        terminal.say("".join(f"restores {path}\n" for path in paths))
    else:
        adoption = Adopt(workshop=workshop, service=options.service).run()
        commit = adoption.commit
        terminal.say(adoption_text(adoption))
    if options.dry_run:
        return 0
    branch = take_up(workshop, commit, branch=options.new_branch)
    terminal.say(f"\nbranch {branch} is at {commit[:10]}; look at it with git show --stat {branch}, then push it\n")
    return 0
