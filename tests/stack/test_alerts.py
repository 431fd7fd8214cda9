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
from ci_toolkit.stack.alerts.farm_alerts import FARM_ALERTS, FARM_DOWN, FOLLOWING_FARM_DOWN
from ci_toolkit.stack.monitoring.prometheus import prometheus_outputs
from ci_toolkit.stack.validating.check import Programs
from ci_toolkit.stack.validating.exposed import common_series
from ci_toolkit.stack.validating.metrics_named import metric_faults
from ci_toolkit.stack.validating.promtool import check_prometheus
from ci_toolkit.stack_fragments.spec import Alert, AlertCase, Firing, Fragment
from tests.support.stacks import STACK, deployed

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from ci_toolkit.stack.deployment import Deployment
    from ci_toolkit.stack.validating.check import Check

needs_promtool = pytest.mark.skipif(
    shutil.which("promtool") is None and not os.environ.get("CI"), reason="promtool is not installed"
)
SERIES = re.compile(r"(\w+)\{(.*)\}")
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


def test_alerts_are_about_what_somebody_exposes() -> None:
    deployment = deployed()
    assert list(metric_faults(deployment, tuple(prometheus_outputs(deployment)))) == []


@pytest.mark.parametrize("alert", FARM_ALERTS, ids=lambda alert: alert.name)
def test_an_alert_is_shown_with_series_that_there_are(alert: Alert) -> None:
    known = common_series()
    series = [SERIES.fullmatch(one) for case in alert.cases for one in case.series]
    assert series
    for match in series:
        assert match is not None
        assert all(label in known[match[1]] for label in re.findall(r"(\w+)=", match[2])), match[0]


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
    monkeypatch.setattr("ci_toolkit.stack.monitoring.rules.FARM_ALERTS", (FARM_DOWN,))
    found = checks(tmp_path, deployed(mirror=Fragment(alerts=(alert,))))
    assert found["alerts of ci-toolkit-farm"].faults == ()
    (fault,) = found["alerts of plugin-mirror"].faults
    assert "MirrorStale" in fault


@needs_promtool
def test_a_rule_that_is_none_is_found_by_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ci_toolkit.stack.monitoring.rules.FARM_ALERTS", (FARM_DOWN,))
    broken = Alert(name="Broken", expr="sum by (", severity="info", summary="never")
    found = checks(tmp_path, deployed(mirror=Fragment(alerts=(broken,))))
    (fault,) = found["prometheus rules"].faults
    assert "rules/plugin-mirror.yml" in fault
    assert found["alerts of plugin-mirror"].note == "Broken: no case shows that it ever fires"


@needs_promtool
def test_an_alert_of_ours_that_nobody_has_seen_fire_is_a_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    unshown = dataclasses.replace(FARM_DOWN, cases=tuple(case for case in FARM_DOWN.cases if not case.fires))
    monkeypatch.setattr("ci_toolkit.stack.monitoring.rules.FARM_ALERTS", (unshown,))
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
