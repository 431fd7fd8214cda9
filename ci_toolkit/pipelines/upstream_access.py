"""The one way to everything upstream: web clients, caches, threads and the sandbox, made when they are first needed."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Self

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
from ci_toolkit.model.settings import SETTINGS_PATH
from ci_toolkit.pipelines.observing import Observer
from ci_toolkit.plugins import load_sources
from ci_toolkit.recipes.makepkg.new_version import NewVersionMaker
from ci_toolkit.recipes.makepkg.program import Makepkg
from ci_toolkit.sources.aur_lookup import AurTools
from ci_toolkit.sources.spec import SourceTools

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ci_toolkit.effects.clock import Clock
    from ci_toolkit.effects.process import Processes
    from ci_toolkit.model.package import Snapshot
    from ci_toolkit.model.settings import Settings
    from ci_toolkit.pipelines.workshop import Workshop

log = logging.getLogger(__name__)

_REQUESTS_PER_WORKER = 8
_API_WAIT_S = 5.0


class _Webs(NamedTuple):
    """The client for everybody, the one for the AUR, which may have a proxy of its own, and the one for GitHub's API.

    What the API refuses is asked otherwise, so it is not waited for, and its failures do not count for its host.
    """

    everybody: Web
    aur: Web
    api: Web


class _Pools(NamedTuple):
    """Threads that wait, and threads that work."""

    waiting: ThreadPoolExecutor
    heavy: ThreadPoolExecutor


@dataclass(slots=True, kw_only=True)
class UpstreamAccess:
    """For `with`, which closes what was opened. The settings of the first call say how clients and threads are made."""

    environ: Mapping[str, str]
    clock: Clock
    processes: Processes
    cache: Path
    _stack: ExitStack = field(default_factory=ExitStack)
    _webs: _Webs | None = None
    _pools: _Pools | None = None

    @classmethod
    def of(cls, workshop: Workshop) -> Self:
        """With a workshop's environment and cache."""
        return cls(environ=workshop.environ, clock=workshop.clock, processes=workshop.processes, cache=workshop.cache)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def requests(self) -> int:
        """How many requests were sent so far."""
        return sum(client.requests.total() for client in self._webs or ())

    def aur_tools(self, settings: Settings) -> AurTools:
        """What asks for single packages of the AUR that the settings name."""
        web = self._clients(settings).aur
        env = upstream_environment(self.environ, allow_local=settings.allow_local_upstreams, proxy=settings.aur_proxy)
        return AurTools(web=web, heads=self._heads(web, env), upstreams=self._upstreams(web, env), settings=settings)

    def source_tools(
        self, snapshot: Snapshot, workshop: Workshop, *, done: Callable[[str], None] = lambda _: None
    ) -> SourceTools:
        """What kinds of sources are handed; `done` is called with every package that is answered."""
        settings = snapshot.settings
        local = settings.allow_local_upstreams
        webs, aur = self._clients(settings), self.aur_tools(settings)
        env = upstream_environment(self.environ, allow_local=local)
        return SourceTools(
            web=webs.everybody,
            aur_web=webs.aur,
            heads=self._heads(webs.everybody, env),
            aur_heads=aur.heads,
            upstreams=self._upstreams(webs.everybody, env),
            aur_upstreams=aur.upstreams,
            files=CacheFiles(folder=self.cache),
            sandbox=self._sandbox(settings, workshop),
            read_blobs=workshop.repository.read_blobs,
            foreign_heads=ForeignHeads(
                processes=self.processes, env=env, folder=self.cache / "fossil", allow_local=local
            ),
            github=self._github(settings, webs.api),
            clock=self.clock,
            settings=settings,
            memory=snapshot.state.memory,
            aur_watermark_s=snapshot.aur_watermark_s,
            pool=self._threads(settings).waiting,
            done=done,
        )

    def observer(
        self, snapshot: Snapshot, workshop: Workshop, *, done: Callable[[str], None] = lambda _: None
    ) -> Observer:
        """What asks all upstreams of a snapshot."""
        tools = self.source_tools(snapshot, workshop, done=done)
        downloads = Downloads(folder=self.cache / "downloads", web=tools.web)
        downloads.sweep(self.clock.now())
        return Observer(
            sources=load_sources(),
            tools=tools,
            shfmt=Shfmt(processes=self.processes, environ=self.environ),
            repository=workshop.repository,
            maker=NewVersionMaker(makepkg=Makepkg(sandbox=tools.sandbox), downloads=downloads),
            heavy=self._threads(snapshot.settings).heavy,
        )

    def _clients(self, settings: Settings) -> _Webs:
        if self._webs is None:
            manners = WebManners(
                allow_local=settings.allow_local_upstreams,
                delay_s=settings.clone_delay_s,
                connections=_parallel(settings),
            )
            proxies = {"http": settings.aur_proxy, "https": settings.aur_proxy} if settings.aur_proxy else None
            api = replace(manners, attempts=2, longest_wait_s=_API_WAIT_S)
            self._webs = _Webs(
                everybody=self._open(Web(clock=self.clock, manners=manners)),
                aur=self._open(Web(clock=self.clock, manners=manners, proxies=proxies)),
                api=self._open(Web(clock=self.clock, manners=api)),
            )
        return self._webs

    def _open(self, web: Web) -> Web:
        return self._stack.enter_context(closing(web))

    def _threads(self, settings: Settings) -> _Pools:
        if self._pools is None:
            enter = self._stack.enter_context
            self._pools = _Pools(
                waiting=enter(ThreadPoolExecutor(_parallel(settings), thread_name_prefix="upstream")),
                heavy=enter(ThreadPoolExecutor(settings.max_parallel, thread_name_prefix="make")),
            )
        return self._pools

    def _heads(self, web: Web, env: Mapping[str, str]) -> RemoteHeads:
        return RemoteHeads(web=web, processes=self.processes, env=env)

    def _upstreams(self, web: Web, env: Mapping[str, str]) -> UpstreamCache:
        folder = self.cache / "upstreams"
        return UpstreamCache(folder=folder, processes=self.processes, web=web, clock=self.clock, env=env)

    def _sandbox(self, settings: Settings, workshop: Workshop) -> Sandbox:
        return Sandbox(
            processes=self.processes,
            environ=self.environ,
            wish=settings.sandbox,
            closed_to_users=(workshop.repository.git.git_dir, Path.home()),
        )

    def _github(self, settings: Settings, web: Web) -> GithubApi | None:
        """GitHub's API where there is a token for it; ConfigError when it must not be sent to CI_GITHUB_URL."""
        try:
            token = github_token(self.environ)
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


def _parallel(settings: Settings) -> int:
    """Threads that wait for upstreams: cheap requests, so more of them than CI_MAX_PARALLEL allows of heavy work."""
    return settings.max_parallel * _REQUESTS_PER_WORKER
