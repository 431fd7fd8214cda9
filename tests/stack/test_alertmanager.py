"""Whom Alertmanager of a stack tells of which alerts."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from ci_toolkit.effects.process import Processes
from ci_toolkit.effects.redaction import Redactor
from ci_toolkit.stack.monitoring.alertmanager import alert_secrets, alertmanager_outputs
from ci_toolkit.stack.validating.amtool import check_alertmanager
from ci_toolkit.stack.validating.check import Programs
from ci_toolkit.stack_fragments.spec import Alert, Fragment
from tests.support.stacks import STACK, deployed

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from ci_toolkit.stack.deployment import Deployment
    from ci_toolkit.stack.validating.check import Check

needs_amtool = pytest.mark.skipif(
    shutil.which("amtool") is None and not os.environ.get("CI"), reason="amtool is not installed"
)
ALERTING = Fragment(alerts=(Alert(name="Odd", expr="vector(1)", severity="info", summary="odd"),))
SILENT = Fragment()
EVERYBODY = """
[alerts.email]
to = "{{operators}}@example.org"
from = "farm@example.org"
smarthost = "mail.example.org:587"
username = "farm"

[alerts.telegram]
chat = -1001

[alerts.webhook]
url = "https://hooks.example.org/?a=b#c"
token = true
"""
OWN = """
[plugins.mirror.alerts.email]
to = "mirrors@example.org"
from = "farm@example.org"
smarthost = "localhost:25"

