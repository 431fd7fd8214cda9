"""What a build is: what goes in, which phases it has, and what comes out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from ci_toolkit.effects.base_root import HostRoot
from ci_toolkit.effects.build_limits import BuildLimits

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from ci_toolkit.effects.base_root import BaseRoot
    from ci_toolkit.model.observation import UpstreamFile
    from ci_toolkit.model.package_config import PackageConfig
    from ci_toolkit.model.root_identity import InstalledPackage, RootIdentity

Phase = Literal[
    "interfere",  # the owner's prepare, patch and additions
    "evaluate",  # what the PKGBUILD says then
    "fetch",  # sources, with the network and without any package code
    "dependencies",
    "sources",  # makepkg's own checks and unpacking
    "prepare",
    "pkgver",
    "build",
    "check",
    "package",
    "collect",  # what was built is looked at and taken
]


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildRequest:
    """One package folder to be built; `config` is its `.CI/config`, `dependencies` are package files to install first.

    `assumed` are names of packages that the machine has although nobody can tell, which an Arch root has none of.
    Packages are put into `out`. `epoch_s` becomes SOURCE_DATE_EPOCH; `limits` are multiplied by BUILDER_EXTRA_TIMEOUT
    where that is said. `root` is what to build in. `compiler_caches` is a folder with a cache of ccache's for each
    package, `keep_failed` an archive that the folder of a build that fails is kept in; None keeps none.
    """

    pkgbase: str
    files: Mapping[str, UpstreamFile]
    config: PackageConfig
    out: Path
    log: Path
    epoch_s: int
    packager: str = "Unknown Packager"
    make_flags: str = ""
    dependencies: tuple[Path, ...] = ()
    assumed: tuple[str, ...] = ()
    skip_status: int = 123
    root: BaseRoot = field(default_factory=HostRoot)
    compiler_caches: Path | None = None
    keep_failed: Path | None = None
    limits: BuildLimits = field(default_factory=BuildLimits)


@dataclass(frozen=True, slots=True, kw_only=True)
class BuiltPackage:
    """A package file that was built; `arch` is `any` or the machine's, `provides` and `depends` as it says itself."""

    path: Path
    name: str
    version: str
    arch: str
    size_bytes: int
    provides: tuple[str, ...] = ()
    depends: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """There are packages."""

    packages: tuple[BuiltPackage, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """A phase failed; `status` is that of the program that ended it, None where none did."""

    phase: Phase
    status: int | None
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Skipped:
    """The package's owner does not want it built now."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TimedOut:
    """The time was over in a phase."""

    phase: Phase
    limit_s: float


BuildOutcome = Built | Failed | Skipped | TimedOut


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseTime:
    """How many seconds a phase took."""

    phase: Phase
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildResult:
    """One build that has ended: how, where its log is, how long the phases took, and what interfered.

    `root` is what it was built in, and `installed` what was put there for it alone.
    """

    pkgbase: str
    outcome: BuildOutcome
    log: Path
    phases: tuple[PhaseTime, ...]
    interference: tuple[str, ...]
    root: RootIdentity | None = None
    installed: tuple[InstalledPackage, ...] = ()

    @property
    def is_failure(self) -> bool:
        """Whether somebody has to look at it."""
        return isinstance(self.outcome, Failed | TimedOut)


class BuildEndedError(Exception):
    """Leaves a build at once with an outcome that is known."""

    def __init__(self, outcome: Failed | Skipped | TimedOut) -> None:
        super().__init__(str(outcome))
        self.outcome = outcome


def outcome_word(outcome: BuildOutcome) -> str:
    """One word: built, failed, skipped or timed-out."""
    words = {Built: "built", Failed: "failed", Skipped: "skipped", TimedOut: "timed-out"}
    return words[type(outcome)]


def described(outcome: BuildOutcome) -> str:
    """How a build ended, as the end of a sentence that begins with the package's name."""
    match outcome:
        case Built(packages=packages):
            return f"is built: {', '.join(package.path.name for package in packages)}"
        case Skipped(reason=reason):
            return f"is skipped: {reason}"
        case TimedOut(phase=phase, limit_s=limit_s):
            return f"took longer than {limit_s:g} s, and was then in phase {phase}"
        case Failed(phase=phase, status=status, reason=reason):
            ending = "" if status is None else f" (status {status})"
            return f"failed in phase {phase}: {reason}{ending}"
