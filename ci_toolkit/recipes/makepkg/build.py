"""Builds one package folder with makepkg: the order of a build's phases, and what becomes of each that fails."""

from __future__ import annotations

import platform
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ci_toolkit.effects.build_root import build_root
from ci_toolkit.effects.compiler_cache import compiler_cache
from ci_toolkit.errors import FormatError, UpstreamError
from ci_toolkit.recipes.build import BuildEndedError, BuildResult, Built, Failed, TimedOut, described
from ci_toolkit.recipes.build_log import BuildLog
from ci_toolkit.recipes.build_sources import remote_sources
from ci_toolkit.recipes.built_packages import take_packages
from ci_toolkit.recipes.failed_folder import keep_failed_folder
from ci_toolkit.recipes.makepkg.compiling import CACHE_PLACE
from ci_toolkit.recipes.makepkg.installing import DEPENDENCIES_MISSING, Installing
from ci_toolkit.recipes.makepkg.interference import (
    PATCH,
    PATCH_WORDS,
    PREPARE,
    PREPARE_WORDS,
    Interference,
    written_srcinfo,
)
from ci_toolkit.recipes.makepkg.phase_running import PhaseRunner

if TYPE_CHECKING:
    from collections.abc import Callable

    from ci_toolkit.effects.build_root import BuildRoot
    from ci_toolkit.effects.clock import Clock
    from ci_toolkit.effects.redaction import Redactor
    from ci_toolkit.effects.sandbox import Sandbox
    from ci_toolkit.formats.srcinfo import SrcInfo
    from ci_toolkit.model.root_identity import InstalledPackage
    from ci_toolkit.recipes.build import BuildOutcome, BuildRequest, Phase
    from ci_toolkit.recipes.build_sources import SourceFetcher

_PHASES_OF_SRCINFO = ("evaluate", "fetch", "dependencies", "sources", "collect")
_KEYS = "keys/pgp/"
# Imported keys say who signed, and `validpgpkeys` whom to believe.
_IMPORT_WORDS = ("bash", "-c", f"gpg --batch --quiet --import {_KEYS}*.asc")


@dataclass(frozen=True, slots=True, kw_only=True)
class MakepkgBuild:
    """The builder; `show` gets the log's lines as they come, and `cancelled` says why a build has to end, if it has.

    `phase` is called with every new phase.
    """

    sandbox: Sandbox
    fetcher: SourceFetcher
    clock: Clock
    redactor: Redactor
    show: Callable[[str], None] = lambda _: None
    phase: Callable[[Phase], None] = lambda _: None
    cancelled: Callable[[], str | None] = lambda: None

    def run(self, request: BuildRequest) -> BuildResult:
        """Build; what is wrong with the package is an outcome, what is wrong with this machine a ToolkitError."""
        with BuildLog(
            request.log,
            clock=self.clock,
            redactor=self.redactor,
            limit_bytes=request.limits.output_bytes,
            show=self.show,
            tell=self.phase,
        ) as log:
            try:
                return self._run_in_new_root(request, log, written_srcinfo(request.files))
            except _StaleError:
                log.note(".SRCINFO is not what makepkg says of PKGBUILD; beginning again with that")
                return self._run_in_new_root(request, log, None)

    def _run_in_new_root(self, request: BuildRequest, log: BuildLog, written: SrcInfo | None) -> BuildResult:
        with (
            compiler_cache(request.compiler_caches, request.pkgbase) as cache,
            build_root(
                self.sandbox,
                request.limits,
                request.files,
                base=request.root,
                writable={} if cache is None else {CACHE_PLACE: cache},
            ) as root,
        ):
            return _Build(builder=self, request=request, root=root, log=log, written=written).run()


class _StaleError(Exception):
    """A build failed because it went by a `.SRCINFO` that is not that of its PKGBUILD."""


