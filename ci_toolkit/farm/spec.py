"""What the farm's web side sees of the farm: repositories, clients and workers, and what may be done with them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ci_toolkit.backends.local_folder import LocalFolder
    from ci_toolkit.farm.pipeline_book import PipelineBook
    from ci_toolkit.model.settings import Settings
    from ci_toolkit.model.worker import Worker


@dataclass(frozen=True, slots=True, kw_only=True)
class FarmRepository:
    """One published repository: `sources` are the package repositories that may have packages built into it."""

    name: str
    sources: tuple[str, ...]
    place: LocalFolder
    settings: Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """Who calls: `repositories` and `sources` are those that it may submit to and for, and cancel and retry in.

    One that `operates` may drain and resume workers, and purge jobs of its repositories, too.
    """

    name: str
    repositories: frozenset[str]
    sources: frozenset[str]
    operates: bool


class Farm(Protocol):
    """A running farm; everything here may be called by any thread, and returns at once."""

    url: str
    is_public: bool  # whether queue, history and logs are shown to anybody; else to clients alone
    pipelines: PipelineBook

    @property
    def repositories(self) -> Mapping[str, FarmRepository]:
        """Those that it publishes, by name."""

    def client_of(self, token: str) -> Client | None:
        """Whose token that is; compared in constant time, as what is kept of tokens are their digests."""

    def workers(self) -> tuple[Worker, ...]:
        """Every machine, by name."""

    def drain(self, worker: str, reason: str) -> None:
        """Have a worker finish what it builds and take nothing more; RefusedError when there is none of that name."""

    def resume(self, worker: str) -> None:
        """Have a worker take builds again that was drained or quarantined; RefusedError likewise."""

    def wake(self, repository: str) -> None:
        """Look at a repository's jobs now: somebody changed them."""

    def faults(self) -> Mapping[str, str]:
        """Repositories in which nothing is begun or published at the moment, each with the reason."""
