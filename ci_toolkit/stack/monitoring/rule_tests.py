"""The cases of an alert as promtool's tests: whether it fires when it should, and only then."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from ci_toolkit.stack.output import yaml_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ci_toolkit.stack_fragments.spec import Alert, AlertCase, Firing

_UNIT_MINUTES = {"w": 10_080.0, "d": 1_440.0, "h": 60.0, "m": 1.0, "s": 1 / 60}
_LONG_MINUTES = 3 * 60


def rule_tests(alert: Alert, labels: Mapping[str, str], *, rules: str) -> str:
    """What `promtool test rules` reads; `rules` is the file with the alert, `labels` what that adds to each firing.

    Prometheus works alerts out by the minute, as in life; where a case takes days, every ten minutes.
    """
    interval = "10m" if any(_minutes(case.at) > _LONG_MINUTES for case in alert.cases) else "1m"
    tests = [_test(alert, labels, case) for case in alert.cases]
    return yaml_text({"rule_files": [rules], "evaluation_interval": interval, "tests": tests})


def _test(alert: Alert, labels: Mapping[str, str], case: AlertCase) -> dict[str, Any]:
    expected = {
        "eval_time": case.at,
        "alertname": alert.name,
        "exp_alerts": [
            {"exp_labels": {**labels, **firing.labels}, "exp_annotations": _annotations(alert, firing)}
            for firing in case.fires
        ],
    }
    return {
        "interval": "1m",
        "input_series": [{"series": series, "values": values} for series, values in case.series.items()],
        "alert_rule_test": [expected],
    }


def _annotations(alert: Alert, firing: Firing) -> dict[str, str]:
    """A description that a case leaves out is that of the alert, which is the same every time."""
    description = firing.description or alert.description
    return {"summary": firing.summary, **({"description": description} if description else {})}


def _minutes(duration: str) -> float:
    """A duration of Prometheus, such as `1h30m`; parts that are none are promtool's to refuse."""
    return sum(int(number) * _UNIT_MINUTES[unit] for number, unit in re.findall(r"(\d+)([wdhms])(?!s)", duration))
