"""What the units of a distribution are told, so that they use the rendered configuration and listen on loopback alone.

The names, users and folders are those of Debian's packages, and of Grafana's own for Loki, Promtail and Grafana.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ci_toolkit.stack.dashboards.grafana import grafana_variables
from ci_toolkit.stack.limits import limit_of
from ci_toolkit.stack.monitoring.alertmanager import alert_secrets
from ci_toolkit.stack.monitoring.loki import loki_secrets
from ci_toolkit.stack.monitoring.prometheus import prometheus_secrets
from ci_toolkit.stack.output import Output, text_output
from ci_toolkit.stack.secret_names import GRAFANA_PASSWORD, REDIS_PASSWORD, S3_CREDENTIALS
from ci_toolkit.stack.units.credentials import credential
from ci_toolkit.stack.units.unit_text import command, environment, limits, lines

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ci_toolkit.stack.deployment import Deployment


def dropins(deployment: Deployment) -> Iterator[Output]:
    """A file for each unit, to be put below `/etc/systemd/system`."""
    for unit, (part, content, secrets) in _dropins(deployment).items():
        text = lines(
            "[Unit]\nPartOf=ci-toolkit-stack.target\nStartLimitIntervalSec=0\n\n[Service]",
            content,
            (credential(deployment.stack.installed_at, name) for name in secrets),
            "Restart=always\nRestartSec=5",
            limits(limit_of(deployment.stack, part)),
        )
        yield text_output(f"systemd/{unit}.d/ci-toolkit-stack.conf", text)


def distribution_units(deployment: Deployment) -> tuple[str, ...]:
    """The units that come with packages of a distribution and are part of the stack."""
    return ("postgresql.service", *_dropins(deployment))


def _dropins(deployment: Deployment) -> dict[str, tuple[str, str, Iterable[str]]]:
    """By unit: what its limits are called, what it does, and the secrets that it reads."""
    found: dict[str, tuple[str, str, Iterable[str]]] = {
        "nginx.service": ("proxy", _nginx(deployment), ()),
        "prometheus.service": ("prometheus", _prometheus(deployment), prometheus_secrets(deployment)),
        "prometheus-alertmanager.service": ("alertmanager", _alertmanager(deployment), alert_secrets(deployment)),
        "loki.service": ("loki", _loki(deployment), loki_secrets(deployment)),
        "promtail.service": ("promtail", _promtail(deployment), ()),
        "grafana-server.service": ("grafana", _grafana(deployment), (GRAFANA_PASSWORD,)),
    }
    if deployment.needs_redis:
        found["redis-server.service"] = ("redis", _redis(deployment), (REDIS_PASSWORD,))
    return found


def _nginx(deployment: Deployment) -> str:
    file = f"{deployment.stack.installed_at}/nginx/nginx.conf"
    return f"""\
# In the foreground, so that what it complains of is in the journal.
Type=exec
PIDFile=
ExecStartPre=
ExecStartPre=/usr/sbin/nginx -t -q -c {file}
ExecStart=
ExecStart=/usr/sbin/nginx -c {file} -g "daemon off;"
ExecReload=
ExecReload=/usr/sbin/nginx -t -q -c {file}
ExecReload=/bin/kill -HUP $MAINPID
# What is being answered is answered; who follows a log would keep it for an hour.
ExecStop=
KillSignal=SIGQUIT
TimeoutStopSec=15"""


def _prometheus(deployment: Deployment) -> str:
    stack = deployment.stack
    return "ExecStart=\n" + command(
        "ExecStart",
        "/usr/bin/prometheus",
        f"--config.file={stack.installed_at}/prometheus/prometheus.yml",
        "--storage.tsdb.path=/var/lib/prometheus/metrics2",
        f"--storage.tsdb.retention.time={stack.prometheus.retention_days}d",
        f"--web.listen-address={deployment.address('prometheus')}",
    )


def _alertmanager(deployment: Deployment) -> str:
    return "ExecStart=\n" + command(
        "ExecStart",
        "/usr/bin/prometheus-alertmanager",
        f"--config.file={deployment.stack.installed_at}/alertmanager/alertmanager.yml",
        "--storage.path=/var/lib/prometheus/alertmanager",
        f"--web.listen-address={deployment.address('alertmanager')}",
        # It is alone: no port for others of its kind.
        "--cluster.listen-address=",
    )


def _loki(deployment: Deployment) -> str:
    file = f"{deployment.stack.installed_at}/loki/loki.yml"
    keys = (
        f"Environment=AWS_SHARED_CREDENTIALS_FILE=%d/{S3_CREDENTIALS}" if deployment.stack.loki.s3 is not None else ""
    )
    return lines(
        "StateDirectory=loki", keys, "ExecStart=", command("ExecStart", "/usr/bin/loki", f"-config.file={file}")
    )


def _promtail(deployment: Deployment) -> str:
    file = f"{deployment.stack.installed_at}/promtail/promtail.yml"
    return lines(
        "StateDirectory=promtail",
        "# The journal is for this group to read.",
        "SupplementaryGroups=systemd-journal",
        "ExecStart=",
        command("ExecStart", "/usr/bin/promtail", f"-config.file={file}"),
    )


def _grafana(deployment: Deployment) -> str:
    variables = {
        "GF_SERVER_HTTP_ADDR": "127.0.0.1",
        "GF_SERVER_HTTP_PORT": deployment.address("grafana").rpartition(":")[2],
        "GF_PATHS_PROVISIONING": f"{deployment.stack.installed_at}/grafana/provisioning",
        **grafana_variables(deployment),
    }
    password = f"Environment=GF_SECURITY_ADMIN_PASSWORD__FILE=%d/{GRAFANA_PASSWORD}"
    return lines(environment(variables.items()), password)


def _redis(deployment: Deployment) -> str:
    return f"""\
# The password is no word of a command, and Redis reads none from a file of its own.
ExecStartPre=/bin/sh -ec 'umask 077; {{ echo include /etc/redis/redis.conf; echo bind 127.0.0.1; \\
    echo port {deployment.port("redis")}; echo appendonly yes; \\
    echo requirepass "$$(cat "$$CREDENTIALS_DIRECTORY/{REDIS_PASSWORD}")"; }} >/run/redis/ci-toolkit-stack.conf'
ExecStart=
ExecStart=/usr/bin/redis-server /run/redis/ci-toolkit-stack.conf --supervised systemd --daemonize no"""
