"""`ci-toolkit pipeline`: the one command of a CI job that may be anything."""

from __future__ import annotations

import argparse
import logging
from importlib import import_module
from typing import TYPE_CHECKING

from ci_toolkit.cli.surface import declare_repository, declare_run
from ci_toolkit.model.operations import operation_of

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from ci_toolkit.cli.surface import Subcommand, Terminal

NAME = "pipeline"
HELP = "in CI: do what the pipeline's variables ask for"

log = logging.getLogger(__name__)


def declare(parser: ArgumentParser) -> None:
    """Add arguments."""
    declare_run(parser)
    declare_repository(parser)
    parser.epilog = (
        "Variables, the first that is set decides: OPERATION (Schedule Packages, Bump Packages, Drop Packages with "
        "PACKAGES; Add Packages with ADD_PACKAGES, REQUEST_ORIGIN, REQUEST_REASON; Run Schedule with TRIGGER; None); "
        "TRIGGER (run-schedule); then CI_PIPELINE_SOURCE or GITHUB_EVENT_NAME: push is on-commit, schedule is "
        "on-schedule, and so are web and workflow_dispatch."
    )


def run(options: Namespace, terminal: Terminal) -> int:
    """Run the command that is meant, with its own defaults and our options."""
    name = operation_of(terminal.environ)
    log.info("this pipeline is ci-toolkit %s", name)
    command: Subcommand = import_module(f"ci_toolkit.cli.{name.replace('-', '_')}")
    parser = argparse.ArgumentParser(prog=f"ci-toolkit {name}")
    command.declare(parser)
    return command.run(parser.parse_args([], namespace=options), terminal)
