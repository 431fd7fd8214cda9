"""Who is told of which alerts, and which alerts say nothing new beside another.

Source of the keys: Alertmanager 0.28, documentation of its configuration.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ci_toolkit.stack.alerts.farm_alerts import FOLLOWING_FARM_DOWN
from ci_toolkit.stack.output import yaml_output
from ci_toolkit.stack.secret_names import SMTP_PASSWORD, TELEGRAM_TOKEN, WEBHOOK_TOKEN

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ci_toolkit.stack.deployment import Deployment
    from ci_toolkit.stack.output import Output
    from ci_toolkit.stack.stack_file import Email, Targets, Webhook

FARM_RECEIVER = "farm"
_HERE = ("localhost", "127.0.0.1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Receiver:
    """Somebody who is told; `secrets` is what the names of their secrets begin with, `plugin` whose alerts alone."""

    name: str
    targets: Targets
    secrets: str = ""
    plugin: str | None = None

    @property
    def smtp_password(self) -> str:
        """The name of a secret."""
        return f"{self.secrets}{SMTP_PASSWORD}"

    @property
    def telegram_token(self) -> str:
        """The name of a secret."""
        return f"{self.secrets}{TELEGRAM_TOKEN}"

    @property
    def webhook_token(self) -> str:
        """The name of a secret."""
        return f"{self.secrets}{WEBHOOK_TOKEN}"


def alertmanager_outputs(deployment: Deployment) -> Iterator[Output]:
    """Its configuration."""
    listed = tuple(receivers(deployment))
    configuration = {
        "global": {"resolve_timeout": "5m"},
        "route": {
            "receiver": FARM_RECEIVER,
            "group_by": ["alertname", "repository", "plugin"],
            "group_wait": "30s",
            "group_interval": "5m",
            "repeat_interval": "12h",
            "routes": [
                {"receiver": receiver.name, "matchers": [_equals("plugin", receiver.plugin)]}
                for receiver in listed
                if receiver.plugin is not None
            ],
        },
        "receivers": [_receiver(deployment, receiver) for receiver in listed],
        "inhibit_rules": list(_inhibitions()),
    }
    yield yaml_output("alertmanager/alertmanager.yml", configuration)


def receivers(deployment: Deployment) -> Iterator[Receiver]:
    """The farm's, then that of each plugin that has alerts: who its own table names, or else the same as the farm's."""
    stack = deployment.stack
    yield Receiver(name=FARM_RECEIVER, targets=stack.alerts)
    for bundle in deployment.bundles:
        if bundle.fragment.alerts:
            own = stack.plugin_targets.get(bundle.name)
            yield Receiver(
                name=f"plugin-{bundle.name}",
                targets=stack.alerts if own is None else own,
                secrets="" if own is None else f"{bundle.name}-",
                plugin=bundle.name,
            )


def alert_secrets(deployment: Deployment) -> Iterator[str]:
    """The names of secrets that a person has to provide for it, each once."""
    seen: set[str] = set()
    for receiver in receivers(deployment):
        for name in _secrets(receiver):
            if name not in seen:
                seen.add(name)
                yield name


def _secrets(receiver: Receiver) -> Iterator[str]:
    targets = receiver.targets
    if targets.email is not None and targets.email.username is not None:
        yield receiver.smtp_password
    if targets.telegram is not None:
        yield receiver.telegram_token
    if targets.webhook is not None and targets.webhook.sends_token:
        yield receiver.webhook_token


def _receiver(deployment: Deployment, receiver: Receiver) -> dict[str, Any]:
    """One without anybody is allowed: its alerts are seen on Alertmanager's page alone."""
    written: dict[str, Any] = {"name": receiver.name}
    targets = receiver.targets
    if targets.email is not None:
        written["email_configs"] = [_email(targets.email, deployment.secret_path(receiver.smtp_password))]
    if targets.telegram is not None:
        token = deployment.secret_path(receiver.telegram_token)
        # Plain text: nothing that a repository or a plugin calls itself is taken for markup.
        told = {"send_resolved": True, "bot_token_file": token, "chat_id": targets.telegram, "parse_mode": ""}
        written["telegram_configs"] = [told]
    if targets.webhook is not None:
        written["webhook_configs"] = [_webhook(targets.webhook, deployment.secret_path(receiver.webhook_token))]
    return written


def _email(email: Email, password: str) -> dict[str, Any]:
    login = (
        {} if email.username is None else {"auth_username": _literal(email.username), "auth_password_file": password}
    )
    return {
        "send_resolved": True,
        "to": _literal(email.to),
        "from": _literal(email.sender),
        "smarthost": email.smarthost,
        **login,
        # A server on this machine seldom has a certificate, and nobody listens in between.
        "require_tls": email.smarthost.rpartition(":")[0] not in _HERE,
    }


def _webhook(webhook: Webhook, token: str) -> dict[str, Any]:
    sent = {"http_config": {"authorization": {"credentials_file": token}}} if webhook.sends_token else {}
    return {"send_resolved": True, "url": webhook.url, **sent}


def _inhibitions() -> Iterator[dict[str, Any]]:
    """Only alerts of ours hush others: what a plugin calls its alerts is no reason to hear nothing of the farm."""
    ours = _equals("plugin", "")
    yield {
        "source_matchers": [_equals("alertname", "FarmDown"), ours],
        "target_matchers": [f'alertname=~"{"|".join(FOLLOWING_FARM_DOWN)}"'],
    }
    yield {
        "source_matchers": [_equals("alertname", "FarmWorkerDown"), ours],
        "target_matchers": [_equals("alertname", "FarmWorkerAway")],
        "equal": ["worker"],
    }
    # Labels that neither has count as equal: without the second matchers an alert of no repository would hush all such.
    yield {
        "source_matchers": [_equals("severity", "critical"), 'repository!=""', ours],
        "target_matchers": [_equals("severity", "warning"), 'repository!=""'],
        "equal": ["repository"],
    }


def _equals(label: str, value: str) -> str:
    quoted = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'{label}="{quoted}"'


def _literal(text: str) -> str:
    """Text where Alertmanager expects a template of Go."""
    return text.replace("{{", '{{"{{"}}')
