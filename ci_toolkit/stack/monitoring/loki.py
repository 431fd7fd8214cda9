"""How Loki keeps logs, and how Promtail brings them there.

Source of the keys: Loki 3.5 and Promtail 3.5, their documented configuration.

In containers Promtail reads the files in which Docker keeps what containers write. To find containers by Docker's
socket it would have to be handed the socket, which is as good as root on the machine; and the journal can be read
by an image only whose systemd knows the format of the machine's. What is not of this stack is dropped: containers
of the stack are logged with the option `tag`, as `log_tag` has it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from ci_toolkit.stack.output import yaml_output
from ci_toolkit.stack.secret_names import S3_CREDENTIALS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ci_toolkit.stack.deployment import Deployment
    from ci_toolkit.stack.output import Output
    from ci_toolkit.stack.stack_file import S3, Stack

LEAST_RETENTION_HOURS = 720
LOKI_DATA = "/loki"
PROMTAIL_DATA = "/promtail"
LOKI_GRPC_PORT = 9095  # where it listens besides, by itself
CONTAINER_LOGS = "/var/lib/docker/containers"
# Any day before the first log does; it must never change, as what lies in the store is found by it.
_SCHEMA_FROM = "2024-01-01"
_LOOPBACK = "127.0.0.1"
_JOB = "ci-toolkit-farm"
_UNIT = "__journal__systemd_unit"
# Units of the distribution, by what their services are called in containers.
_OTHER_UNITS = {
    "nginx": "proxy",
    "postgresql@.+": "postgres",
    "prometheus": "prometheus",
    "prometheus-alertmanager": "alertmanager",
    "loki": "loki",
    "promtail": "promtail",
    "grafana-server": "grafana",
}
_REDIS_UNIT = {"redis-server": "redis"}
Stage = dict[str, Any]


def loki_outputs(deployment: Deployment) -> Iterator[Output]:
    """The configurations of Loki and Promtail."""
    yield yaml_output("loki/loki.yml", _loki(deployment))
    yield yaml_output("promtail/promtail.yml", _promtail(deployment))


def loki_faults(stack: Stack) -> Iterator[str]:
    """A sentence where logs would be thrown away sooner than they are usually needed."""
    hours = stack.loki.retention_hours
    if hours < LEAST_RETENTION_HOURS:
        least = f"{LEAST_RETENTION_HOURS} are the least"
        yield f"loki.retention_hours is {hours}, and all logs that are older are thrown away: {least}"


def loki_secrets(deployment: Deployment) -> Iterator[str]:
    """The names of secrets that a person has to provide for it."""
    if deployment.stack.loki.s3 is not None:
        yield S3_CREDENTIALS


def log_tag(stack: Stack, service: str) -> str:
    """What the containers of a service are to be logged under: the option `tag` of Docker's driver json-file."""
    return f"{stack.name}/{service}"


def _listening(stack: Stack, port: int) -> dict[str, Any]:
    """In containers nobody is reached but by the others; on a machine everybody would be."""
    here = {} if stack.is_composed else {"http_listen_address": _LOOPBACK, "grpc_listen_address": _LOOPBACK}
    return {**here, "http_listen_port": port}


def _loki(deployment: Deployment) -> dict[str, Any]:
    stack = deployment.stack
    folder = LOKI_DATA if stack.is_composed else "/var/lib/loki"
    store = "filesystem" if stack.loki.s3 is None else "s3"
    return {
        "auth_enabled": True,
        "server": _listening(stack, deployment.port("loki")),
        "common": {
            "instance_addr": _LOOPBACK,
            "path_prefix": folder,
            "replication_factor": 1,
            "ring": {"kvstore": {"store": "inmemory"}},
            "storage": {store: _files(folder) if stack.loki.s3 is None else _bucket(stack.loki.s3)},
        },
        "schema_config": {
            "configs": [
                {
                    "from": _SCHEMA_FROM,
                    "store": "tsdb",
                    "object_store": store,
                    "schema": "v13",
                    "index": {"prefix": "index_", "period": "24h"},
                }
            ]
        },
        "limits_config": {"retention_period": f"{stack.loki.retention_hours}h"},
        "compactor": {
            "working_directory": f"{folder}/compactor",
            "retention_enabled": True,
            "delete_request_store": store,
        },
        "analytics": {"reporting_enabled": False},
    }


