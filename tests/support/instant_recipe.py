"""A recipe that builds nothing: it takes package files that lie in a folder, so that what is around it can be tested."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from ci_toolkit.recipes.build import BuildResult, Built, BuiltPackage, PhaseTime
from ci_toolkit.recipes.built_packages import package_info
from ci_toolkit.recipes.makepkg.recipe import MakepkgRecipe

if TYPE_CHECKING:
    from ci_toolkit.recipes.build import BuildRequest
    from ci_toolkit.recipes.spec import RecipeTools

FOLDER = "INSTANT_PACKAGES"
"""The variable that names the folder: `PKGBASE-VERSION/*.pkg.tar.zst`."""


class InstantRecipe(MakepkgRecipe):
    """Takes the packages of a version that `.SRCINFO` names."""

    name: ClassVar[str] = "instant"

    def build(self, request: BuildRequest, tools: RecipeTools) -> BuildResult:
        facts = self.facts(request.pkgbase, request.files, request.config)
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
