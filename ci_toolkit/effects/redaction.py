"""Secrets never leave: one redactor that all output passes."""

from __future__ import annotations

import base64
import logging
import re
from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Mapping

SECRET_VARIABLES = (
    "ACCESS_TOKEN",
    "AUR_KEY",
    "CI_BUILD_TOKEN",
    "CI_DEPLOY_PASSWORD",
    "CI_FARM_TOKEN",
    "CI_JOB_TOKEN",
    "CI_NIX_CACHE_TOKEN",
    "CI_NIX_GIT_KEY",
    "CI_NIX_GIT_TOKEN",
    "CI_NIX_SIGNING_KEY",
    "CI_NOTIFY_MATRIX_TOKEN",
    "CI_NOTIFY_SMTP_PASSWORD",
    "CI_NOTIFY_TELEGRAM_TOKEN",
    "CI_NOTIFY_WEBHOOK_SECRET",
    "CI_NOTIFY_WEBHOOK_URL",
    "CI_OCI_FALLBACK_PASSWORD",
    "CI_OCI_PASSWORD",
    "CI_REGISTRY_PASSWORD",
    "CI_SIGNING_KEY",
    "CI_SIGNING_PASSPHRASE",
    "FORGEJO_TOKEN",
    "GH_TOKEN",
    "GITEA_TOKEN",
    "GITHUB_TOKEN",
    "GITLAB_TOKEN",
)
MASK = "[hidden]"
_SHORTEST_SECRET = 6
_USERINFO = re.compile(r"(?<=://)[^/@\s'\"]+@")
_HEADER = re.compile(r"(?i)(authorization: *(?:basic|bearer|token) +)\S+")


class Redactor:
    """Replaces known secrets, their base64 and URL-encoded forms, and the user part of any URL."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        """Secrets are the values of `SECRET_VARIABLES` in `environ`."""
        forms: set[str] = set()
        for name in SECRET_VARIABLES:
            for line in environ.get(name, "").splitlines():
                forms |= _forms(line.strip())
        self._secrets = sorted(forms, key=len, reverse=True)

    def clean(self, text: str) -> str:
        """`text` without secrets."""
        for secret in self._secrets:
            text = text.replace(secret, MASK)
        return _HEADER.sub(rf"\g<1>{MASK}", _USERINFO.sub(f"{MASK}@", text))


class RedactingFormatter(logging.Formatter):
    """Formats log records and takes the secrets out, tracebacks included."""

    def __init__(self, redactor: Redactor, template: str = "%(message)s") -> None:
        super().__init__(template)
        self._redactor = redactor

    def format(self, record: logging.LogRecord) -> str:
        """The finished line or lines."""
        return self._redactor.clean(super().format(record))


def _forms(secret: str) -> set[str]:
    if len(secret) < _SHORTEST_SECRET:
        return set()
    encoded = {base64.b64encode(secret.encode()).decode().rstrip("=")}
    for user in ("oauth2", "x-access-token", "gitlab-ci-token"):
        encoded.add(base64.b64encode(f"{user}:{secret}".encode()).decode().rstrip("="))
    return {secret, quote(secret, safe="")} | encoded
