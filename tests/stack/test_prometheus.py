"""What Prometheus of a stack asks, and which rules it follows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import yaml

from ci_toolkit.stack.monitoring.prometheus import prometheus_outputs, prometheus_secrets
from ci_toolkit.stack_fragments.spec import Alert, Fragment, Scrape, Service
from tests.support.stacks import STACK, deployed

if TYPE_CHECKING:
    from ci_toolkit.stack.deployment import Deployment

NO_ALERTS = Fragment(services=(Service(name="quiet", image="quiet:1", port=80),))
MIRROR = Fragment(
    services=(
        Service(name="mirror", image="mirror:1", port=8080),
        Service(name="mirror-sync", image="mirror:1", port=8081, beside="mirror"),
    ),
    scrapes=(Scrape(service="mirror"), Scrape(service="mirror-sync", path="/sync: {metrics}")),
    alerts=(Alert(name="MirrorOld", expr='mirror_age{x="#"} > 1', severity="info", summary="a: b # {{ $value }}"),),
)


def files(deployment: Deployment) -> dict[str, Any]:
    """What is in each file, by its path."""
    return {output.path: yaml.safe_load(output.content) for output in prometheus_outputs(deployment)}


def jobs(deployment: Deployment) -> dict[str, dict[str, Any]]:
    """What is asked, by the job's name."""
    listed = files(deployment)["prometheus/prometheus.yml"]["scrape_configs"]
    return {job["job_name"]: job for job in listed}


def test_everything_that_has_metrics_is_asked_in_containers_by_its_name() -> None:
    found = jobs(deployed())
    assert [job["static_configs"][0]["targets"] for job in found.values()] == [
        ["master:9180"],
        ["big.example.org:9990"],
        ["prometheus:9090"],
        ["alertmanager:9093"],
        ["loki:3100"],
        ["promtail:9080"],
        ["grafana:3000"],
    ]
    assert found["ci-toolkit-workers"]["static_configs"] == [
        {"targets": ["big.example.org:9990"], "labels": {"worker": "big", "__scheme__": "https"}},
        {"targets": ["worker-one:9990"], "labels": {"worker": "one", "__scheme__": "http"}},
    ]


def test_on_a_machine_without_containers_everything_is_on_loopback() -> None:
    found = jobs(deployed('run_by = "systemd"\n' + STACK))
    assert found["ci-toolkit-farm"]["static_configs"] == [{"targets": ["127.0.0.1:8010"]}]
    targets = {target for job in found.values() for part in job["static_configs"] for target in part["targets"]}
    assert {target for target in targets if not target.startswith("127.0.0.1:")} == {"big.example.org:9990"}


def test_a_farm_without_known_workers_has_no_job_for_them() -> None:
    assert "ci-toolkit-workers" not in jobs(deployed(""))


def test_the_token_is_a_file_that_goes_to_the_farm_alone() -> None:
    deployment = deployed(STACK + "[prometheus]\ntoken = true\n")
    with_token = {name: job["authorization"] for name, job in jobs(deployment).items() if "authorization" in job}
    assert with_token == {"ci-toolkit-farm": {"credentials_file": "/run/secrets/farm-token"}}
    assert list(prometheus_secrets(deployment)) == ["farm-token"]
    assert list(prometheus_secrets(deployed())) == []


@pytest.mark.parametrize(
    ("run_by", "named", "found"),
    [
        ("compose", "ca.pem", "/etc/ssl/farm-workers-ca.pem"),
        ("systemd", "ca.pem", "/etc/ci-toolkit/stack/ca.pem"),
        ("systemd", "/etc/farm/ca.pem", "/etc/farm/ca.pem"),
    ],
)
def test_workers_elsewhere_are_known_by_their_authority(run_by: str, named: str, found: str) -> None:
    stack = f'run_by = "{run_by}"\n{STACK}[prometheus]\nworkers_ca = "{named}"\n'
    assert jobs(deployed(stack))["ci-toolkit-workers"]["tls_config"] == {"ca_file": found}


@pytest.mark.parametrize(("seconds", "judged"), [(15, "15s"), (120, "60s")])
def test_rules_are_worked_out_as_often_as_there_is_something_new_and_every_minute_at_least(
    seconds: int, judged: str
) -> None:
    deployment = deployed(STACK + f"[prometheus]\nscrape_seconds = {seconds}\n")
    written = files(deployment)["prometheus/prometheus.yml"]["global"]
    assert (written["scrape_interval"], written["evaluation_interval"]) == (f"{seconds}s", judged)


def test_a_plugin_is_asked_at_its_paths_and_held_to_a_measure() -> None:
    job = jobs(deployed(mirror=MIRROR))["plugin-mirror"]
    assert job["static_configs"] == [
        {
            "targets": ["mirror:8080"],
            "labels": {"plugin": "mirror", "service": "mirror", "__metrics_path__": "/metrics"},
        },
        {
            "targets": ["mirror:8081"],
            "labels": {"plugin": "mirror", "service": "mirror-sync", "__metrics_path__": "/sync: {metrics}"},
        },
    ]
    assert job["sample_limit"] > 0


def test_alerts_of_a_plugin_are_a_file_and_carry_its_name() -> None:
    found = files(deployed(mirror=MIRROR, quiet=NO_ALERTS))
    assert found["prometheus/prometheus.yml"]["rule_files"] == ["rules/farm.yml", "rules/plugin-mirror.yml"]
    assert set(found) == {
        "prometheus/prometheus.yml",
        "prometheus/rules/farm.yml",
        "prometheus/rules/plugin-mirror.yml",
    }
    assert found["prometheus/rules/plugin-mirror.yml"]["groups"][0]["rules"] == [
        {
            "alert": "MirrorOld",
            "expr": 'mirror_age{x="#"} > 1',
            "labels": {"severity": "info", "plugin": "mirror"},
            "annotations": {"summary": "a: b # {{ $value }}"},
        }
    ]


def test_nothing_of_plugins_is_there_without_any() -> None:
    deployment = deployed(quiet=NO_ALERTS)
    assert not [name for name in (*files(deployment), *jobs(deployment)) if "plugin" in name]
