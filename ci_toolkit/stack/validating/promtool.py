"""Whether Prometheus understands what was rendered for it, and whether each alert comes when it should."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ci_toolkit.stack.monitoring.rule_tests import rule_tests
from ci_toolkit.stack.monitoring.rules import rule_files
from ci_toolkit.stack.output import read_yaml, yaml_text
from ci_toolkit.stack.secret_names import FARM_TOKEN
from ci_toolkit.stack.validating.check import Check

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ci_toolkit.stack.deployment import Deployment
    from ci_toolkit.stack.monitoring.rules import RuleFile
    from ci_toolkit.stack.validating.check import Programs

_CONFIGURATION, _RULES, _ALERTS = "prometheus configuration", "prometheus rules", "alerts of {}"
_MISSING = "promtool is not installed; Debian: apt install prometheus"


def check_prometheus(folder: Path, deployment: Deployment, programs: Programs) -> Iterator[Check]:
    """Its configuration, its rules, and the cases of every alert, by whose they are."""
    files = tuple(rule_files(deployment))
    promtool = programs.find("promtool")
    if promtool is None:
        for name in (_CONFIGURATION, _RULES, *(_ALERTS.format(file.owner) for file in files)):
            yield Check(name=name, missing=_MISSING)
        return
    here = folder / "prometheus"
    note = _provide_token(here, deployment)
    asked = programs.ask(_CONFIGURATION, (promtool, "check", "config", "prometheus.yml"), cwd=here)
    yield Check(name=asked.name, faults=asked.faults, note=note)
    argv = (promtool, "check", "rules", "--lint=all", "--lint-fatal", *(file.path for file in files))
    yield programs.ask(_RULES, argv, cwd=here)
    for file in files:
        yield _check_alerts(here, file, promtool, programs)


def _provide_token(here: Path, deployment: Deployment) -> str:
    """The token, made up: promtool looks for the one that lies where Prometheus will run."""
    if not deployment.stack.prometheus.sends_token:
        return ""
    path, made_up = here / "prometheus.yml", here / FARM_TOKEN
    made_up.write_text("made up")
    path.write_text(path.read_text().replace(deployment.secret_path(FARM_TOKEN), str(made_up)))
    return f"whether secrets/{FARM_TOKEN} is there was not looked at"


def _check_alerts(here: Path, file: RuleFile, promtool: str, programs: Programs) -> Check:
    name = _ALERTS.format(file.owner)
    shown = {alert.name for alert in file.alerts if any(case.fires for case in alert.cases)}
    unshown = [alert.name for alert in file.alerts if alert.name not in shown]
    if unshown and file.plugin is None:
        return Check(
            name=name, faults=tuple(f"prometheus/{file.path}: {one} has no case that fires" for one in unshown)
        )
    tests = _lay_out(here, file)
    asked = programs.ask(name, (promtool, "test", "rules", *tests), cwd=here) if tests else Check(name=name)
    note = f"{', '.join(unshown)}: no case shows that it ever fires" if unshown else ""
    return Check(name=name, faults=asked.faults, note=note)


def _lay_out(here: Path, file: RuleFile) -> list[str]:
    """A test for each alert that has cases, beside the rendered rule, alone: others would cost time in each test."""
    folder = here / "tests" / file.owner
    folder.mkdir(parents=True)
    rendered = read_yaml((here / file.path).read_text())["groups"][0]
    tests = []
    for number, (alert, rule) in enumerate(zip(file.alerts, rendered["rules"], strict=True)):
        if alert.cases:
            rules: dict[str, Any] = {"groups": [{"name": rendered["name"], "rules": [rule]}]}
            (folder / f"{number}-rules.yml").write_text(yaml_text(rules))
            test = folder / f"{number}-{alert.name}.yml"
            test.write_text(rule_tests(alert, file.labels(alert), rules=f"{number}-rules.yml"))
            tests.append(str(test.relative_to(here)))
    return tests
