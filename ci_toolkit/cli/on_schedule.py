"""`ci-toolkit on-schedule`."""

from __future__ import annotations

import logging
from contextlib import ExitStack
from typing import TYPE_CHECKING

from ci_toolkit.cli.forge_choice import chosen_forge
from ci_toolkit.cli.reporting import report
from ci_toolkit.cli.surface import Terminal, declare_repository, declare_run, workshop_for
from ci_toolkit.errors import ConfigError
from ci_toolkit.model.config_keys import parse_boolean, parse_names
from ci_toolkit.pipelines.on_schedule import OnSchedule
from ci_toolkit.pipelines.template_update import TemplateUpdate
from ci_toolkit.pipelines.upstream_access import UpstreamAccess
from ci_toolkit.plugins import load_backend, load_review_rules
from ci_toolkit.reports.progress import progress

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Mapping

    from ci_toolkit.model.package import Snapshot
    from ci_toolkit.pipelines.observing import Observer

NAME = "on-schedule"
HELP = "by a timer: check all upstreams, apply harmless updates, send the rest to review, schedule what changed"

log = logging.getLogger(__name__)


def declare(parser: ArgumentParser) -> None:
    """Add arguments."""
    declare_run(parser)
    declare_repository(parser)
    parser.epilog = (
        "Environment: TRIGGER schedules the packages whose CI_ON_TRIGGER equals it and does nothing else; "
        "CI_TEST_PACKAGES (names separated by colons) limits the run to those packages; "
        "SKIP_ON_COMMIT_CHECK=true runs although an on-commit run is missing; "
        "GH_TOKEN or GITHUB_TOKEN, a token for CI_GITHUB_URL without any rights, asks for the heads of many "
        "repositories there with one request; "
        "ACCESS_TOKEN, which is pushed with, opens reviews, too, where CI_FORGE is a service or auto."
    )


def run(options: Namespace, terminal: Terminal) -> int:
    """Run the pipeline once."""
    return run_once(options, terminal, trigger=terminal.environ.get("TRIGGER") or None)


def run_once(options: Namespace, terminal: Terminal, *, trigger: str | None) -> int:
    """Run the pipeline, or with a trigger only schedule what waits for it."""
    started_s = terminal.clock.monotonic()
    environ = terminal.environ
    workshop = workshop_for(options, terminal)
    snapshot = workshop.reader.read()
    for key in snapshot.settings.overridden:
        log.info("%s: the environment's value is used, not that of .ci/config", key)
    selected = parse_names(f"{environ.get('CI_TEST_PACKAGES', '')}:{environ.get('CI_TEST_PACKAGE', '')}")
    with ExitStack() as stack:
        access = stack.enter_context(UpstreamAccess.of(workshop))

        def observer(seen: Snapshot) -> Observer:
            asked = [package for name, package in seen.packages.items() if not selected or name in selected]
            # A VCS package has two upstreams: its own and that of its source.
            total = len(asked) + sum(package.is_vcs for package in asked)
            done = stack.enter_context(
                progress(total, stream=terminal.stderr, surroundings=terminal.surroundings, clock=terminal.clock)
            )
            return access.observer(seen, workshop, done=done)

        tools = access.source_tools(snapshot, workshop)
        pipeline = OnSchedule(
            workshop=workshop,
            backend=load_backend(snapshot.settings.backend),
            forge=chosen_forge(snapshot.settings, environ),
            observer=observer,
            review_rules=load_review_rules(),
            selected=frozenset(selected) or None,
            trigger=trigger,
            ignores_tag=_is_set("SKIP_ON_COMMIT_CHECK", environ),
            template=TemplateUpdate(workshop=workshop, heads=tools.heads, upstreams=tools.upstreams),
            dry_run=options.dry_run,
        )
        outcome = pipeline.run(snapshot)
    return report(outcome, terminal, workshop, as_json=options.json, started_s=started_s, requests=access.requests)


def _is_set(key: str, environ: Mapping[str, str]) -> bool:
    try:
        return parse_boolean(environ.get(key, ""))
    except ConfigError as error:
        raise error.located(file="the environment", key=key) from None
