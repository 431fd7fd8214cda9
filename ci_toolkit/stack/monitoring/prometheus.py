"""What Prometheus asks, which rules it follows, and whom it tells of alerts.

Source of the keys: Prometheus 2.42, documentation of its configuration. Newer versions read the same.
"""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from ci_toolkit.stack.monitoring.rules import rule_files
from ci_toolkit.stack.output import yaml_output
from ci_toolkit.stack.secret_names import FARM_TOKEN

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ci_toolkit.stack.deployment import Bundle, Deployment
    from ci_toolkit.stack.output import Output

FARM_JOB, WORKERS_JOB = "ci-toolkit-farm", "ci-toolkit-workers"
WORKERS_CA = "/etc/ssl/farm-workers-ca.pem"  # in a container
_PARTS = ("prometheus", "alertmanager", "loki", "promtail", "grafana")
# What a plugin counts is its own affair, as long as it does not fill the disk of everybody's metrics.
_PLUGIN_SAMPLES, _PLUGIN_BODY = 50_000, "32MB"
_RARELY_S = 60
Job = dict[str, Any]


def prometheus_outputs(deployment: Deployment) -> Iterator[Output]:
    """Its configuration, and a file of rules for ours and for each plugin that has any."""
    files, seconds = tuple(rule_files(deployment)), deployment.stack.prometheus.scrape_seconds
    configuration = {
        "global": {
            "scrape_interval": f"{seconds}s",
            "evaluation_interval": f"{min(seconds, _RARELY_S)}s",
            "external_labels": {"farm": deployment.host},
        },
        "rule_files": [file.path for file in files],
        "alerting": {"alertmanagers": [{"static_configs": [{"targets": [deployment.address("alertmanager")]}]}]},
        "scrape_configs": list(_jobs(deployment)),
    }
    yield yaml_output("prometheus/prometheus.yml", configuration)
    for file in files:
        yield yaml_output(f"prometheus/{file.path}", file.groups())


def prometheus_secrets(deployment: Deployment) -> Iterator[str]:
    """The names of secrets that a person has to provide for it."""
    if deployment.stack.prometheus.sends_token:
        yield FARM_TOKEN


def _jobs(deployment: Deployment) -> Iterator[Job]:
    yield _farm(deployment)
    workers = [
        {"targets": [target.address], "labels": {"worker": target.name, "__scheme__": target.scheme}}
        for target in deployment.worker_targets()
    ]
    if workers:
        yield {"job_name": WORKERS_JOB, **_trust(deployment), "static_configs": workers}
    for part in _PARTS:
        yield {"job_name": part, "static_configs": [{"targets": [deployment.address(part)]}]}
    for bundle in deployment.bundles:
        if bundle.fragment.scrapes:
            yield _plugin(deployment, bundle)


def _trust(deployment: Deployment) -> Job:
    stack = deployment.stack
    if stack.prometheus.workers_ca is None:
        return {}
    here = str(PurePosixPath(stack.installed_at, stack.prometheus.workers_ca))
    return {"tls_config": {"ca_file": WORKERS_CA if stack.is_composed else here}}


def _farm(deployment: Deployment) -> Job:
    path = deployment.secret_path(FARM_TOKEN)
    token = {"authorization": {"credentials_file": path}} if deployment.stack.prometheus.sends_token else {}
    return {"job_name": FARM_JOB, **token, "static_configs": [{"targets": [deployment.metrics_address]}]}


def _plugin(deployment: Deployment, bundle: Bundle) -> Job:
    services = {service.name: service for service in bundle.fragment.services}
    targets = [
        {
            "targets": [deployment.service_address(services[scrape.service])],
            "labels": {"plugin": bundle.name, "service": scrape.service, "__metrics_path__": scrape.path},
        }
        for scrape in bundle.fragment.scrapes
    ]
    return {
        "job_name": f"plugin-{bundle.name}",
        "sample_limit": _PLUGIN_SAMPLES,
        "body_size_limit": _PLUGIN_BODY,
        "static_configs": targets,
    }
