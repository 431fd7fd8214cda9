"""One build of a folder that `.CI/recipe.toml` describes: its log, its time, and what becomes of what goes wrong."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ci_toolkit.effects.files import sha256_of
from ci_toolkit.errors import ConfigError, FormatError, MachineError, UpstreamError
from ci_toolkit.formats.recipe_toml import RECIPE_PATH
from ci_toolkit.recipes.build import BuildEndedError, BuildResult, Built, Failed, TimedOut, described
from ci_toolkit.recipes.build_log import BuildLog
from ci_toolkit.recipes.described_folder import described as described_folder
from ci_toolkit.recipes.failed_folder import keep_failed_folder
from ci_toolkit.recipes.makepkg.interference import INTERFERING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from ci_toolkit.effects.process import Streamed
    from ci_toolkit.formats.recipe_toml import RecipeFile
    from ci_toolkit.model.root_identity import InstalledPackage
    from ci_toolkit.recipes.build import BuildOutcome, BuildRequest, Phase
    from ci_toolkit.recipes.spec import RecipeTools


@dataclass(kw_only=True)
class RecipeRun:
    """What the steps of a build have; `file` is what the owner says, `installed` what they put into its root."""

    request: BuildRequest
    tools: RecipeTools
    log: BuildLog
    file: RecipeFile
    limit_s: float
    installed: tuple[InstalledPackage, ...] = ()

    def __post_init__(self) -> None:
        self._deadline_s = self.tools.clock.monotonic() + self.limit_s

    @property
    def left_s(self) -> float:
        """How many seconds the build has still."""
        return max(0.1, self._deadline_s - self.tools.clock.monotonic())

    @property
    def version(self) -> str:
        """Version and release, as packages have them."""
        return f"{self.file.version}-{self.file.release}"

    @property
    def network(self) -> bool:
        """Whether the owner lets it reach the network."""
        return self.request.config.network or self.file.network

    def begin(self, phase: Phase) -> None:
        """From now on it is this phase; BuildEndedError when nobody wants the build any more."""
        self.log.begin(phase)
        reason = self.tools.cancelled()
        if reason:
            raise BuildEndedError(Failed(phase=phase, status=None, reason=reason))

    def note(self, text: str) -> None:
        """A line of our own in the log."""
        self.log.note(text)

    def take(self, chunk: bytes) -> None:
        """More of what the build prints, for `Processes.stream`."""
        self.log.take(chunk)

    def watch(self) -> str | None:
        """Why it has to end, if it has, for `Processes.stream`."""
        return self.log.ending_reason(self.tools.cancelled)

    @contextmanager
    def kept_if_it_fails(self, folder: Path) -> Iterator[None]:
        """The build that happens within is one in this folder, which is kept if it fails and that is wished."""
        try:
            yield
        except (BuildEndedError, UpstreamError) as error:
            if not isinstance(error, BuildEndedError) or isinstance(error.outcome, Failed | TimedOut):
                keep_failed_folder(folder, self.request.keep_failed, self.tools.sandbox.processes, self.note)
            raise

    def judge(self, ended: Streamed, what: str, *, skip_status: int | None = None) -> None:
        """BuildEndedError unless a program of the build has succeeded; with `skip_status` it says to leave it."""
        self.log.judge(ended, what, limit_s=self.limit_s, skip_status=skip_status)


def run_recipe(
    request: BuildRequest,
    tools: RecipeTools,
    steps: Callable[[RecipeRun], Built],
    *,
    ignored: Iterable[str] = INTERFERING,
) -> BuildResult:
    """Build by these steps; what is wrong with the package, or lacks for it on this machine, is an outcome.

    Files of the folder that are `ignored` although somebody may expect otherwise are named in the log.
    """
    installed: tuple[InstalledPackage, ...] = ()
    with BuildLog(
        request.log,
        clock=tools.clock,
        redactor=tools.redactor,
        limit_bytes=request.limits.output_bytes,
        show=tools.show,
        tell=tools.phase,
        first="evaluate",
        is_of_makepkg=False,
    ) as log:
        identity = request.root.identity()
        try:
            run = _run(request, tools, log)
            for path in sorted(set(ignored) & request.files.keys()):
                log.note(f"{path} is read by builds with makepkg alone")
            try:
                outcome: BuildOutcome = steps(run)
            finally:
                installed = run.installed
        except BuildEndedError as ended:
            outcome = ended.outcome
        except (ConfigError, FormatError, MachineError, UpstreamError) as error:
            # Other packages can be built without what this one lacks here.
            log.note(str(error))
            outcome = Failed(phase=log.phase, status=None, reason=error.what_and_where)
        log.flush()
        if isinstance(outcome, Built):
            _name_outputs(outcome, log)
        times = log.times
        log.note(f"{request.pkgbase} {described(outcome)}")
    return BuildResult(
        pkgbase=request.pkgbase,
        outcome=outcome,
        log=request.log,
        phases=times,
        interference=(),
        root=identity,
        installed=installed,
    )


def _run(request: BuildRequest, tools: RecipeTools, log: BuildLog) -> RecipeRun:
    file = described_folder(request.pkgbase, request.files, request.config)
    limits = request.limits
    if file.timeout_s is not None and file.timeout_s > limits.most_time_s:
        raise ConfigError(
            f"is more than the {limits.most_time_s:g} s that a recipe may ask for",
            file=RECIPE_PATH,
            key="timeout",
            got=f"{file.timeout_s:g}",
            hint="raise CI_BUILD_TIMEOUT_MAX, or set BUILDER_EXTRA_TIMEOUT",
        )
    limit_s = (file.timeout_s or limits.time_s) * max(1, request.config.extra_timeout)
    return RecipeRun(request=request, tools=tools, log=log, file=file, limit_s=limit_s)


def _name_outputs(outcome: Built, log: BuildLog) -> None:
    for package in outcome.packages:
        log.note(f"{package.path.name}: {package.size_bytes} bytes, sha256:{sha256_of(package.path)}")
