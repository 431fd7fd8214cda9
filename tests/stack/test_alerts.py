"""Alerts of a stack: what they are about is exposed, and they come when they should, as promtool plays through."""

from __future__ import annotations

import dataclasses
import os
import re
import shutil
from typing import TYPE_CHECKING

import pytest

from ci_toolkit.effects.process import Processes
from ci_toolkit.effects.redaction import Redactor
from ci_toolkit.model.farm_metrics import MASTER_METRICS, WORKER_METRICS
from ci_toolkit.stack.farm_alerts import FARM_ALERTS, FARM_DOWN, FOLLOWING_FARM_DOWN
from ci_toolkit.stack.prometheus import prometheus_outputs
from ci_toolkit.stack.validating.check import Programs
from ci_toolkit.stack.validating.promtool import check_prometheus
from ci_toolkit.stack_fragments.spec import Alert, AlertCase, Firing, Fragment
from tests.support.stacks import STACK, deployed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from ci_toolkit.stack.deployment import Deployment
    from ci_toolkit.stack.validating.check import Check

needs_promtool = pytest.mark.skipif(
    shutil.which("promtool") is None and not os.environ.get("CI"), reason="promtool is not installed"
)
# Of the programs beside the farm, as their own /metrics have them.
FOREIGN = {
    "up",
    "alertmanager_config_last_reload_successful",
    "alertmanager_notifications_failed_total",
    "prometheus_config_last_reload_successful",
    "prometheus_notifications_dropped_total",
    "prometheus_rule_evaluation_failures_total",
    "promtail_dropped_entries_total",
}
EXPOSED = {series for metric in (*MASTER_METRICS, *WORKER_METRICS) for series in metric.series}
STALE = Alert(
    name="MirrorStale",
    expr="mirror_age_seconds > 60",
    severity="warning",
    summary="{{ $labels.mirror }} is {{ $value }} s old",
    cases=(
        AlertCase(
            series={'mirror_age_seconds{mirror="a"}': "61x10"},
            at="5m",
            fires=(Firing(labels={"mirror": "a"}, summary="a is 61 s old"),),
        ),
        AlertCase(series={'mirror_age_seconds{mirror="a"}': "60x10"}, at="5m"),
    ),
)


def checks(folder: Path, deployment: Deployment, environ: Mapping[str, str] = os.environ) -> dict[str, Check]:
    """What promtool says to what is rendered for Prometheus, by the name of the check."""
    for output in prometheus_outputs(deployment):
        path = folder / output.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(output.content)
    programs = Programs(processes=Processes(redactor=Redactor({})), environ=environ)
    return {check.name: check for check in check_prometheus(folder, deployment, programs)}


def names_in(text: str) -> Iterator[str]:
    """The names of metrics in a piece of PromQL."""
    return (
        found[0] for found in re.finditer(r"\b(?:ci_toolkit|prometheus|alertmanager|promtail|loki)_\w+|\bup\b", text)
    )


@pytest.mark.parametrize("alert", FARM_ALERTS, ids=lambda alert: alert.name)
def test_an_alert_is_about_what_somebody_exposes(alert: Alert) -> None:
    asked = set(names_in(alert.expr))
    assert asked
    assert asked <= EXPOSED | FOREIGN
    assert {name for case in alert.cases for series in case.series for name in names_in(series)} <= EXPOSED | FOREIGN


@pytest.mark.parametrize("alert", FARM_ALERTS, ids=lambda alert: alert.name)
def test_an_alert_is_shown_to_come_and_to_stay_away_and_says_what_to_do(alert: Alert) -> None:
    assert {bool(case.fires) for case in alert.cases} == {True, False}
    assert alert.description.endswith((".", "now."))


def test_names_are_unique_and_those_that_follow_from_others_are_among_them() -> None:
    names = [alert.name for alert in FARM_ALERTS]
    assert len(set(names)) == len(names)
    assert set(FOLLOWING_FARM_DOWN) < set(names)


@needs_promtool
def test_promtool_finds_every_alert_of_ours_and_of_plugins_as_it_should_be(
    tmp_path: Path,
) -> None:
    found = checks(tmp_path, deployed(STACK + "[prometheus]\ntoken = true\n", mirror=Fragment(alerts=(STALE,))))
    assert [(check.name, check.faults, check.missing) for check in found.values()] == [
        ("prometheus configuration", (), ""),
        ("prometheus rules", (), ""),
        ("alerts of ci-toolkit-farm", (), ""),
        ("alerts of plugin-mirror", (), ""),
    ]
    assert "farm-token" in found["prometheus configuration"].note


WRONG = {
    "never fires": dataclasses.replace(STALE, expr="mirror_age_seconds > 600"),
    "fires always": dataclasses.replace(STALE, expr="mirror_age_seconds > 0"),
    "fires too late": dataclasses.replace(STALE, lasting="9m"),
    "fires although it should not": dataclasses.replace(
        STALE, cases=(AlertCase(series={"mirror_age_seconds": "61x10"}, at="5m"),)
    ),
    "another text": dataclasses.replace(STALE, summary="{{ $labels.mirror }} is old"),
}


@needs_promtool
@pytest.mark.parametrize("alert", WRONG.values(), ids=WRONG)
def test_an_alert_that_does_not_do_what_its_cases_say_is_a_fault_of_its_plugin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, alert: Alert
) -> None:
    monkeypatch.setattr("ci_toolkit.stack.rules.FARM_ALERTS", (FARM_DOWN,))
    found = checks(tmp_path, deployed(mirror=Fragment(alerts=(alert,))))
    assert found["alerts of ci-toolkit-farm"].faults == ()
    (fault,) = found["alerts of plugin-mirror"].faults
    assert "MirrorStale" in fault


@needs_promtool
def test_a_rule_that_is_none_is_found_by_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ci_toolkit.stack.rules.FARM_ALERTS", (FARM_DOWN,))
    broken = Alert(name="Broken", expr="sum by (", severity="info", summary="never")
    found = checks(tmp_path, deployed(mirror=Fragment(alerts=(broken,))))
    (fault,) = found["prometheus rules"].faults
    assert "rules/plugin-mirror.yml" in fault
    assert found["alerts of plugin-mirror"].note == "Broken: no case shows that it ever fires"


@needs_promtool
def test_an_alert_of_ours_that_nobody_has_seen_fire_is_a_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    unshown = dataclasses.replace(FARM_DOWN, cases=tuple(case for case in FARM_DOWN.cases if not case.fires))
    monkeypatch.setattr("ci_toolkit.stack.rules.FARM_ALERTS", (unshown,))
    assert checks(tmp_path, deployed())["alerts of ci-toolkit-farm"].faults == (
        "prometheus/rules/farm.yml: FarmDown has no case that fires",
    )


def test_without_promtool_each_question_is_said_to_be_open(tmp_path: Path) -> None:
    found = checks(tmp_path, deployed(mirror=Fragment(alerts=(STALE,))), {"PATH": str(tmp_path)})
    assert list(found) == [
        "prometheus configuration",
        "prometheus rules",
        "alerts of ci-toolkit-farm",
        "alerts of plugin-mirror",
    ]
    assert {check.missing for check in found.values()} == {"promtool is not installed; Debian: apt install prometheus"}
