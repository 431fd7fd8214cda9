"""What the secrets of a stack are called: the names of files below `secrets/`."""

from __future__ import annotations

DATABASE_PASSWORD = "database-password"  # noqa: S105 - these are names
DATABASE_URL = "database-url"
FARM_TOKEN = "farm-token"  # noqa: S105
GRAFANA_PASSWORD = "grafana-password"  # noqa: S105
REDIS_PASSWORD = "redis-password"  # noqa: S105
S3_CREDENTIALS = "s3-credentials"
"""The keys of a bucket, in the format of AWS's own shared credentials file.

Loki has no setting that names a file with a key, but its client reads what AWS_SHARED_CREDENTIALS_FILE names.
"""


SMTP_PASSWORD = "smtp-password"  # noqa: S105
TELEGRAM_TOKEN = "telegram-token"  # noqa: S105
WEBHOOK_TOKEN = "webhook-token"  # noqa: S105

STACK_SECRETS = frozenset(
    (
        *(DATABASE_PASSWORD, DATABASE_URL, FARM_TOKEN, GRAFANA_PASSWORD, REDIS_PASSWORD, S3_CREDENTIALS),
        *(SMTP_PASSWORD, TELEGRAM_TOKEN, WEBHOOK_TOKEN),
    )
)


def plugin_secret(plugin: str, name: str) -> str:
    """A plugin's own secret of that kind, as `search-database-password`."""
    return f"{plugin}-{name}"
