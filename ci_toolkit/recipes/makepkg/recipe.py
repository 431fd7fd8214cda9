"""The recipe for folders with a PKGBUILD."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from ci_toolkit.formats.recipe_toml import RECIPE_PATH
from ci_toolkit.recipes.built_packages import judged_packages
from ci_toolkit.recipes.makepkg.build import MakepkgBuild
from ci_toolkit.recipes.makepkg.inputs import build_inputs, package_facts

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from ci_toolkit.model.build_identity import BuildInputs
    from ci_toolkit.model.observation import UpstreamFile
    from ci_toolkit.model.package_config import PackageConfig
    from ci_toolkit.model.root_identity import RootIdentity
    from ci_toolkit.recipes.build import BuildRequest, BuildResult, BuiltPackage
    from ci_toolkit.recipes.build_sources import SourceFetcher
    from ci_toolkit.recipes.spec import PackageFacts, RecipeTools
    from ci_toolkit.scheduling.built_with import AvailablePackage


class MakepkgRecipe:
    """Builds with makepkg, into packages for pacman."""

    name: ClassVar[str] = "makepkg"

    def publisher(self, files: Mapping[str, UpstreamFile]) -> str:  # noqa: ARG002 - all are for pacman
        """A repository of pacman's."""
        return "pacman"

    def accepts(self, files: Mapping[str, UpstreamFile]) -> bool:
        """Whether there is a PKGBUILD, and the owner wants nothing else."""
        return "PKGBUILD" in files and RECIPE_PATH not in files

    def check(self, files: Mapping[str, UpstreamFile]) -> None:
        """There are checks of PKGBUILD for that."""

    def facts(self, pkgbase: str, files: Mapping[str, UpstreamFile], config: PackageConfig) -> PackageFacts:  # noqa: ARG002 - it says that itself
        """By `.SRCINFO`."""
        return package_facts(files, config)

    def inputs(
        self,
        files: Mapping[str, UpstreamFile],
        config: PackageConfig,
        *,
        root: RootIdentity,
        built_with: tuple[AvailablePackage, ...],
        fetcher: SourceFetcher,
    ) -> BuildInputs | None:
        """Files, settings, tools, our packages, and where the repositories of its sources are."""
        return build_inputs(files, config, root=root, built_with=built_with, fetcher=fetcher)

    def build(self, request: BuildRequest, tools: RecipeTools) -> BuildResult:
        """One build in a root of its own."""
        return MakepkgBuild(
            sandbox=tools.sandbox,
            fetcher=tools.fetcher,
            clock=tools.clock,
            redactor=tools.redactor,
            show=tools.show,
            phase=tools.phase,
            cancelled=tools.cancelled,
        ).run(request)

    def delivered(
        self, paths: tuple[Path, ...], pkgbase: str, files: Mapping[str, UpstreamFile], config: PackageConfig
    ) -> tuple[BuiltPackage, ...]:
        """Each of this package base, and of the names and the version that are to be made where those are certain."""
        return judged_packages(paths, pkgbase, package_facts(files, config), config)
