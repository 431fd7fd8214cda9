"""Builds that a person asks for, whatever has changed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ci_toolkit.backends.spec import build_fault
from ci_toolkit.model.package_lists import choose
from ci_toolkit.model.verdict import Code, Verdict
from ci_toolkit.pipelines.handing_over import hand_over
from ci_toolkit.pipelines.outcome import Outcome
from ci_toolkit.pipelines.workshop import Workshop, refuse_tracked_artifacts
from ci_toolkit.scheduling.schedule import make_schedule

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ci_toolkit.backends.spec import Backend
    from ci_toolkit.model.names import Pkgbase
    from ci_toolkit.model.package import Snapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class ManualSchedule:
    """One run for a list of packages. `wanted` is that list as it was written."""

    workshop: Workshop
    backend: Backend
    wanted: Sequence[str]
    dry_run: bool = False

    def run(self, snapshot: Snapshot) -> Outcome:
        """Hand the packages over; ConfigError, and nothing at all, when the list names what is no package."""
        refuse_tracked_artifacts(snapshot)
        chosen = choose(self.wanted, snapshot.packages)
        verdicts = tuple(self._verdict(snapshot, pkgbase) for pkgbase in chosen)
        builds = {pkgbase: chosen[pkgbase] for pkgbase, verdict in zip(chosen, verdicts, strict=True) if verdict.builds}
        # Whoever asks again wants it built again, also where an earlier wish is not fulfilled yet.
        occasion = self.workshop.run_name
        schedule = make_schedule(
            snapshot, builds, commit=snapshot.heads.main, occasion=occasion, keeps_order=self.backend.keeps_order
        )
        outcome = Outcome(
            pipeline="schedule",
            dry_run=self.dry_run,
            base=snapshot.heads.main,
            head=snapshot.heads.main,
            verdicts=verdicts,
            schedule=schedule,
        )
        if self.dry_run:
            return outcome
        return replace(outcome, handed_over=hand_over(self.backend, schedule, self.workshop, snapshot))

    def _verdict(self, snapshot: Snapshot, pkgbase: Pkgbase) -> Verdict:
        package = snapshot.packages[pkgbase]
        if package.config_fault is not None:
            return Verdict(package=pkgbase, code=Code.BAD_CONFIG, why=package.config_fault.what_and_where)
        fault = build_fault(self.backend, package)
        if fault:
            return Verdict(package=pkgbase, code=Code.BAD_NAME, why=fault)
        return Verdict(
            package=pkgbase, code=Code.REQUESTED, why="asked for", now="is built", new=package.version, builds=True
        )
