"""What each part of a stack may use of its machine, where stack.toml says nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ci_toolkit.errors import ConfigError
from ci_toolkit.model.names import nearest
from ci_toolkit.stack.stack_file import STACK_FILE, Limit

if TYPE_CHECKING:
    from ci_toolkit.stack.deployment import Deployment
    from ci_toolkit.stack.stack_file import Stack

# A worker has none: a build has limits of its own (CI_BUILD_MEMORY), and what it takes nobody knows here.
LIMITS = {
    "farm": Limit(memory="32m", cpus=0.1),
    "master": Limit(memory="2g", cpus=2.0),
    "proxy": Limit(memory="256m", cpus=1.0),
    "postgres": Limit(memory="1g", cpus=1.0),
    "redis": Limit(memory="512m", cpus=1.0),
    "prometheus": Limit(memory="2g", cpus=1.0),
    "alertmanager": Limit(memory="256m", cpus=0.5),
    "loki": Limit(memory="1g", cpus=1.0),
    "promtail": Limit(memory="256m", cpus=0.5),
    "grafana": Limit(memory="512m", cpus=1.0),
}
_NONE = Limit(memory=None, cpus=None)


def check_limits(deployment: Deployment) -> None:
    """Nothing; ConfigError for a limit of what does not run, or whose limits are not ours to say."""
    stack = deployment.stack
    known = {*LIMITS, *(f"worker-{name}" for name in deployment.local_workers())}
    known |= {service.name for bundle in deployment.bundles for service in bundle.fragment.services}
    if stack.is_composed:
        known |= {f"{bundle.name}-seed" for bundle in deployment.bundles if bundle.fragment.seeds}
    else:
        known.remove("postgres")
    for name in stack.limits:
        if name == "postgres" and not stack.is_composed:
            hint = "systemctl edit postgresql@VERSION-main.service"
            raise ConfigError(
                "is a cluster of the distribution's own", file=STACK_FILE, key="limits.postgres", hint=hint
            )
        if name not in known:
            hint = nearest(name, known) or f"there are: {', '.join(sorted(known))}"
            raise ConfigError("is no service of this stack", file=STACK_FILE, key=f"limits.{name}", hint=hint)


def limit_of(stack: Stack, service: str, usual: Limit | None = None) -> Limit:
    """What a service may use; `usual` is for one that is not in `LIMITS`."""
    chosen = stack.limits.get(service, _NONE)
    default = usual or LIMITS.get(service, _NONE)
    return Limit(
        memory=chosen.memory if chosen.memory is not None else default.memory,
        cpus=chosen.cpus if chosen.cpus is not None else default.cpus,
    )
