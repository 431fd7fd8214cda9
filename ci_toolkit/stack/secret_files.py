"""The secrets of a stack: files below `secrets/` with mode 0600, which are never rendered, shown or written twice."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ci_toolkit.stack.monitoring.alertmanager import alert_secrets
from ci_toolkit.stack.monitoring.loki import loki_secrets
from ci_toolkit.stack.monitoring.prometheus import prometheus_secrets
from ci_toolkit.stack.plugin_files import database_secret
from ci_toolkit.stack.secret_names import (
    DATABASE_PASSWORD,
    DATABASE_URL,
    GRAFANA_PASSWORD,
    REDIS_PASSWORD,
    plugin_secret,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ci_toolkit.stack.deployment import Bundle, Deployment

# The users of the images, by whom a secret is read in a container.
_PROMETHEUS, _LOKI, _GRAFANA, _REDIS = 65534, 10001, 472, 999


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretFile:
    """One of them: `owner` is the number of the user who reads it in a container.

    `made` ones are invented where they are missing; of others `meaning` says what a person puts there. One that is
    `made_of` another is `text` with that other one in place of the braces.
    """

    name: str
    meaning: str
    owner: int = 0
    made: bool = False
    made_of: str = ""
    text: str = "{}"


def core_secrets(deployment: Deployment) -> Iterator[SecretFile]:
    """Those of the stack itself, in the order in which they are needed."""
    yield SecretFile(name=DATABASE_PASSWORD, meaning="of the role farm in PostgreSQL", made=True)
    yield SecretFile(
        name=DATABASE_URL,
        meaning="where Buildbot's data are",
        owner=deployment.stack.user,
        made=True,
        made_of=DATABASE_PASSWORD,
        text=f"postgresql://farm:{{}}@{deployment.address('postgres')}/farm",
    )
    yield SecretFile(name=GRAFANA_PASSWORD, meaning="of the user admin in Grafana", owner=_GRAFANA, made=True)
    if deployment.needs_redis:
        yield SecretFile(name=REDIS_PASSWORD, meaning="of Redis", owner=_REDIS, made=True)
    for name in prometheus_secrets(deployment):
        meaning = "the token of a client: ci-toolkit farm master add-client DIR prometheus prints one"
        yield SecretFile(name=name, meaning=meaning, owner=_PROMETHEUS)
    for name in alert_secrets(deployment):
        yield SecretFile(name=name, meaning="what alerts are sent with", owner=_PROMETHEUS)
    for name in loki_secrets(deployment):
        yield SecretFile(name=name, meaning="of the bucket that Loki writes to", owner=_LOKI)


def plugin_secrets(deployment: Deployment) -> Iterator[SecretFile]:
    """Those of plugins. Passwords of databases belong to root there, unless a service says who reads them."""
    for bundle in deployment.bundles:
        meaning, found = f"for the plugin {bundle.name}", dict[str, SecretFile]()
        for service in bundle.fragment.services:
            for secret in service.secrets:
                found[secret.name] = SecretFile(name=secret.name, meaning=meaning, owner=secret.owner, made=secret.made)
        for name in database_secrets(bundle):
            owner = found[name].owner if name in found else 0
            made_of = REDIS_PASSWORD if name == _redis_secret(bundle.name) else ""
            found[name] = SecretFile(name=name, meaning=meaning, owner=owner, made=True, made_of=made_of)
        yield from found.values()


def database_secrets(bundle: Bundle) -> Iterator[str]:
    """The passwords that all services of a plugin are handed, for the databases that it has a part of."""
    if bundle.fragment.seeds:
        yield database_secret(bundle.name)
    if bundle.fragment.needs_redis:
        yield _redis_secret(bundle.name)


def _redis_secret(plugin: str) -> str:
    return plugin_secret(plugin, REDIS_PASSWORD)
