"""What a publisher must be able to do, and what it is handed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from ci_toolkit.effects.clock import Clock
    from ci_toolkit.effects.process import Processes
    from ci_toolkit.model.settings import Settings
    from ci_toolkit.publishers.signing_key import SigningKey
    from ci_toolkit.scheduling.built_with import AvailablePackage


@dataclass(frozen=True, slots=True, kw_only=True)
class PublisherTools:
    """Where and with what is published: `name` is the repository's, `keep_s` how long older versions are kept.

    `folder` is the publisher's own on this machine, whether it publishes there or only remembers there.
    """

    folder: Path
    settings: Settings
    name: str
    architecture: str
    processes: Processes
    environ: Mapping[str, str]
    clock: Clock
    keep_s: float
    open_key: Callable[[], AbstractContextManager[SigningKey]]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveredPackage:
    """A file that a build made, and what it says about itself; names and versions are not judged yet."""

    path: Path
    name: str
    version: str
    arch: str
    provides: tuple[str, ...] = ()
    depends: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """All that one build made; `built_with` are the package bases that it was built against."""

    pkgbase: str
    packages: tuple[DeliveredPackage, ...]
    built_with: frozenset[str] = frozenset()

    @property
    def files(self) -> tuple[Path, ...]:
        """The paths of what is delivered."""
        return tuple(package.path for package in self.packages)


class OpenPublisher(Protocol):
    """A place that is published to, for the time of one run; nobody else writes there meanwhile."""

    def available(self) -> tuple[AvailablePackage, ...]:
        """What is published now, to build other packages with."""

    def publish(self, deliveries: Sequence[Delivery], gone: Iterable[str]) -> Mapping[str, str]:
        """Publish what was built, and no longer what package bases that are gone made, at once.

        Gives the package bases that are refused, each with the reason; the others are published.
        """


class Publisher(Protocol):
    """A kind of place that packages are published at."""

    name: ClassVar[str]

    def kept(self, tools: PublisherTools) -> frozenset[str]:
        """The checksums (SHA-256) of all files that are published or kept for going back.

        It reads what is on this machine, wants no key, and may be asked at any time.
        """

    def opened(self, tools: PublisherTools) -> AbstractContextManager[OpenPublisher]:
        """The place, ready to be published to; NotReadyError without a key that signs or without the programs."""
