"""`ci-toolkit on-schedule`."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from ci_toolkit.cli.reporting import report
from ci_toolkit.cli.surface import Terminal, declare_repository, declare_run, workshop_for
from ci_toolkit.effects.cache_files import CacheFiles
from ci_toolkit.effects.downloads import Downloads
from ci_toolkit.effects.foreign_heads import ForeignHeads
from ci_toolkit.effects.git_command import upstream_environment
from ci_toolkit.effects.github_api import GithubApi
from ci_toolkit.effects.remote_heads import RemoteHeads
from ci_toolkit.effects.sandbox import Sandbox
from ci_toolkit.effects.shfmt import Shfmt
from ci_toolkit.effects.token import GITHUB_VARIABLES, github_token
from ci_toolkit.effects.upstream_cache import UpstreamCache
from ci_toolkit.effects.web import Web, WebManners
from ci_toolkit.errors import ConfigError
from ci_toolkit.formats.service_url import parse_service
from ci_toolkit.model.config_keys import parse_boolean, parse_names
from ci_toolkit.model.settings import SETTINGS_PATH
from ci_toolkit.pipelines.observing import Observer
from ci_toolkit.pipelines.on_schedule import OnSchedule
from ci_toolkit.plugins import load_backend, load_forge, load_review_rules, load_sources
from ci_toolkit.recipes.makepkg import Makepkg
from ci_toolkit.recipes.new_version import NewVersionMaker
from ci_toolkit.reports.progress import progress
from ci_toolkit.sources.spec import SourceTools

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Callable, Iterator, Mapping

    from ci_toolkit.model.package import Snapshot
    from ci_toolkit.model.settings import Settings
    from ci_toolkit.pipelines.workshop import Workshop

NAME = "on-schedule"
HELP = "by a timer: check all upstreams, apply harmless updates, send the rest to review, schedule what changed"

log = logging.getLogger(__name__)

_REQUESTS_PER_WORKER = 8
_API_WAIT_S = 5.0


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
        "ACCESS_TOKEN, which is pushed with, opens reviews, too, where CI_FORGE is a service."
    )


def run(options: Namespace, terminal: Terminal) -> int:
    """Run the pipeline once."""
    started_s = terminal.clock.monotonic()
    environ = terminal.environ
    workshop = workshop_for(options, terminal)
    snapshot = workshop.reader.read()
    for key in snapshot.settings.overridden:
        log.info("%s: the environment's value is used, not that of .ci/config", key)
    selected = parse_names(f"{environ.get('CI_TEST_PACKAGES', '')}:{environ.get('CI_TEST_PACKAGE', '')}")
    with ExitStack() as stack:
        webs = _Webs(*(stack.enter_context(closing(client)) for client in _web_clients(snapshot, terminal)))
        pool = stack.enter_context(ThreadPoolExecutor(_parallel(snapshot), thread_name_prefix="upstream"))
        heavy = stack.enter_context(ThreadPoolExecutor(snapshot.settings.max_parallel, thread_name_prefix="make"))

        def observer(seen: Snapshot) -> Observer:
            asked = [package for name, package in seen.packages.items() if not selected or name in selected]
            # A VCS package has two upstreams: its own and that of its source.
            total = len(asked) + sum(package.is_vcs for package in asked)
            done = stack.enter_context(
                progress(total, stream=terminal.stderr, surroundings=terminal.surroundings, clock=terminal.clock)
            )
            return _observer(seen, workshop, webs, _Pools(pool, heavy), done)

        pipeline = OnSchedule(
            workshop=workshop,
            backend=load_backend(snapshot.settings.backend),
            forge=load_forge(snapshot.settings.forge),
            observer=observer,
            review_rules=load_review_rules(),
            selected=frozenset(selected) or None,
            trigger=environ.get("TRIGGER") or None,
            ignores_tag=_is_set("SKIP_ON_COMMIT_CHECK", environ),
            dry_run=options.dry_run,
        )
        outcome = pipeline.run(snapshot)
        requests = sum(client.requests.total() for client in webs)
    return report(outcome, terminal, workshop, as_json=options.json, started_s=started_s, requests=requests)


def _is_set(key: str, environ: Mapping[str, str]) -> bool:
    try:
        return parse_boolean(environ.get(key, ""))
    except ConfigError as error:
        raise error.located(file="the environment", key=key) from None


def _parallel(snapshot: Snapshot) -> int:
    """Threads that wait for upstreams: cheap requests, so more of them than CI_MAX_PARALLEL allows of heavy work."""
    return snapshot.settings.max_parallel * _REQUESTS_PER_WORKER


class _Pools(NamedTuple):
    """Threads that wait, and threads that work."""

    waiting: ThreadPoolExecutor
    heavy: ThreadPoolExecutor


class _Webs(NamedTuple):
    """The client for everybody, the one for the AUR, which may have a proxy of its own, and the one for GitHub's API.

    What the API refuses is asked otherwise, so it is not waited for, and its failures do not count for its host.
    """

    everybody: Web
    aur: Web
    api: Web


def _web_clients(snapshot: Snapshot, terminal: Terminal) -> Iterator[Web]:
    settings = snapshot.settings
    manners = WebManners(
        allow_local=settings.allow_local_upstreams,
        delay_s=settings.clone_delay_s,
        connections=_parallel(snapshot),
    )
    proxies = {"http": settings.aur_proxy, "https": settings.aur_proxy} if settings.aur_proxy else None
    yield Web(clock=terminal.clock, manners=manners)
    yield Web(clock=terminal.clock, manners=manners, proxies=proxies)
    yield Web(clock=terminal.clock, manners=replace(manners, attempts=2, longest_wait_s=_API_WAIT_S))


def _github(settings: Settings, workshop: Workshop, web: Web) -> GithubApi | None:
    """GitHub's API where there is a token for it; ConfigError when the token must not be sent to CI_GITHUB_URL."""
    try:
        token = github_token(workshop.environ)
    except ValueError:
        log.warning("%s: what it holds is no token and is not used", " or ".join(GITHUB_VARIABLES))
        return None
    if token is None:
        return None
    try:
        service = parse_service(settings.github_url, allow_local=settings.allow_local_upstreams)
    except ConfigError as error:
        raise error.located(file=SETTINGS_PATH, key="CI_GITHUB_URL") from None
    return GithubApi(web=web, service=service, token=token)


