"""Problems as a GitLab Code Quality report (source: GitLab's documentation, «Code Quality report format»)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from ci_toolkit.reports.fingerprints import with_fingerprints
from ci_toolkit.reports.plain_text import one_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ci_toolkit.checks.problem import Problem

_SEVERITIES = {"error": "major", "warning": "minor"}
_LONGEST = 1_000


def problems_code_quality(problems: Sequence[Problem]) -> str:
    """An array of issues; what concerns a whole file stands at its first line, as each needs one."""
    issues = [
        {
            "description": one_line(problem.sentence, _LONGEST),
            "check_name": problem.check,
            "fingerprint": fingerprint,
            "severity": _SEVERITIES[problem.severity],
            "location": {"path": one_line(problem.file), "lines": {"begin": problem.line or 1}},
        }
        for problem, fingerprint in with_fingerprints(problems)
    ]
    return json.dumps(issues, indent=2) + "\n"