[plugins.mirror.alerts.telegram]
chat = 7
"""


def configuration(deployment: Deployment) -> dict[str, Any]:
    """What is in the file."""
    (output,) = alertmanager_outputs(deployment)
    assert output.path == "alertmanager/alertmanager.yml"
    read: dict[str, Any] = yaml.safe_load(output.content)
    return read


def checks(folder: Path, deployment: Deployment, environ: Mapping[str, str] = os.environ) -> dict[str, Check]:
    """What amtool says to it, by the name of the check."""
    (output,) = alertmanager_outputs(deployment)
    (folder / "alertmanager").mkdir()
    (folder / output.path).write_bytes(output.content)
    programs = Programs(processes=Processes(redactor=Redactor({})), environ=environ)
    return {check.name: check for check in check_alertmanager(folder, deployment, programs)}


def test_the_farm_and_each_plugin_with_alerts_have_a_receiver_before_what_is_inhibited() -> None:
    written = configuration(deployed(STACK + EVERYBODY, mirror=ALERTING, quiet=SILENT, zoo=ALERTING))
    assert list(written) == ["global", "route", "receivers", "inhibit_rules"]
    assert [receiver["name"] for receiver in written["receivers"]] == ["farm", "plugin-mirror", "plugin-zoo"]
    assert written["route"]["receiver"] == "farm"
    assert written["route"]["routes"] == [
        {"receiver": "plugin-mirror", "matchers": ['plugin="mirror"']},
        {"receiver": "plugin-zoo", "matchers": ['plugin="zoo"']},
    ]


def test_secrets_are_files_and_texts_are_no_templates() -> None:
    (farm,) = configuration(deployed(STACK + EVERYBODY))["receivers"]
    (email,), (telegram,), (webhook,) = farm["email_configs"], farm["telegram_configs"], farm["webhook_configs"]
    assert email["auth_password_file"] == "/run/secrets/smtp-password"
    assert email["to"] == '{{"{{"}}operators}}@example.org'
    assert telegram == {
        "send_resolved": True,
        "bot_token_file": "/run/secrets/telegram-token",
        "chat_id": -1001,
        "parse_mode": "",
    }
    assert webhook["url"] == "https://hooks.example.org/?a=b#c"
    assert webhook["http_config"] == {"authorization": {"credentials_file": "/run/secrets/webhook-token"}}


def test_a_plugin_tells_its_own_people_with_secrets_of_its_own() -> None:
    deployment = deployed('run_by = "systemd"\n' + STACK + EVERYBODY + OWN, mirror=ALERTING, zoo=ALERTING)
    farm, mirror, zoo = configuration(deployment)["receivers"]
    assert mirror["email_configs"][0]["to"] == "mirrors@example.org"
    assert mirror["email_configs"][0]["require_tls"] is False
    assert farm["email_configs"][0]["require_tls"] is True
    token = mirror["telegram_configs"][0]["bot_token_file"]
    assert token == "/run/credentials/prometheus-alertmanager.service/mirror-telegram-token"
    assert "webhook_configs" not in mirror
    assert {**zoo, "name": "farm"} == farm


@pytest.mark.parametrize(
    ("stack", "names"),
    [
        ("", []),
        (EVERYBODY, ["smtp-password", "telegram-token", "webhook-token"]),
        (OWN, ["mirror-telegram-token"]),
        (EVERYBODY + OWN, ["smtp-password", "telegram-token", "webhook-token", "mirror-telegram-token"]),
    ],
    ids=["nobody", "the farm", "a plugin", "both"],
)
def test_people_are_told_which_secrets_to_provide(stack: str, names: list[str]) -> None:
    assert list(alert_secrets(deployed(STACK + stack, mirror=ALERTING, zoo=ALERTING))) == names


def test_only_alerts_of_ours_hush_others_and_only_where_there_is_a_repository() -> None:
    rules = configuration(deployed(mirror=ALERTING))["inhibit_rules"]
    assert all('plugin=""' in rule["source_matchers"] for rule in rules)
    (of_repository,) = [rule for rule in rules if rule.get("equal") == ["repository"]]
    assert 'repository!=""' in of_repository["source_matchers"]
    assert 'repository!=""' in of_repository["target_matchers"]


def test_nobody_may_be_told() -> None:
    assert configuration(deployed(mirror=ALERTING))["receivers"] == [{"name": "farm"}, {"name": "plugin-mirror"}]


@needs_amtool
def test_amtool_understands_it_and_alerts_reach_whom_they_are_for(tmp_path: Path) -> None:
    found = checks(tmp_path, deployed(STACK + EVERYBODY + OWN, mirror=ALERTING, zoo=ALERTING))
    assert {name: check.faults for name, check in found.items()} == {
        "alertmanager configuration": (),
        "alertmanager routes": (),
    }


@needs_amtool
def test_a_plugin_whose_alerts_go_elsewhere_is_a_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ci_toolkit.stack.monitoring.alertmanager._equals", lambda label, value: f'{label}="{value}s"')
    (fault,) = checks(tmp_path, deployed(mirror=ALERTING))["alertmanager routes"].faults
    assert "plugin=mirror does not reach plugin-mirror" in fault


@needs_amtool
def test_what_amtool_does_not_understand_is_a_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ci_toolkit.stack.monitoring.alertmanager._equals", lambda label, value: f"{label}~{value}")
    found = checks(tmp_path, deployed(mirror=ALERTING))
    assert "bad matcher format" in found["alertmanager configuration"].faults[0]
    assert "alertmanager routes" not in found


def test_an_older_amtool_is_asked_about_a_copy_that_it_knows(tmp_path: Path) -> None:
    old = tmp_path / "bin" / "amtool"
    old.parent.mkdir()
    old.write_text('#!/bin/sh\n[ "$1" != --version ] || echo "amtool, version 0.25.0"\n')
    old.chmod(0o755)
    found = checks(tmp_path, deployed(STACK + EVERYBODY), {"PATH": f"{old.parent}:/usr/bin:/bin"})
    assert "amtool 0.25 does not know bot_token_file" in found["alertmanager configuration"].note
    copy = yaml.safe_load((tmp_path / "alertmanager/alertmanager.yml").read_text())
    (telegram,) = copy["receivers"][0]["telegram_configs"]
    assert telegram == {"send_resolved": True, "bot_token": "made-up", "chat_id": -1001, "parse_mode": ""}


def test_a_newer_amtool_is_asked_about_what_was_rendered(tmp_path: Path) -> None:
    new = tmp_path / "bin" / "amtool"
    new.parent.mkdir()
    new.write_text('#!/bin/sh\n[ "$1" != --version ] || echo "amtool, version 0.28.1"\n')
    new.chmod(0o755)
    found = checks(tmp_path, deployed(STACK + EVERYBODY), {"PATH": f"{new.parent}:/usr/bin:/bin"})
    assert {check.note for check in found.values()} == {""}
    assert "bot_token_file" in (tmp_path / "alertmanager/alertmanager.yml").read_text()


def test_without_amtool_both_questions_are_said_to_be_open(tmp_path: Path) -> None:
    found = checks(tmp_path, deployed(), {"PATH": str(tmp_path)})
    assert [bool(check.missing) for check in found.values()] == [True, True]
