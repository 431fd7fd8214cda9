"""Problems as SARIF 2.1.0, which code scanning services read (source: the OASIS standard of that name)."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from ci_toolkit import __version__
from ci_toolkit.checks.registry import CHECKS
from ci_toolkit.reports.fingerprints import with_fingerprints
from ci_toolkit.reports.plain_text import one_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ci_toolkit.checks.problem import Problem

_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_LONGEST = 1_000


def problems_sarif(problems: Sequence[Problem]) -> str:
    """One run; file names are relative to the top of the repository."""
    rules = [{"id": name, "shortDescription": {"text": meaning}} for name, meaning in CHECKS.items()]
    order = list(CHECKS)
    value = {
        "$schema": _SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {"driver": {"name": "ci-toolkit", "version": __version__, "rules": rules}},
                "columnKind": "unicodeCodePoints",
                "results": [_result(it, mark, order) for it, mark in with_fingerprints(problems)],
            }
        ],
    }
    return json.dumps(value, indent=2) + "\n"


def _result(problem: Problem, fingerprint: str, order: list[str]) -> dict[str, Any]:
    place: dict[str, Any] = {"artifactLocation": {"uri": quote(os.fsencode(problem.file))}}
    if problem.line:
        place["region"] = {"startLine": problem.line}
    return {
        "ruleId": problem.check,
        "ruleIndex": order.index(problem.check),
        "level": problem.severity,
        "message": {"text": one_line(problem.sentence, _LONGEST)},
        "locations": [{"physicalLocation": place}],
        "partialFingerprints": {"ciToolkit/v1": fingerprint},
    }
