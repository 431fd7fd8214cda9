"""What builds on this machine share, whoever asks for them: the recipe with its effects, limits and settings."""

from __future__ import annotations

import os
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ci_toolkit.effects.build_limits import BuildLimits
from ci_toolkit.effects.build_roots import find_root
from ci_toolkit.effects.downloads import Downloads
from ci_toolkit.effects.git_command import upstream_environment
from ci_toolkit.effects.sandbox import Sandbox
from ci_toolkit.effects.web import Web, WebManners
from ci_toolkit.recipes.build import BuildRequest
from ci_toolkit.recipes.build_sources import SourceFetcher
from ci_toolkit.recipes.failed_folder import sweep_failed_folders
from ci_toolkit.recipes.spec import RecipeTools

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from ci_toolkit.effects.base_root import BaseRoot
    from ci_toolkit.effects.clock import Clock
    from ci_toolkit.effects.process import Processes
    from ci_toolkit.effects.redaction import Redactor
    from ci_toolkit.model.observation import UpstreamFile
    from ci_toolkit.model.package_config import PackageConfig
    from ci_toolkit.model.root_identity import RootIdentity
    from ci_toolkit.model.settings import Settings


_REMEMBERED_S = 10.0
_DAY_S = 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Builder:
    """Everything that a build needs besides the package; several threads may use it at once."""

    settings: Settings
    root: BaseRoot
    root_identity: Callable[[], RootIdentity]
    cache: Path
    failed: Path
    compiler_caches: Path | None
    fetcher: SourceFetcher
    sandbox: Sandbox
    clock: Clock
    redactor: Redactor
    packager: str
    make_flags: str

    @property
    def limits(self) -> BuildLimits:
        """What one build may use."""
        return BuildLimits(
            time_s=self.settings.build_timeout_s,
            most_time_s=self.settings.most_build_timeout_s,
            memory_bytes=self.settings.build_memory_mib << 20,
            disk_bytes=self.settings.build_disk_mib << 20,
        )

    @property
    def tools(self) -> RecipeTools:
        """What a recipe is handed, which tells nobody anything yet."""
        return RecipeTools(
            sandbox=self.sandbox, fetcher=self.fetcher, clock=self.clock, redactor=self.redactor, cache=self.cache
        )

    def request(
        self,
        pkgbase: str,
        files: Mapping[str, UpstreamFile],
        config: PackageConfig,
        *,
        out: Path,
        log: Path,
        epoch_s: int,
    ) -> BuildRequest:
        """A build of a folder as the settings want it."""
        return BuildRequest(
            pkgbase=pkgbase,
            files=files,
            config=config,
            out=out,
            log=log,
            epoch_s=epoch_s,
            packager=self.packager,
            make_flags=self.make_flags,
            assumed=self.settings.build_assumed,
            skip_status=self.settings.skip_status,
            root=self.root,
            limits=self.limits,
            compiler_caches=self.compiler_caches,
            keep_failed=self.failed / f"{pkgbase}.tar.zst" if self.settings.keep_failed else None,
        )


@contextmanager
def opened_builder(
    settings: Settings,
    *,
    environ: Mapping[str, str],
    clock: Clock,
    redactor: Redactor,
    processes: Processes,
    cache: Path,
    slots: int = 1,
) -> Iterator[Builder]:
    """A builder for as many builds at once as there are slots; what is long unused leaves the cache.

    MachineError when there is no such build root as the settings ask for.
    """
    manners = WebManners(allow_local=settings.allow_local_upstreams, delay_s=settings.clone_delay_s)
    author = f"{settings.author_name} <{settings.author_email}>" if settings.author_name else "Unknown Packager"
    cores = len(os.sched_getaffinity(0))
    root = find_root(settings.build_root, processes=processes, environ=environ, cache=cache, clock=clock)
    with closing(Web(clock=clock, manners=manners)) as web:
        fetcher = SourceFetcher(
            downloads=Downloads(folder=cache / "downloads", web=web),
            processes=processes,
            env=upstream_environment(environ, allow_local=settings.allow_local_upstreams),
            cache=cache / "sources",
        )
        fetcher.sweep(clock.now())
        failed = cache / "failed"
        sweep_failed_folders(failed, before_s=clock.now() - settings.log_days * _DAY_S)
        yield Builder(
            settings=settings,
            root=root,
            root_identity=_remembered(root.identity, clock),
            cache=cache / "recipes",
            failed=failed,
            compiler_caches=cache / "ccache" if settings.build_ccache else None,
            fetcher=fetcher,
            sandbox=Sandbox(processes=processes, environ=environ, wish=settings.sandbox),
            clock=clock,
            redactor=redactor,
            packager=environ.get("PACKAGER") or author,
            make_flags=environ.get("MAKEFLAGS") or f"-j{max(1, cores // slots)}",
        )


def _remembered(ask: Callable[[], RootIdentity], clock: Clock) -> Callable[[], RootIdentity]:
    """An answer that is asked for anew only now and then: thousands of jobs want it, and a system changes slowly."""
    known: list[tuple[float, RootIdentity]] = []

    def answer() -> RootIdentity:
        now_s = clock.monotonic()
        if not known or now_s - known[-1][0] > _REMEMBERED_S:
            known[:] = [(now_s, ask())]
        return known[-1][1]

    return answer
