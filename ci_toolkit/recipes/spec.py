"""What a recipe must be able to do, and what it is handed: how a package folder becomes files to publish."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from ci_toolkit.effects.clock import Clock
    from ci_toolkit.effects.redaction import Redactor
    from ci_toolkit.effects.sandbox import Sandbox
    from ci_toolkit.model.build_identity import BuildInputs
    from ci_toolkit.model.observation import UpstreamFile
    from ci_toolkit.model.package_config import PackageConfig
    from ci_toolkit.model.root_identity import RootIdentity
    from ci_toolkit.recipes.build import BuildRequest, BuildResult, BuiltPackage, Phase
    from ci_toolkit.recipes.build_sources import SourceFetcher
    from ci_toolkit.scheduling.built_with import AvailablePackage


def _nothing(_: str) -> None:
    """Nobody is told."""


def _never() -> str | None:
    """Nobody wants it to end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecipeTools:
    """The effects of one build; `cache` is a folder for what may be lost, where each recipe has one of its own name.

    `show` gets the log's lines as they come, `phase` every new phase, and `cancelled` says why a build has to end, if
    it has.
    """

    sandbox: Sandbox
    fetcher: SourceFetcher
    clock: Clock
    redactor: Redactor
    cache: Path
    show: Callable[[str], None] = _nothing
    phase: Callable[[Phase], None] = _nothing
    cancelled: Callable[[], str | None] = _never


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageFacts:
    """What a folder says of itself: names to install first, what it makes, and in which version if that is certain."""

    needed: tuple[str, ...]
    names: tuple[str, ...]
    version: str | None


class Recipe(Protocol):
    """A way of building."""

    name: ClassVar[str]

    def publisher(self, files: Mapping[str, UpstreamFile]) -> str:
        """The kind of place that what a folder of these files makes is published at."""

    def accepts(self, files: Mapping[str, UpstreamFile]) -> bool:
        """Whether a folder of these files is built this way."""

    def check(self, files: Mapping[str, UpstreamFile]) -> None:
        """Nothing; ConfigError or FormatError, with the file, where a folder of these files cannot be built at all.

        Nothing of the folder is run to find out.
        """

    def facts(self, pkgbase: str, files: Mapping[str, UpstreamFile], config: PackageConfig) -> PackageFacts:
        """What is known before anything runs; nothing of the folder is run to find out."""

    def inputs(
        self,
        files: Mapping[str, UpstreamFile],
        config: PackageConfig,
        *,
        root: RootIdentity,
        built_with: tuple[AvailablePackage, ...],
        fetcher: SourceFetcher,
    ) -> BuildInputs | None:
        """All that goes into a build; None where nobody can tell, so that it is always made."""

    def build(self, request: BuildRequest, tools: RecipeTools) -> BuildResult:
        """Build; what is wrong with the package is an outcome, what is wrong with this machine a ToolkitError.

        Where the machine lacks what other recipes can do without, that is an outcome, too.
        """

    def delivered(
        self, paths: tuple[Path, ...], pkgbase: str, files: Mapping[str, UpstreamFile], config: PackageConfig
    ) -> tuple[BuiltPackage, ...]:
        """What another machine made of a folder of these files, looked at as if an enemy had; the files stay there.

        UpstreamError or FormatError when it is not what was to be made, or not all of it.
        """