@dataclass(kw_only=True)
class _Build:
    """One build in one root; every step raises BuildEndedError when there is no going on.

    With `written`, the folder's own `.SRCINFO`, makepkg is only asked what PKGBUILD says when something fails that this
    may be the reason of: asking takes longer than many a build.
    """

    builder: MakepkgBuild
    request: BuildRequest
    root: BuildRoot
    log: BuildLog
    written: SrcInfo | None
    interference: Interference = field(default_factory=Interference)
    installed: tuple[InstalledPackage, ...] = ()

    def __post_init__(self) -> None:
        self.architecture = platform.machine()
        self.runner = PhaseRunner(
            request=self.request,
            root=self.root,
            log=self.log,
            clock=self.builder.clock,
            cancelled=self.builder.cancelled,
        )
        self.installing = Installing(
            request=self.request,
            root=self.root,
            log=self.log,
            runner=self.runner,
            interference=self.interference,
            architecture=self.architecture,
        )

    def run(self) -> BuildResult:
        identity = self.request.root.identity()
        try:
            outcome: BuildOutcome = self._steps()
        except BuildEndedError as ended:
            outcome = ended.outcome
        except (FormatError, UpstreamError) as error:
            self.log.note(str(error))
            outcome = Failed(phase=self.log.phase, status=None, reason=error.what_and_where)
        self._refuse_stale(outcome)
        if isinstance(outcome, Failed | TimedOut):
            folder, processes = self.root.folder.path, self.root.processes
            keep_failed_folder(folder, self.request.keep_failed, processes, self.log.note)
        self.runner.tell_owner(outcome)
        self.log.flush()
        times = self.log.times
        self._conclude(outcome)
        return BuildResult(
            pkgbase=self.request.pkgbase,
            outcome=outcome,
            log=self.request.log,
            phases=times,
            interference=tuple(self.interference.told),
            root=identity,
            installed=self.installed,
        )

    def _steps(self) -> Built:
        request, root = self.request, self.root
        self._interfere()
        self.log.begin("evaluate")
        srcinfo = self._judged(self.written or self.runner.evaluated())
        self.interference.bump(root, request.config, srcinfo)
        self.interference.prohibit(root, request.config, srcinfo)
        self.log.begin("fetch")
        self.installing.check_programs(srcinfo)
        self._fetch(srcinfo)
        self.log.begin("dependencies")
        self.installed = self.installing.install(srcinfo)
        self.log.begin("sources")
        self._make(srcinfo)
        self.log.begin("collect")
        packages = take_packages(
            root.folder.path,
            request.out,
            srcinfo,
            before=request.files.keys(),
            architecture=self.architecture,
            allow_prohibited=request.config.allow_prohibited,
        )
        return Built(packages=packages)

    def _interfere(self) -> None:
        if PREPARE in self.request.files:
            self.log.note(f"running {PREPARE}")
            self.interference.told.append("prepare")
            self.runner.run(PREPARE_WORDS, what=PREPARE, skip_status=self.request.skip_status)
        if PATCH in self.request.files:
            self.log.note(f"applying {PATCH}")
            self.interference.told.append("interfere.patch")
            self.runner.run(PATCH_WORDS, what=PATCH)
        self.interference.edit(self.root)

    def _refuse_stale(self, outcome: BuildOutcome) -> None:
        if self.written is None or not isinstance(outcome, Failed) or outcome.phase not in _PHASES_OF_SRCINFO:
            return
        try:
            if _without_version(self.runner.evaluated()) != _without_version(self.written):
                raise _StaleError
        except (BuildEndedError, FormatError) as error:
            raise _StaleError from error

    def _judged(self, srcinfo: SrcInfo) -> SrcInfo:
        if srcinfo.pkgbase != self.request.pkgbase:
            raise UpstreamError(f"PKGBUILD is of {srcinfo.pkgbase}, and the folder is {self.request.pkgbase}")
        architectures = srcinfo.base.values("arch")
        if "any" not in architectures and self.architecture not in architectures:
            raise UpstreamError(f"PKGBUILD is for {', '.join(architectures)}, and this machine is {self.architecture}")
        return srcinfo

    def _fetch(self, srcinfo: SrcInfo) -> None:
        for source in remote_sources(srcinfo, self.architecture):
            keep = self.request.config.cache_sources
            fetched = self.builder.fetcher.fetch(source, self.root.sources, keep=keep, say=self.log.note)
            if not fetched and not self.request.config.network:
                raise UpstreamError(
                    f"{source.url} is neither http, https nor git",
                    hint="with BUILDER_NETWORK=true makepkg fetches it itself",
                )
        self.root.give(self.root.sources)

    def _make(self, srcinfo: SrcInfo) -> None:
        words = ["makepkg", "--force", "--noconfirm", "--noprogressbar", "--holdver"]
        if srcinfo.base.values("validpgpkeys"):
            if any(path.startswith(_KEYS) and path.endswith(".asc") for path in self.request.files):
                self.runner.run(_IMPORT_WORDS, what="gpg")
            else:
                words.append("--skippgpcheck")
                self.interference.told.append(f"signatures are not checked: there are no keys in {_KEYS}")
        try:
            self.runner.run(words, what="makepkg")
        except BuildEndedError as ended:
            if not isinstance(ended.outcome, Failed) or ended.outcome.status != DEPENDENCIES_MISSING:
                raise
            self.installing.refuse_missing(srcinfo)
            raise

    def _conclude(self, outcome: BuildOutcome) -> None:
        if self.interference.told:
            self.log.note("what interfered:\n" + "\n".join(f"  {text}" for text in self.interference.told))
        limits = ", ".join(self.root.groups.limits) or "none can be had here"
        self.log.note(f"limits on all processes together: {limits}")
        self.log.note(f"{self.request.pkgbase} {described(outcome)}")


def _without_version(srcinfo: SrcInfo) -> list[bytes]:
    """Its lines but for version and release, which were compared before, and which a build changes."""
    lines = (line.strip() for line in srcinfo.to_bytes().split(b"\n"))
    return [line for line in lines if line and not line.startswith((b"pkgver =", b"pkgrel =", b"#"))]
