"""A recipe that builds nothing: it takes package files that lie in a folder, so that what is around it can be tested."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from ci_toolkit.recipes.build import BuildResult, Built, BuiltPackage, PhaseTime
from ci_toolkit.recipes.built_packages import package_info
from ci_toolkit.recipes.makepkg_inputs import build_inputs, package_facts

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ci_toolkit.model.build_identity import BuildInputs
    from ci_toolkit.model.observation import UpstreamFile
    from ci_toolkit.model.package_config import PackageConfig
    from ci_toolkit.model.root_identity import RootIdentity
    from ci_toolkit.recipes.build import BuildRequest
    from ci_toolkit.recipes.build_sources import SourceFetcher
    from ci_toolkit.recipes.spec import PackageFacts, RecipeTools
    from ci_toolkit.scheduling.built_with import AvailablePackage

FOLDER = "INSTANT_PACKAGES"
"""The variable that names the folder: `PKGBASE-VERSION/*.pkg.tar.zst`."""


class InstantRecipe:
    """Takes the packages of a version that `.SRCINFO` names."""

    name: ClassVar[str] = "instant"
    publisher: ClassVar[str] = "pacman"

    def accepts(self, files: Mapping[str, UpstreamFile]) -> bool:
        return "PKGBUILD" in files

    def facts(self, files: Mapping[str, UpstreamFile], config: PackageConfig) -> PackageFacts:
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
        return build_inputs(files, config, root=root, built_with=built_with, fetcher=fetcher)

    def build(self, request: BuildRequest, tools: RecipeTools) -> BuildResult:
        facts = package_facts(request.files, request.config)
        request.log.parent.mkdir(parents=True, exist_ok=True)
        request.log.write_text("at once\n")
        tools.phase("package")
        version = (facts.version or "").rpartition("-")[0]
        made = []
        for path in sorted(Path(os.environ[FOLDER], f"{request.pkgbase}-{version}").glob("*.zst")):
            target = request.out / path.name
            shutil.copyfile(path, target)
            info = package_info(target)
            made.append(
                BuiltPackage(
                    path=target,
                    name=info.name,
                    version=info.version,
                    arch=info.arch,
                    size_bytes=target.stat().st_size,
                    provides=info.provides,
                    depends=info.depends,
                )
            )
        return BuildResult(
            pkgbase=request.pkgbase,
            outcome=Built(packages=tuple(made)),
            log=request.log,
            phases=(PhaseTime(phase="package", seconds=0.01),),
            interference=(),
        )
