"""One build that has ended, for a person and for programs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from ci_toolkit.recipes.build import Built, Failed, Skipped, TimedOut, described, outcome_word

if TYPE_CHECKING:
    from ci_toolkit.recipes.build import BuildOutcome, BuildResult


def build_text(result: BuildResult) -> str:
    """A few lines: how it ended, and how long the phases took."""
    times = ", ".join(f"{time.phase} {time.seconds:.1f} s" for time in result.phases if time.seconds >= 0.05)
    return f"{result.pkgbase} {described(result.outcome)}\n{times}\nlog: {result.log}\n"


def build_json(result: BuildResult) -> str:
    """An object: package, outcome and its details, log, seconds by phase, interference, root, what was installed."""
    record: dict[str, Any] = {
        "package": result.pkgbase,
        "outcome": outcome_word(result.outcome),
        **_details(result.outcome),
        "log": str(result.log),
        "phases": {time.phase: round(time.seconds, 3) for time in result.phases},
        "interference": list(result.interference),
        "root": result.root,
        "installed": {package.name: package.version for package in result.installed},
    }
    return json.dumps(record, indent=2) + "\n"


def _details(outcome: BuildOutcome) -> dict[str, Any]:
    match outcome:
        case Built(packages=packages):
            rows = [
                {
                    "file": str(package.path),
                    "name": package.name,
                    "version": package.version,
                    "arch": package.arch,
                    "size": package.size_bytes,
                }
                for package in packages
            ]
            return {"packages": rows}
        case Failed(phase=phase, status=status, reason=reason):
            return {"phase": phase, "status": status, "reason": reason}
        case TimedOut(phase=phase, limit_s=limit_s):
            return {"phase": phase, "limit_s": limit_s}
        case Skipped(reason=reason):
            return {"reason": reason}
