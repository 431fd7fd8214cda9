"""What is installed for a build before it begins, on this machine or in an Arch root, and what is lacking for it."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ci_toolkit.effects.host_view import HostView
from ci_toolkit.errors import UpstreamError
from ci_toolkit.model.root_identity import InstalledPackage
from ci_toolkit.recipes.build import BuildEndedError, Failed
from ci_toolkit.recipes.built_packages import package_info
from ci_toolkit.recipes.makepkg.arch_dependencies import ArchDependencies
from ci_toolkit.recipes.makepkg.compiling import CACHE_PLACE, ccache_variables, wants_ccache
from ci_toolkit.recipes.makepkg.demands import demanded, lacking
from ci_toolkit.recipes.makepkg.dependencies import Dependencies
from ci_toolkit.recipes.makepkg.extras import extras, missing_programs

if TYPE_CHECKING:
    from ci_toolkit.effects.arch_view import ArchView
    from ci_toolkit.effects.build_root import BuildRoot
    from ci_toolkit.formats.srcinfo import SrcInfo
    from ci_toolkit.recipes.build import BuildRequest
    from ci_toolkit.recipes.build_log import BuildLog
    from ci_toolkit.recipes.makepkg.interference import Interference
    from ci_toolkit.recipes.makepkg.phase_running import PhaseRunner

DEPENDENCIES_MISSING = 8  # a status of makepkg


@dataclass(kw_only=True)
class Installing:
    """Installs what one build needs; `interference` is told of what its PKGBUILD does not ask for."""

    request: BuildRequest
    root: BuildRoot
    log: BuildLog
    runner: PhaseRunner
    interference: Interference
    architecture: str

    def check_programs(self, srcinfo: SrcInfo) -> None:
        """UpstreamError when this machine lacks what sources are fetched with; in an Arch root that is installed."""
        if not isinstance(self.root.view, HostView):
            return
        missing = missing_programs(srcinfo, self.architecture)
        if missing:
            given = {package_info(path).name for path in self.request.dependencies}
            missing = tuple(found for found in missing if found.package not in given)
        if missing:
            programs = ", ".join(found.program for found in missing)
            hint = f"on Debian: apt install {' '.join(found.of_debian for found in missing)}"
            raise UpstreamError(f"it is built with {programs}, which this machine has not", hint=hint)

    def install(self, srcinfo: SrcInfo) -> tuple[InstalledPackage, ...]:
        """What was installed; UpstreamError when it cannot be, BuildEndedError for a package that is nowhere."""
        view = self.root.view
        keeps = CACHE_PLACE in self.root.writable
        if wants_ccache(srcinfo, default=keeps):
            self.runner.extra.update(ccache_variables(self.root))
        if not isinstance(view, HostView):
            return self._install_in_root(view, srcinfo, ccache=keeps)
        if self.runner.extra and shutil.which("ccache") is None:
            self.interference.told.append("ccache is asked for, and this machine has none")
        return self._install_here(view, srcinfo)

    def refuse_missing(self, srcinfo: SrcInfo) -> None:
        """BuildEndedError, which names it, when something is lacking that makepkg demands."""
        # makepkg names it in its log alone, in words that the package's code can print as well.
        missing = lacking(self.root, demanded(srcinfo, self.architecture), timeout_s=self.runner.left_s)
        if not missing:
            return
        self.log.note(
            "a missing package is built first if it is in the repository, or given to ci-toolkit build --with"
        )
        if isinstance(self.root.view, HostView):
            self.log.note(
                "CI_BUILD_ROOT has others installed in an Arch root; CI_BUILD_ASSUME names what is here already"
            )
        reason = f"nothing here is or provides {', '.join(missing)}"
        raise BuildEndedError(Failed(phase="dependencies", status=DEPENDENCIES_MISSING, reason=reason))

    def _install_here(self, view: HostView, srcinfo: SrcInfo) -> tuple[InstalledPackage, ...]:
        given = self.request.dependencies
        infos = [package_info(path) for path in given]
        dependencies = Dependencies(view=view, assumed=self.request.assumed)
        dependencies.of_machine(srcinfo, self.architecture, infos)
        if dependencies.entered:
            self.log.note(f"the machine has {' '.join(sorted(dependencies.entered))}")
        if given:
            self.log.note(dependencies.install(given))
        return tuple(InstalledPackage(info.name, info.version) for info in infos)

    def _install_in_root(self, view: ArchView, srcinfo: SrcInfo, *, ccache: bool) -> tuple[InstalledPackage, ...]:
        given = self.request.dependencies
        if self.request.assumed:
            self.log.note("--assume is for machines without pacman; here pacman knows what there is")
        needed = demanded(srcinfo, self.architecture)
        wished = {
            extra.package: extra.why
            for extra in extras(srcinfo, self.architecture, ccache=ccache)
            if extra.package not in needed
        }
        absent = lacking(self.root, [*needed, *wished], timeout_s=self.runner.left_s)
        if not absent and not given:
            return ()
        dependencies = ArchDependencies(view=view, given=given, runner=self.runner)
        done = dependencies.install(
            [name for name in needed if name in absent], [name for name in wished if name in absent]
        )
        self.log.flush()
        for name in (name for name in wished if name in absent):
            how = "is in no repository of the build root, and is wanted" if name in done.left_out else "added"
            self.interference.told.append(f"{name} {how}: {wished[name]}")
        return done.packages
