"""What a described folder needs before its build begins: packages are installed, other files laid into a folder."""

from __future__ import annotations

import platform
import shutil
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from ci_toolkit.recipes.built_packages import EXTENSION
from ci_toolkit.recipes.makepkg.installing import Installing
from ci_toolkit.recipes.makepkg.interference import Interference
from ci_toolkit.recipes.makepkg.phase_running import PhaseRunner
from ci_toolkit.scheduling.dependencies import dependency_name

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from ci_toolkit.effects.build_root import BuildRoot
    from ci_toolkit.recipes.recipe_run import RecipeRun

_FOLDER = "needs"
_INSIDE = "/sources"


def other_files(paths: Iterable[Path]) -> dict[str, list[Path]]:
    """Those that are no packages of pacman's, by the folder that made them: each is in one that is called like it."""
    found: dict[str, list[Path]] = {}
    for path in paths:
        if not path.name.endswith(EXTENSION):
            found.setdefault(path.parent.name, []).append(path)
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenPackages:
    """Puts into a root what its build needs; `variables` say where it is."""

    run: RecipeRun
    root: BuildRoot
    variables: dict[str, str] = field(default_factory=dict)

    def install(self) -> None:
        """BuildEndedError for something needed that is nowhere, UpstreamError for what cannot be installed."""
        run, request = self.run, self.run.request
        others = other_files(request.dependencies)
        self._lay(others)
        needs = tuple(name for name in run.file.needs if dependency_name(name) not in others)
        packages = tuple(path for path in request.dependencies if path.name.endswith(EXTENSION))
        if not needs and not packages:
            return
        srcinfo = replace(run.file, needs=needs).srcinfo(request.pkgbase)
        interference = Interference()
        runner = PhaseRunner(
            request=replace(request, dependencies=packages),
            root=self.root,
            log=run.log,
            clock=run.tools.clock,
            cancelled=run.tools.cancelled,
        )
        installing = Installing(
            request=runner.request,
            root=self.root,
            log=run.log,
            runner=runner,
            interference=interference,
            architecture=platform.machine(),
        )
        run.installed = installing.install(srcinfo)
        installing.refuse_missing(srcinfo)
        for text in interference.told:
            run.note(text)

    def _lay(self, others: dict[str, list[Path]]) -> None:
        for base, paths in others.items():
            folder = self.root.sources / _FOLDER / base
            folder.mkdir(parents=True)
            for path in paths:
                shutil.copyfile(path, folder / path.name)
        if others:
            self.root.give(self.root.sources)
            self.variables["CI_NEEDS"] = f"{_INSIDE}/{_FOLDER}"
