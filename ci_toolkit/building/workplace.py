"""Where builds are made: what a run of builds needs of this machine, or of a farm of others."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from ci_toolkit.effects.files import link_or_copy, sha256_of
from ci_toolkit.errors import MachineError
from ci_toolkit.recipes.built_packages import EXTENSION

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ci_toolkit.building.build_order import Order
    from ci_toolkit.building.builder import Builder
    from ci_toolkit.model.job import Job
    from ci_toolkit.model.package_config import PackageConfig
    from ci_toolkit.model.root_identity import RootIdentity
    from ci_toolkit.recipes.build import BuildResult
    from ci_toolkit.recipes.build_sources import SourceFetcher
    from ci_toolkit.recipes.spec import Recipe
    from ci_toolkit.scheduling.built_with import AvailablePackage
    from ci_toolkit.scheduling.queue import Capacity, Places


class WorkerLostError(MachineError):
    """The machine that built is gone, or not fit to build; this one is well, and the build is made again elsewhere.

    Where it had `begun`, the package may be what the machine was lost to.
    """

    def __init__(self, problem: str, *, begun: bool = True) -> None:
        super().__init__(problem)
        self.begun = begun


class Workplace(Protocol):
    """Builds one job after the other; several threads may use it at once."""

    @property
    def fetcher(self) -> SourceFetcher:
        """Asks where the repositories of sources are."""

    def root_identity(self, job: Job) -> RootIdentity:
        """What the job is going to be built in."""

    def build(
        self, order: Order, recipe: Recipe, config: PackageConfig, with_: tuple[AvailablePackage, ...]
    ) -> BuildResult:
        """Build, with packages going to `order.work / "out"` and the log to `order.log`.

        What is wrong with the package is an outcome. WorkerLostError when the machine that built it is gone; any other
        ToolkitError when this machine cannot go on.
        """


class BuildPlaces(Protocol):
    """Hands out places for builds; several runs, each of another repository, may share them."""

    @property
    def most(self) -> int:
        """How many builds there may ever be at once."""

    def now(self) -> Places:
        """The places as they are now."""

    def take(self, job: Job) -> bool:
        """Take the place that was found for a job; False when somebody else was faster."""

    def leave(self, job: Job) -> None:
        """The job needs its place no longer."""

    def want(self, jobs: Iterable[Job]) -> None:
        """These could be begun, and found no place."""

    def changes(self) -> int:
        """A number that differs once there may be other places than before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ThisMachine:
    """Builds here, with everything that `builder` has."""

    builder: Builder

    @property
    def fetcher(self) -> SourceFetcher:
        """Fetches sources into this machine's cache."""
        return self.builder.fetcher

    def root_identity(self, job: Job) -> RootIdentity:  # noqa: ARG002 - all are built in the same
        """That of this machine's build root."""
        return self.builder.root_identity()

    def build(
        self, order: Order, recipe: Recipe, config: PackageConfig, with_: tuple[AvailablePackage, ...]
    ) -> BuildResult:
        """Build; MachineError when this machine cannot."""
        out = order.work / "out"
        out.mkdir(parents=True)
        request = self.builder.request(
            order.job.pkgbase, order.folder.files, config, out=out, log=order.log, epoch_s=order.folder.epoch_s
        )
        given = ((given_name(package), Path(package.place), package.sha256) for package in with_)
        request = replace(request, dependencies=laid_out(given, order.work / "with"))
        return recipe.build(request, replace(self.builder.tools, phase=order.phase, cancelled=order.ending))


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacesHere:
    """The slots of this machine, which one run has for itself."""

    capacity: Capacity

    @property
    def most(self) -> int:
        """Its slots."""
        return self.capacity.slots

    def now(self) -> Places:
        """They do not change while a run lasts."""
        return self.capacity

    def take(self, job: Job) -> bool:  # noqa: ARG002 - as all that follow
        """True: nobody else takes any."""
        return True

    def leave(self, job: Job) -> None:
        """Whoever decides sees what runs."""

    def want(self, jobs: Iterable[Job]) -> None:
        """Nobody else could give way."""

    def changes(self) -> int:
        """Always the same."""
        return 0


def given_name(package: AvailablePackage) -> str:
    """Where a build is given a package: pacman's under their own names, others in a folder named after their base."""
    return package.file if package.file.endswith(EXTENSION) else f"{package.base}/{package.file}"


def laid_out(packages: Iterable[tuple[str, Path, str]], folder: Path) -> tuple[Path, ...]:
    """Packages (name, where it is kept, SHA-256) under these names, each compared with its checksum."""
    folder.mkdir(parents=True)
    found = []
    for name, kept, sha256 in packages:
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        link_or_copy(kept, path)
        if sha256_of(path) != sha256:
            hint = "ci-toolkit store verify --mend, and ci-toolkit publish check --mend, say more"
            raise MachineError(f"{kept}, which {name} was kept in, is damaged", hint=hint)
        found.append(path)
    return tuple(found)
