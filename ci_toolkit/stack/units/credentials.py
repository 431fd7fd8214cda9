"""Which unit reads which secret. Without containers all secrets are root's, with mode 0600, and stay so.

systemd hands each unit those of its own as credentials: files in `/run/credentials/UNIT/` that nobody else can read,
whoever the unit runs as. So no secret has to be given to a user, and no user of a distribution has to be known.
"""

from __future__ import annotations

from ci_toolkit.stack.secret_names import (
    DATABASE_PASSWORD,
    DATABASE_URL,
    FARM_TOKEN,
    GRAFANA_PASSWORD,
    REDIS_PASSWORD,
    S3_CREDENTIALS,
)

DATABASE_UNIT = "ci-toolkit-stack-database.service"
MASTER_UNIT = "ci-toolkit-farm-master.service"
_UNITS = {
    DATABASE_URL: MASTER_UNIT,
    DATABASE_PASSWORD: DATABASE_UNIT,
    REDIS_PASSWORD: "redis-server.service",
    FARM_TOKEN: "prometheus.service",
    GRAFANA_PASSWORD: "grafana-server.service",
    S3_CREDENTIALS: "loki.service",
}


def credential_path(name: str) -> str:
    """Where the unit that a secret is for finds it; what is none of the others is for alerts."""
    return f"/run/credentials/{_reader(name)}/{name}"


def credential(installed_at: str, name: str) -> str:
    """The line of a unit that hands it a secret."""
    return f"LoadCredential={name}:{installed_at}/secrets/{name}"


def _reader(name: str) -> str:
    if name.endswith(f"-{DATABASE_PASSWORD}"):
        return DATABASE_UNIT
    return _UNITS.get(name, "prometheus-alertmanager.service")
