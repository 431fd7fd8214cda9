"""Tries to build a job on a worker: what a repository's thread asks of the engine, and what it hears of it."""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ci_toolkit.farm.handed_build import BuildOrder, HandedResult
    from ci_toolkit.model.job import Job


@dataclass(frozen=True, slots=True, kw_only=True)
class SentPackage:
    """A package that is installed for a build, kept at `path`."""

    sha256: str
    path: Path
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Attempt:
    """One try.

    `landing` is the folder that what is delivered goes to, and `largest_bytes` how much that may be. `output` is called
    with what the build prints. `result` is what the worker handed back, with its files in the landing folder;
    WorkerLostError when nothing can come back any more.
    """

    repository: str
    job: Job
    worker: str
    order: BuildOrder
    packages: tuple[SentPackage, ...]
    landing: Path
    largest_bytes: int
    output: Callable[[bytes], None]
    result: Future[HandedResult] = field(default_factory=Future)


class Engine(Protocol):
    """Runs attempts on workers; both may be called by any thread and return at once."""

    def begin(self, attempt: Attempt) -> None:
        """Have it built; its result comes in any case."""

    def end(self, attempt: Attempt, reason: str) -> None:
        """Have it end; its result comes soon."""