def _observer(
    snapshot: Snapshot,
    workshop: Workshop,
    webs: _Webs,
    pools: _Pools,
    done: Callable[[str], None],
) -> Observer:
    settings = snapshot.settings
    local = settings.allow_local_upstreams
    web, aur_web = webs.everybody, webs.aur
    env = upstream_environment(workshop.environ, allow_local=local)
    aur_env = upstream_environment(workshop.environ, allow_local=local, proxy=settings.aur_proxy)
    upstreams = workshop.cache / "upstreams"
    sandbox = Sandbox(
        processes=workshop.processes,
        environ=workshop.environ,
        wish=settings.sandbox,
        closed_to_users=(workshop.repository.git.git_dir, Path.home()),
    )
    tools = SourceTools(
        web=web,
        aur_web=aur_web,
        heads=RemoteHeads(web=web, processes=workshop.processes, env=env),
        aur_heads=RemoteHeads(web=aur_web, processes=workshop.processes, env=aur_env),
        upstreams=UpstreamCache(folder=upstreams, processes=workshop.processes, web=web, clock=workshop.clock, env=env),
        aur_upstreams=UpstreamCache(
            folder=upstreams, processes=workshop.processes, web=aur_web, clock=workshop.clock, env=aur_env
        ),
        files=CacheFiles(folder=workshop.cache),
        sandbox=sandbox,
        read_blobs=workshop.repository.read_blobs,
        foreign_heads=ForeignHeads(
            processes=workshop.processes, env=env, folder=workshop.cache / "fossil", allow_local=local
        ),
        github=_github(settings, workshop, webs.api),
        clock=workshop.clock,
        settings=settings,
        memory=snapshot.state.memory,
        aur_watermark_s=snapshot.aur_watermark_s,
        pool=pools.waiting,
        done=done,
    )
    downloads = Downloads(folder=workshop.cache / "downloads", web=web)
    downloads.sweep(workshop.clock.now())
    return Observer(
        sources=load_sources(),
        tools=tools,
        shfmt=Shfmt(processes=workshop.processes, environ=workshop.environ),
        repository=workshop.repository,
        maker=NewVersionMaker(makepkg=Makepkg(sandbox=sandbox), downloads=downloads),
        heavy=pools.heavy,
    )
