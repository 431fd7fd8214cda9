"""What a kind of upstream must be able to do, and what it is handed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from concurrent.futures import Executor

    from ci_toolkit.effects.cache_files import CacheFiles
    from ci_toolkit.effects.clock import Clock
    from ci_toolkit.effects.foreign_heads import ForeignHeads
    from ci_toolkit.effects.github_api import GithubApi
    from ci_toolkit.effects.remote_heads import RemoteHeads
    from ci_toolkit.effects.sandbox import Sandbox
    from ci_toolkit.effects.upstream_cache import UpstreamCache
    from ci_toolkit.effects.web import Web
    from ci_toolkit.model.names import Oid, Pkgbase
    from ci_toolkit.model.observation import SourceReport
    from ci_toolkit.model.package import Package
    from ci_toolkit.model.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceRequest:
    """One package to look up: `text` is its CI_PKGBUILD_SOURCE; revision and time are what was last dealt with.

    `is_new`: the package is only to be, and nothing of it is in the repository yet; a kind answers with its files.
    """

    package: Package
    text: str
    revision: str | None
    timestamp_s: int | None
    is_new: bool = False

    @property
    def pkgbase(self) -> Pkgbase:
        """The package's name."""
        return self.package.pkgbase


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceTools:
    """The effects and settings a source may use.

    `github` is None without a token for it, `memory` is what the kinds wanted remembered, `pool` runs what may go on at
    the same time, and `done` is to be called once for every package when its answer is known. `read_blobs` reads
    files of the repository by the names of their blobs; strangers' code runs in `sandbox` alone.
    """

    web: Web
    aur_web: Web
    heads: RemoteHeads
    aur_heads: RemoteHeads
    upstreams: UpstreamCache
    aur_upstreams: UpstreamCache
    foreign_heads: ForeignHeads
    github: GithubApi | None
    files: CacheFiles
    sandbox: Sandbox
    read_blobs: Callable[[Iterable[Oid]], Mapping[Oid, bytes]]
    clock: Clock
    settings: Settings
    memory: Mapping[str, str]
    aur_watermark_s: int | None
    pool: Executor
    done: Callable[[str], None]


class Source(Protocol):
    """A kind of upstream."""

    name: ClassVar[str]

    def accepts(self, text: str) -> bool:
        """Whether this kind stands behind a CI_PKGBUILD_SOURCE; kinds are asked in the order of their names."""

    def observe(self, requests: Sequence[SourceRequest], tools: SourceTools) -> SourceReport:
        """One outcome for every request. Failures are outcomes; nothing is raised for what an upstream does."""
