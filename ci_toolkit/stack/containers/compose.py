"""`docker-compose.yml`: the farm and everything around it in containers.

A service carries a digest of its configuration, so that `docker compose up` begins anew what was configured anew.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from ci_toolkit.formats.service_url import is_loopback
from ci_toolkit.stack.containers.compose_service import (
    NETWORK_HOLDER,
    after,
    composed,
    healthcheck,
    literal,
    mounted,
    network_of,
    placed,
    reading,
)
from ci_toolkit.stack.containers.images import image_of
from ci_toolkit.stack.dashboards.grafana import dashboards_at, grafana_variables
from ci_toolkit.stack.deployment import INSIDE_PORT, PORTS, WORKER_PORT
from ci_toolkit.stack.monitoring.alertmanager import alert_secrets
from ci_toolkit.stack.monitoring.loki import CONTAINER_LOGS, LOKI_DATA, PROMTAIL_DATA, loki_secrets
from ci_toolkit.stack.monitoring.prometheus import WORKERS_CA, prometheus_secrets
from ci_toolkit.stack.output import yaml_output
from ci_toolkit.stack.secret_files import core_secrets
from ci_toolkit.stack.secret_names import (
    DATABASE_PASSWORD,
    DATABASE_URL,
    GRAFANA_PASSWORD,
    REDIS_PASSWORD,
    S3_CREDENTIALS,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ci_toolkit.stack.deployment import Deployment
    from ci_toolkit.stack.output import Output

_FOLDERS = {
    "proxy": "nginx/",
    "prometheus": "prometheus/",
    "alertmanager": "alertmanager/",
    "loki": "loki/",
    "promtail": "promtail/",
    "grafana": "grafana/provisioning/",
}
_READY = 'import urllib.request; urllib.request.urlopen("http://127.0.0.1:{port}/{page}", timeout=5)'
_REDIS = (
    f'{{ echo "dir /data"; echo "appendonly yes"; echo "requirepass $(cat /run/secrets/{REDIS_PASSWORD})"; }}'
    " | redis-server -"
)
_REDIS_PING = f'REDISCLI_AUTH="$(cat /run/secrets/{REDIS_PASSWORD})" redis-cli ping | grep -q PONG'
_PROMTAIL_READY = (
    "exec 3<>/dev/tcp/127.0.0.1/9080 && printf 'GET /ready HTTP/1.0\\r\\n\\r\\n' >&3 && grep -q '200 OK' <&3"
)


def compose_output(deployment: Deployment, configured: Sequence[Output]) -> Output:
    """The file, which is made after all that its services read."""
    services = {
        NETWORK_HOLDER: _network(deployment),
        "master": _master(deployment),
        "proxy": _proxy(deployment),
        **{f"worker-{name}": _worker(deployment, name) for name in deployment.local_workers()},
        "postgres": _postgres(deployment),
        **({"redis": _redis(deployment)} if deployment.needs_redis else {}),
        "prometheus": _prometheus(deployment),
        "alertmanager": _alertmanager(deployment),
        "loki": _loki(deployment),
        "promtail": _promtail(deployment),
        "grafana": _grafana(deployment),
    }
    for name, folder in _FOLDERS.items():
        services[name]["labels"] = {"ci-toolkit.configuration": _digest(configured, folder)}
    return yaml_output(
        "docker-compose.yml",
        {
            "name": deployment.stack.name,
            "services": services,
            "secrets": {
                secret.name: {"file": f"./secrets/{secret.name}"}
                for secret in core_secrets(deployment)
                if secret.name != DATABASE_URL  # which the master looks for in its own folder
            },
            "volumes": {name: {} for name in _volumes(deployment)},
        },
    )


def _digest(outputs: Sequence[Output], folder: str) -> str:
    total = hashlib.sha256()
    for output in sorted(outputs, key=lambda output: output.path):
        if output.path.startswith(folder):
            total.update(output.path.encode() + b"\0" + output.content)
    return total.hexdigest()[:16]


def _volumes(deployment: Deployment) -> Iterator[str]:
    yield "postgres"
    if deployment.needs_redis:
        yield "redis"
    yield from ("prometheus", "alertmanager", "loki", "promtail", "grafana")


def _network(deployment: Deployment) -> dict[str, Any]:
    """What master and proxy share: whichever of them is begun anew finds the other where it was, on loopback."""
    return composed(
        deployment.stack,
        NETWORK_HOLDER,
        image_of(deployment.stack, "nginx"),
        command=["sleep", "infinity"],
        networks={"default": {"aliases": ["master"]}},
        ports=[*(f"{port}:{port}" for port in _own_ports(deployment)), "80:80", "443:443"],
        healthcheck=healthcheck("true"),
    )


def _own_ports(deployment: Deployment) -> Iterator[int]:
    """Where others come to the master itself, and not to the proxy."""
    yield deployment.workers_port
    grpc = deployment.farm.grpc
    if grpc is not None and not is_loopback(grpc.host):
        yield grpc.port


def _master(deployment: Deployment) -> dict[str, Any]:
    stack = deployment.stack
    build = stack.build and {"context": placed(stack.build), "dockerfile": "docs/farm/Containerfile"}
    return composed(
        stack,
        "master",
        stack.image,
        build=build,
        command=["farm", "master", "run", "/farm"],
        user=f"{stack.user}:{stack.user}",
        # What is built is queued again, and what is being published is published.
        stop_grace_period="90s",
        environment=deployment.internal_urls(),
        # CI_SIGNING_PASSPHRASE, and the tokens of notifiers.
        env_file=[{"path": "./secrets/master.env", "required": False}],
        volumes=[
            f"{placed(stack.farm)}:/farm",
            f"{placed(stack.repositories)}:/srv/repositories",
            f"./secrets/{DATABASE_URL}:/farm/secrets/{DATABASE_URL}:ro",
        ],
        network_mode=network_of("master"),
        depends_on=after(["postgres"]),
        healthcheck=healthcheck("python", "-c", _READY.format(port=deployment.farm_port, page="readyz"), start_s=60),
    )


def _proxy(deployment: Deployment) -> dict[str, Any]:
    stack = deployment.stack
    return composed(
        stack,
        "proxy",
        image_of(stack, "nginx"),
        network_mode=network_of("proxy"),
        # It begins as root, to bind its ports and to read its key, and its workers are somebody else.
        cap_add=["CHOWN", "SETGID", "SETUID", "NET_BIND_SERVICE"],
        volumes=mounted(
            ("./nginx/nginx.conf", "/etc/nginx/nginx.conf"),
            ("./nginx/sites", "/etc/nginx/sites"),
            (placed(stack.tls), "/etc/nginx/tls"),
            (placed(stack.repositories), "/srv/repositories"),
        ),
        healthcheck=healthcheck("curl", "-sf", "-o", "/dev/null", f"http://127.0.0.1:{INSIDE_PORT}/healthz"),
    )


def _worker(deployment: Deployment, name: str) -> dict[str, Any]:
    stack = deployment.stack
    folder = placed(str(stack.workers[name].folder))
    return composed(
        stack,
        f"worker-{name}",
        stack.image,
        command=["farm", "worker", "run", "/farm"],
        user=f"{stack.user}:{stack.user}",
        # It finishes what it builds, and takes nothing more.
        stop_signal="SIGHUP",
        stop_grace_period="75m",
        # Builds are confined by bubblewrap, without any rights of root. Docker's own profiles do not let it work: they
        # refuse namespaces, and a /proc of its own.
        security_opt=[
            "no-new-privileges:true",
            "seccomp=unconfined",
            "apparmor=unconfined",
            "systempaths=unconfined",
        ],
        pids_limit=16384,
        environment=deployment.internal_urls(),
        # What holds for this machine: CI_BUILD_ROOT, CI_BUILD_MEMORY, CI_BUILD_DISK and so on.
        env_file=[{"path": f"{folder}.env", "required": False}],
        volumes=[f"{folder}:/farm"],
        depends_on=after(["master"]),
        healthcheck=healthcheck("python", "-c", _READY.format(port=WORKER_PORT, page="healthz"), start_s=60),
    )


def _postgres(deployment: Deployment) -> dict[str, Any]:
    return composed(
        deployment.stack,
        "postgres",
        image_of(deployment.stack, "postgres"),
        # It begins as root, takes hold of its folder, and goes on as postgres.
        cap_add=["CHOWN", "DAC_READ_SEARCH", "FOWNER", "SETGID", "SETUID"],
        shm_size="128m",
        environment={
            "POSTGRES_USER": "farm",
            "POSTGRES_DB": "farm",
            "POSTGRES_PASSWORD_FILE": f"/run/secrets/{DATABASE_PASSWORD}",
        },
        secrets=[DATABASE_PASSWORD],
        volumes=["postgres:/var/lib/postgresql/data"],
        stop_grace_period="60s",
        healthcheck=healthcheck("pg_isready", "--username=farm", "--dbname=farm"),
    )


def _redis(deployment: Deployment) -> dict[str, Any]:
    return composed(
        deployment.stack,
        "redis",
        image_of(deployment.stack, "redis"),
        user="999:1000",
        # By its standard input: the password is no word of a command.
        command=["sh", "-c", literal(_REDIS)],
        secrets=[REDIS_PASSWORD],
        volumes=["redis:/data"],
        healthcheck=healthcheck("sh", "-c", _REDIS_PING),
    )


def _prometheus(deployment: Deployment) -> dict[str, Any]:
    stack, port = deployment.stack, PORTS["prometheus"]
    return composed(
        stack,
        "prometheus",
        image_of(stack, "prometheus"),
        command=[
            "--config.file=/etc/prometheus/prometheus.yml",
            "--storage.tsdb.path=/prometheus",
            f"--storage.tsdb.retention.time={stack.prometheus.retention_days}d",
        ],
        secrets=list(prometheus_secrets(deployment)),
        volumes=[
            *mounted(("./prometheus", "/etc/prometheus")),
            *(mounted((placed(stack.prometheus.workers_ca), WORKERS_CA)) if stack.prometheus.workers_ca else []),
            "prometheus:/prometheus",
        ],
        healthcheck=reading(f"http://127.0.0.1:{port}/-/healthy"),
    )


def _alertmanager(deployment: Deployment) -> dict[str, Any]:
    stack, port = deployment.stack, PORTS["alertmanager"]
    return composed(
        stack,
        "alertmanager",
        image_of(stack, "alertmanager"),
        command=[
            "--config.file=/etc/alertmanager/alertmanager.yml",
            "--storage.path=/alertmanager",
            "--cluster.listen-address=",
        ],
        secrets=list(alert_secrets(deployment)),
        volumes=[*mounted(("./alertmanager", "/etc/alertmanager")), "alertmanager:/alertmanager"],
        healthcheck=reading(f"http://127.0.0.1:{port}/-/healthy"),
    )


def _loki(deployment: Deployment) -> dict[str, Any]:
    stack, port = deployment.stack, PORTS["loki"]
    return composed(
        stack,
        "loki",
        image_of(stack, "loki"),
        command=["-config.file=/etc/loki/loki.yml"],
        environment={"AWS_SHARED_CREDENTIALS_FILE": f"/run/secrets/{S3_CREDENTIALS}"} if stack.loki.s3 else {},
        secrets=list(loki_secrets(deployment)),
        volumes=[*mounted(("./loki", "/etc/loki")), f"loki:{LOKI_DATA}"],
        healthcheck=healthcheck("/busybox/wget", "-q", "-O", "/dev/null", f"http://127.0.0.1:{port}/ready"),
    )


def _promtail(deployment: Deployment) -> dict[str, Any]:
    return composed(
        deployment.stack,
        "promtail",
        image_of(deployment.stack, "promtail"),
        command=["-config.file=/etc/promtail/promtail.yml"],
        # The files of Docker are root's.
        cap_add=["DAC_READ_SEARCH"],
        volumes=[
            *mounted(("./promtail", "/etc/promtail"), (CONTAINER_LOGS, CONTAINER_LOGS)),
            f"promtail:{PROMTAIL_DATA}",
        ],
        depends_on=after(["loki"]),
        healthcheck=healthcheck("bash", "-c", _PROMTAIL_READY),
    )


def _grafana(deployment: Deployment) -> dict[str, Any]:
    stack, port = deployment.stack, PORTS["grafana"]
    return composed(
        stack,
        "grafana",
        image_of(stack, "grafana"),
        environment={
            **grafana_variables(deployment),
            "GF_SECURITY_ADMIN_PASSWORD__FILE": f"/run/secrets/{GRAFANA_PASSWORD}",
        },
        secrets=[GRAFANA_PASSWORD],
        volumes=[
            *mounted(
                ("./grafana/provisioning", "/etc/grafana/provisioning"),
                ("./grafana/dashboards", dashboards_at(stack)),
            ),
            "grafana:/var/lib/grafana",
        ],
        depends_on=after(["prometheus", "loki"]),
        healthcheck=reading(f"http://127.0.0.1:{port}/api/health"),
    )
