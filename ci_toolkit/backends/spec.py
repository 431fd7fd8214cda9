"""What a build backend must be able to do, and what it is handed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, runtime_checkable

from ci_toolkit.formats.recipe_toml import RECIPE_PATH

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from ci_toolkit.effects.clock import Clock
    from ci_toolkit.model.artifact import Artifact
    from ci_toolkit.model.build_statistics import BuildStatistics
    from ci_toolkit.model.job import Job, JobFilter, Transition
    from ci_toolkit.model.names import Oid, Pkgbase
    from ci_toolkit.model.news import ReviewCounts
    from ci_toolkit.model.observation import UpstreamFile
    from ci_toolkit.model.package import Package
    from ci_toolkit.model.settings import Settings
    from ci_toolkit.model.statistics_window import StatisticsWish
    from ci_toolkit.scheduling.schedule import Schedule


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageFolder:
    """What is to be built: a package's folder at a commit, and when it changed last (SOURCE_DATE_EPOCH)."""

    tree: Oid
    epoch_s: int
    files: Mapping[str, UpstreamFile]


class FolderReader(Protocol):
    """Gives the folders of packages at the commit of a schedule, for backends that keep them."""

    def __call__(self, packages: Iterable[Pkgbase], /) -> Mapping[Pkgbase, PackageFolder]:
        """The folders; GitError when one cannot be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BackendTools:
    """The effects and settings a backend may use: `top` is the repository's worktree, `environ` the environment."""

    top: Path
    environ: Mapping[str, str]
    settings: Settings
    clock: Clock


@runtime_checkable
class HearsOfChecks(Protocol):
    """A backend that wants to know, for those who watch over it, what pipelines have asked upstreams."""

    def note_checks(self, counts: Mapping[str, Mapping[str, int]], reviews: ReviewCounts, tools: BackendTools) -> None:
        """How many upstreams were asked with which outcome, by kind of source, and how many reviews there are now."""


@runtime_checkable
class KnowsStatistics(Protocol):
    """A backend that can say how builds fared over a time."""

    def statistics(self, wish: StatisticsWish, tools: BackendTools) -> BuildStatistics:
        """The statistics that are meant; RefusedError for a time that no jobs are known of."""


@runtime_checkable
class KnowsArtifacts(Protocol):
    """A backend that can say what jobs made."""

    def artifacts(self, job: Job, tools: BackendTools) -> tuple[Artifact, ...]:
        """The files that a job made or found made, by name, with digests; none where nobody noted them."""


@runtime_checkable
class LooksAfterWorkers(Protocol):
    """A backend whose machines can be looked at, and told to rest."""

    def workers(self, tools: BackendTools) -> list[dict[str, Any]]:
        """Every machine, as `worker_record` describes it; a newer farm may tell more."""

    def drain(self, worker: str, reason: str, tools: BackendTools) -> str:
        """Have a worker finish what it builds and take nothing more; what is said to that."""

    def resume(self, worker: str, tools: BackendTools) -> str:
        """Have a worker take builds again; what is said to that."""


@runtime_checkable
class PurgesJobs(Protocol):
    """A backend that can be told to forget jobs."""

    def purge(self, before_s: float, tools: BackendTools, *, dry_run: bool) -> tuple[Job, ...]:
        """Forget jobs that ended before a time, in seconds since 1970, with their logs; gives those.

        A job that is not over is never forgotten, nor the last of a package, nor its last that succeeded or failed, nor
        one whose log another points to. With `dry_run` nothing is forgotten. RefusedError for a time to come.
        """


class Backend(Protocol):
    """Takes schedules and builds them; all of it is about the repository that the settings publish.

    A backend that cannot do one of these says so with RefusedError, and what a person can do instead.
    """

    name: ClassVar[str]
    keeps_order: ClassVar[bool]  # whether a build waits for those that it needs whatever their classes are
    builds_described: ClassVar[bool]  # whether it builds folders that `.CI/recipe.toml` describes, too

    def name_fault(self, pkgbase: Pkgbase) -> str | None:
        """Why this backend would not build a package of that name, or None."""

    def submit(self, schedule: Schedule, folders: FolderReader, tools: BackendTools) -> str:
        """Take a schedule, and have removed what is gone by it, all or nothing.

        It is acknowledged by returning a sentence on what was done; HandOverError otherwise. A schedule that was taken
        before, by its `request`, and is not finished, is acknowledged again and nothing is built twice. A package's
        older job that is not over is replaced.
        """

    def jobs(self, wanted: JobFilter, tools: BackendTools) -> tuple[Job, ...]:
        """The jobs that are meant, oldest first."""

    def transitions(self, job: Job, tools: BackendTools) -> tuple[Transition, ...]:
        """How a job came to be where it is."""

    def cancel(self, job: Job, reason: str, tools: BackendTools) -> None:
        """Have a job end, at once or soon; RefusedError when it is over or too late."""

    def retry(self, job: Job, tools: BackendTools) -> int:
        """The number of a new job for the same content; RefusedError while one of the package is not over."""

    def log(self, job: Job, tools: BackendTools, *, follow: bool) -> Iterator[str]:
        """The log in pieces, with `follow` until the job is over; NotReadyError when there is none."""


def build_fault(backend: Backend, package: Package) -> str | None:
    """Why a backend would not build a package, or None."""
    return folder_fault(backend, package.pkgbase, is_described=package.is_described)


def folder_fault(backend: Backend, pkgbase: Pkgbase, *, is_described: bool) -> str | None:
    """The same by a folder's name, and whether `.CI/recipe.toml` describes it."""
    if is_described and not backend.builds_described:
        return f"{backend.name} builds folders with a PKGBUILD alone, and {RECIPE_PATH} describes another kind"
    return backend.name_fault(pkgbase)
