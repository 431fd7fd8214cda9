"""How logs of a stack are kept, and whose they are."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from ci_toolkit.stack.monitoring.loki import log_tag, loki_faults, loki_outputs, loki_secrets
from tests.support.stacks import STACK, deployed

if TYPE_CHECKING:
    from ci_toolkit.stack.deployment import Deployment

BUCKET = """
[loki]
storage = "s3"
retention_hours = 2000
tenants = ["ops", "others"]

[loki.s3]
endpoint = "http://s3.example.org:9000"
bucket = "logs"
"""
ON_MACHINE = 'run_by = "systemd"\n'


def written(deployment: Deployment) -> tuple[dict[str, Any], dict[str, Any]]:
    """What Loki and Promtail are told."""
    loki, promtail = loki_outputs(deployment)
    assert (loki.path, promtail.path) == ("loki/loki.yml", "promtail/promtail.yml")
    return yaml.safe_load(loki.content), yaml.safe_load(promtail.content)


def test_logs_are_thrown_away_when_they_are_as_old_as_is_said() -> None:
    loki, _ = written(deployed())
    assert loki["limits_config"]["retention_period"] == "720h"
    # Without these two Loki keeps everything, whatever the period.
    assert loki["compactor"]["retention_enabled"] is True
    assert loki["compactor"]["delete_request_store"] == "filesystem"


def test_every_request_is_for_a_tenant_and_logs_of_the_farm_are_the_first_ones() -> None:
    loki, promtail = written(deployed(STACK + BUCKET))
    assert loki["auth_enabled"] is True
    assert promtail["clients"] == [{"url": "http://loki:3100/loki/api/v1/push", "tenant_id": "ops"}]


def test_a_bucket_is_used_with_keys_that_stand_nowhere_here() -> None:
    deployment = deployed(STACK + BUCKET)
    loki, _ = written(deployment)
    assert loki["common"]["storage"] == {
        "s3": {
            "endpoint": "http://s3.example.org:9000",
            "bucketnames": "logs",
            "region": "us-east-1",
            "s3forcepathstyle": True,
            "insecure": True,
        }
    }
    assert loki["schema_config"]["configs"][0]["object_store"] == loki["compactor"]["delete_request_store"] == "s3"
    assert list(loki_secrets(deployment)) == ["s3-credentials"]
    assert list(loki_secrets(deployed())) == []


def test_nobody_else_on_a_machine_reaches_loki_and_promtail_from_outside() -> None:
    for configuration in written(deployed(ON_MACHINE + STACK)):
        assert configuration["server"]["http_listen_address"] == "127.0.0.1"
        assert configuration["server"]["grpc_listen_address"] == "127.0.0.1"


@pytest.mark.parametrize(("hours", "is_short"), [(719, True), (720, False), (87_600, False)])
def test_less_than_a_month_of_logs_is_said(hours: int, is_short: bool) -> None:
    faults = list(loki_faults(deployed(STACK + f"[loki]\nretention_hours = {hours}\n").stack))
    assert bool(faults) is is_short
    assert not is_short or faults[0].startswith(f"loki.retention_hours is {hours}, ")


def test_containers_of_this_stack_are_told_from_others_by_their_tag() -> None:
    deployment = deployed('name = "farm-one"\n' + STACK)
    _, promtail = written(deployment)
    (scraped,) = promtail["scrape_configs"]
    stages = {next(iter(stage)): next(iter(stage.values())) for stage in scraped["pipeline_stages"][:4]}
    expression = stages["regex"]["expression"]
    found = re.search(expression, log_tag(deployment.stack, "worker-one"))
    assert found is not None
    assert found["service"] == "worker-one"
    assert not re.search(expression, "farm-one-two/master")
    assert not re.search(expression, "another")
    assert stages["match"] == {"selector": '{job="ci-toolkit-farm", service=""}', "action": "drop"}


@pytest.mark.parametrize(
    ("unit", "labels"),
    [
        ("ci-toolkit-farm-master.service", {"service": "master"}),
        ("ci-toolkit-farm-worker@big-1.service", {"service": "worker-big-1", "worker": "big-1"}),
        ("nginx.service", {"service": "proxy"}),
        ("postgresql@15-main.service", {"service": "postgres"}),
        ("ci-toolkit-stack-database.service", {"service": "database"}),
        ("redis-server.service", None),
        ("ssh.service", None),
    ],
)
def test_units_of_the_farm_have_the_labels_that_containers_have(unit: str, labels: dict[str, str] | None) -> None:
    _, promtail = written(deployed(ON_MACHINE + STACK))
    keep, *rules = promtail["scrape_configs"][0]["relabel_configs"]
    found: dict[str, str] = {}
    for rule in rules:
        if match := re.fullmatch(rule["regex"], unit):
            found[rule["target_label"]] = rule["replacement"].replace("$1", match[1] if match.re.groups else "")
    is_kept = re.fullmatch(keep["regex"], unit) is not None
    assert (found if is_kept else None) == (None if labels is None else {"unit": unit, **labels})


@pytest.mark.parametrize("run_by", ["", ON_MACHINE], ids=["containers", "a machine"])
def test_promtail_is_not_handed_the_socket_of_docker(run_by: str) -> None:
    _, promtail = loki_outputs(deployed(run_by + STACK))
    assert b"docker.sock" not in promtail.content
    assert b"docker_sd" not in promtail.content
