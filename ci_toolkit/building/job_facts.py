"""What the end of a build means for its job."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, assert_never

from ci_toolkit.model.job import JobState
from ci_toolkit.recipes.build import Built, Failed, Skipped, TimedOut

if TYPE_CHECKING:
    from ci_toolkit.recipes.build import BuildOutcome, BuildResult


def state_after(outcome: BuildOutcome) -> JobState:
    """Where a job goes whose build ended so."""
    match outcome:
        case Built():
            return JobState.PUBLISHING
        case Failed():
            return JobState.FAILED
        case Skipped():
            return JobState.SKIPPED
        case TimedOut():
            return JobState.TIMED_OUT
        case _:
            assert_never(outcome)


def reason_after(outcome: BuildOutcome) -> str:
    """Why it ended so, in words that go on where the state's name ends."""
    match outcome:
        case Built(packages=packages):
            return f"made {', '.join(package.path.name for package in packages)}"
        case Failed(phase=phase, status=status, reason=reason):
            return f"in phase {phase}: {reason}" + ("" if status is None else f" (status {status})")
        case Skipped(reason=reason):
            return reason
        case TimedOut(phase=phase, limit_s=limit_s):
            return f"after {limit_s:g} s, in phase {phase}"
        case _:
            assert_never(outcome)


def facts_of(result: BuildResult | None, outcome: BuildOutcome | None = None) -> dict[str, float | str | None]:
    """What a build told, as the job database keeps it."""
    facts: dict[str, float | str | None] = {}
    if result is not None:
        times = [(time.phase, round(time.seconds, 3)) for time in result.phases]
        facts |= {"phases": json.dumps(times), "interference": json.dumps(result.interference)}
    match outcome:
        case Failed(phase=phase, status=status):
            facts |= {"phase": phase, "status": status}
        case TimedOut(phase=phase):
            facts |= {"phase": phase}
    return facts