def _files(folder: str) -> dict[str, Any]:
    return {"chunks_directory": f"{folder}/chunks", "rules_directory": f"{folder}/rules"}


def _bucket(s3: S3) -> dict[str, Any]:
    return {
        "endpoint": s3.endpoint,
        "bucketnames": s3.bucket,
        "region": s3.region,
        # Few servers but Amazon's have a name for each bucket.
        "s3forcepathstyle": True,
        "insecure": s3.endpoint.startswith("http:"),
    }


def _promtail(deployment: Deployment) -> dict[str, Any]:
    stack = deployment.stack
    folder = PROMTAIL_DATA if stack.is_composed else "/var/lib/promtail"
    return {
        "server": {**_listening(stack, deployment.port("promtail")), "grpc_listen_port": 0},
        "positions": {"filename": f"{folder}/positions.yaml"},
        "clients": [
            {"url": f"http://{deployment.address('loki')}/loki/api/v1/push", "tenant_id": stack.loki.tenants[0]}
        ],
        "scrape_configs": [_containers(stack) if stack.is_composed else _journal(deployment)],
    }


def _containers(stack: Stack) -> dict[str, Any]:
    path = f"{CONTAINER_LOGS}/*/*-json.log"
    return {
        "job_name": "containers",
        "static_configs": [{"targets": ["localhost"], "labels": {"job": _JOB, "__path__": path}}],
        "pipeline_stages": list(_stages(stack)),
    }


def _stages(stack: Stack) -> Iterator[Stage]:
    yield {"json": {"expressions": {"output": "log", "stream": "stream", "time": "time", "tag": "attrs.tag"}}}
    yield {"regex": {"source": "tag", "expression": f"^{re.escape(log_tag(stack, ''))}(?P<service>.+)$"}}
    yield {"labels": {"service": "service", "stream": "stream"}}
    yield {"match": {"selector": f'{{job="{_JOB}", service=""}}', "action": "drop"}}
    worker = [
        {"regex": {"source": "service", "expression": "^worker-(?P<worker>.+)$"}},
        {"labels": {"worker": "worker"}},
    ]
    yield {"match": {"selector": f'{{job="{_JOB}", service=~"worker-.+"}}', "stages": worker}}
    yield {"timestamp": {"source": "time", "format": "RFC3339Nano"}}
    yield {"output": {"source": "output"}}


def _journal(deployment: Deployment) -> dict[str, Any]:
    """Everything that units of the farm and around it write, under the same labels as in containers."""
    others = _OTHER_UNITS | (_REDIS_UNIT if deployment.needs_redis else {})

    def label(name: str, unit: str, value: str) -> dict[str, Any]:
        return {"source_labels": [_UNIT], "regex": unit, "target_label": name, "replacement": value}

    return {
        "job_name": "journal",
        "journal": {"max_age": "12h", "labels": {"job": _JOB}},
        "relabel_configs": [
            {
                "source_labels": [_UNIT],
                "regex": rf"(?:ci-toolkit-(?:farm|stack)-.+|{'|'.join(others)})\.service",
                "action": "keep",
            },
            label("unit", "(.+)", "$1"),
            label("service", r"ci-toolkit-farm-(.+)\.service", "$1"),
            label("service", r"ci-toolkit-farm-worker@(.+)\.service", "worker-$1"),
            label("worker", r"ci-toolkit-farm-worker@(.+)\.service", "$1"),
            label("service", r"ci-toolkit-stack-(.+)\.service", "$1"),
            *(label("service", rf"{unit}\.service", name) for unit, name in others.items()),
        ],
    }
