"""Builds on the workers of a farm, as a run of builds sees them: it waits while the engine has a worker build."""

from __future__ import annotations

import secrets
from concurrent.futures import CancelledError
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ci_toolkit.building.workplace import WorkerLostError, given_name
from ci_toolkit.errors import ConfigError, FormatError, UpstreamError
from ci_toolkit.farm.attempts import Attempt, SentPackage
from ci_toolkit.farm.delivery import arrived_files
from ci_toolkit.farm.handed_build import BuildOrder, Delivered, Unfit
from ci_toolkit.farm.worker_settings import handed_settings
from ci_toolkit.recipes.build import BuildResult, Built, Failed
from ci_toolkit.recipes.build_log import BuildLog

if TYPE_CHECKING:
    from ci_toolkit.building.build_order import Order
    from ci_toolkit.effects.clock import Clock
    from ci_toolkit.effects.redaction import Redactor
    from ci_toolkit.farm.attempts import Engine
    from ci_toolkit.farm.handed_build import HandedResult
    from ci_toolkit.farm.worker_pool import WorkerPool
    from ci_toolkit.model.job import Job
    from ci_toolkit.model.package_config import PackageConfig
    from ci_toolkit.model.root_identity import RootIdentity
    from ci_toolkit.model.settings import Settings
    from ci_toolkit.recipes.build import BuildOutcome
    from ci_toolkit.recipes.build_sources import SourceFetcher
    from ci_toolkit.recipes.spec import Recipe
    from ci_toolkit.scheduling.built_with import AvailablePackage

_LOOK_S = 0.25
_LARGEST_LOG_BYTES = 256 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteWorkplace:
    """The workers of a farm for one repository; `fetcher` asks here where the repositories of sources are."""

    repository: str
    settings: Settings
    pool: WorkerPool
    engine: Engine
    fetcher: SourceFetcher
    clock: Clock
    redactor: Redactor

    def root_identity(self, job: Job) -> RootIdentity:
        """What the job's worker says that it builds in."""
        facts = self.pool.facts(job.worker or "")
        if facts is None or facts.root is None:
            raise WorkerLostError(f"worker {job.worker} was lost before it began", begun=False)
        return facts.root

    def build(
        self, order: Order, recipe: Recipe, config: PackageConfig, with_: tuple[AvailablePackage, ...]
    ) -> BuildResult:
        """What became of it; WorkerLostError when the worker is gone, or not fit to build."""
        name = secrets.token_hex(16)
        # One of its own for each attempt: what is left of an earlier one is cleared away later, under the same names.
        out = order.work / name / "out"
        out.mkdir(parents=True)
        log = BuildLog(
            order.log,
            clock=self.clock,
            redactor=self.redactor,
            limit_bytes=_LARGEST_LOG_BYTES,
            show=lambda _: None,
            tell=order.phase,
        )
        with log:
            attempt = self._attempt(name, order, with_, out, log)
            self.engine.begin(attempt)
            result = self._awaited(attempt, order)
            log.flush()
            return self._judged(result, order, recipe, config, out, log)

    def _attempt(
        self, name: str, order: Order, with_: tuple[AvailablePackage, ...], out: Path, log: BuildLog
    ) -> Attempt:
        job = order.job
        worker = next(worker for worker in self.pool.workers() if worker.name == job.worker)
        handed = BuildOrder(
            attempt=name,
            pkgbase=job.pkgbase,
            tree=order.folder.tree,
            epoch_s=order.folder.epoch_s,
            files=order.folder.files,
            settings=handed_settings(self.settings),
            slots=worker.slots,
            with_=tuple((given_name(package), package.sha256) for package in with_),
        )
        return Attempt(
            repository=self.repository,
            job=job,
            worker=worker.name,
            order=handed,
            packages=tuple(map(_sent, with_)),
            landing=out,
            largest_bytes=self.settings.build_disk_mib << 20,
            output=log.take,
        )

    def _awaited(self, attempt: Attempt, order: Order) -> HandedResult:
        is_ending = False
        while True:
            try:
                return attempt.result.result(timeout=_LOOK_S)
            except TimeoutError:
                reason = order.ending()
                if reason is not None and not is_ending:
                    is_ending = True
                    self.engine.end(attempt, reason)
            except CancelledError as error:
                raise WorkerLostError(f"the build on {attempt.worker} was given up") from error

    def _judged(
        self,
        result: HandedResult,
        order: Order,
        recipe: Recipe,
        config: PackageConfig,
        out: Path,
        log: BuildLog,
    ) -> BuildResult:
        outcome: BuildOutcome
        match result.outcome:
            case Unfit(reason=reason):
                raise WorkerLostError(f"worker {order.job.worker} cannot build: {reason}")
            case Delivered(files=files):
                try:
                    arrived = arrived_files(files, out)
                    packages = recipe.delivered(arrived, order.job.pkgbase, order.folder.files, config)
                    outcome = Built(packages=packages)
                except (ConfigError, FormatError, UpstreamError) as error:
                    log.note(f"what {order.job.worker} delivered is refused: {error}")
                    outcome = Failed(phase="collect", status=None, reason=error.what_and_where)
            case other:
                outcome = other
        return BuildResult(
            pkgbase=order.job.pkgbase,
            outcome=outcome,
            log=order.log,
            phases=result.phases,
            interference=result.interference,
            root=result.root,
            installed=result.installed,
        )


def _sent(package: AvailablePackage) -> SentPackage:
    path = Path(package.place)
    return SentPackage(sha256=package.sha256, path=path, size_bytes=path.stat().st_size)
