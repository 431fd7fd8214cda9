"""Runs what a package brings along into the log of its build, and says how it ended."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ci_toolkit.effects.sandbox import BASE_VARIABLES
from ci_toolkit.errors import ToolkitError
from ci_toolkit.formats.srcinfo import SrcInfo
from ci_toolkit.recipes.build import BuildEndedError, Built, Failed, Skipped, outcome_word
from ci_toolkit.recipes.built_packages import EXTENSION
from ci_toolkit.recipes.makepkg.interference import ON_FAILURE, ON_SUCCESS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ci_toolkit.effects.build_root import BuildRoot
    from ci_toolkit.effects.clock import Clock
    from ci_toolkit.recipes.build import BuildOutcome, BuildRequest
    from ci_toolkit.recipes.build_log import BuildLog

_EVALUATE_S = 60.0
_HOOK_S = 300.0
_STAND_INS = "usr/lib/ci-toolkit"


@dataclass(kw_only=True)
class PhaseRunner:
    """Runs programs in one root until the time of the whole build is over; `extra` are further variables for them."""

    request: BuildRequest
    root: BuildRoot
    log: BuildLog
    clock: Clock
    cancelled: Callable[[], str | None]
    extra: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.limit_s = self.request.limits.time_s * max(1, self.request.config.extra_timeout)
        self.deadline_s = self.clock.monotonic() + self.limit_s

    def run(self, words: Sequence[str], *, what: str, skip_status: int | None = None) -> None:
        """Run the package's code into the log; BuildEndedError unless it succeeds."""
        ended = self.root.stream(
            words,
            network=self.request.config.network,
            variables=self.variables,
            timeout_s=self.left_s,
            take=self.log.take,
            watch=lambda: self.log.ending_reason(self.cancelled),
        )
        self.log.judge(ended, what, limit_s=self.limit_s, skip_status=skip_status)

    def evaluated(self) -> SrcInfo:
        """What makepkg says of PKGBUILD; BuildEndedError when it cannot read it, FormatError for nonsense."""
        self._stand_in()
        # Only what it prints counts, and not what a stranger wrote into `.SRCINFO`.
        done = self.root.capture(
            ("makepkg", "--printsrcinfo", "--nodeps"),
            variables={**self.variables, "PATH": f"{BASE_VARIABLES['PATH']}:/{_STAND_INS}"},
            timeout_s=min(_EVALUATE_S, self.left_s),
        )
        if done.status != 0:
            self.log.take(done.stderr)
            raise BuildEndedError(Failed(phase="evaluate", status=done.status, reason="makepkg cannot read PKGBUILD"))
        return SrcInfo.parse(done.stdout, file="what makepkg says")

    def tell_owner(self, outcome: BuildOutcome) -> None:
        """Run the owner's hook for this ending; whatever it does changes nothing any more."""
        hook = ON_SUCCESS if isinstance(outcome, Built) else ON_FAILURE
        if hook not in self.request.files or isinstance(outcome, Skipped):
            return
        self.log.note(f"running {hook}")
        told = {"CI_BUILD_OUTCOME": outcome_word(outcome), "CI_BUILD_PHASE": self.log.phase}
        if isinstance(outcome, Failed) and outcome.status is not None:
            told["CI_BUILD_STATUS"] = str(outcome.status)
        try:
            ended = self.root.stream(
                ("bash", hook),
                network=self.request.config.network,
                variables={**self.variables, **told},
                timeout_s=_HOOK_S,
                take=self.log.take,
                watch=self.cancelled,
            )
        except ToolkitError as error:
            self.log.note(f"{hook}: {error.what}")
            return
        if ended.status != 0:
            self.log.note(f"{hook} failed, which changes nothing")

    def _stand_in(self) -> None:
        """Put what makepkg looks for, before it even prints what it needs, where it finds it while it prints."""
        for name in ("ccache", "distcc"):
            self.root.lay(f"{_STAND_INS}/{name}", "#!/bin/sh\nexit 127\n", mode=0o755)

    @property
    def left_s(self) -> float:
        """How many seconds the build has still."""
        return max(0.1, self.deadline_s - self.clock.monotonic())

    @property
    def variables(self) -> Mapping[str, str]:
        """What a build is told by its environment."""
        request = self.request
        return {
            "PACKAGE": request.pkgbase,
            "PACKAGER": request.packager,
            "MAKEFLAGS": request.make_flags,
            "SOURCE_DATE_EPOCH": str(request.epoch_s),
            "CI_CODE_SKIP": str(request.skip_status),
            "PKGEXT": EXTENSION,
            **self.extra,
        }
