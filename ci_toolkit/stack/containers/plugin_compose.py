"""`plugins/NAME/compose.yml`: the services of a plugin, and what they need; a plugin without any has no such file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ci_toolkit.stack.containers.compose_service import after, composed, healthcheck, literal, mounted, network_of
from ci_toolkit.stack.containers.images import image_of
from ci_toolkit.stack.deployment import internal_variable
from ci_toolkit.stack.output import yaml_output
from ci_toolkit.stack.plugin_files import database_secret
from ci_toolkit.stack.secret_files import database_secrets
from ci_toolkit.stack.secret_names import DATABASE_PASSWORD
from ci_toolkit.stack.stack_file import Limit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ci_toolkit.stack.deployment import Bundle, Deployment
    from ci_toolkit.stack.output import Output
    from ci_toolkit.stack_fragments.spec import Service

_SEED = (
    f'PGPASSWORD="$(cat /run/secrets/{DATABASE_PASSWORD})" exec psql --no-psqlrc --quiet --host=postgres'
    " --username=farm farm --file=/seed.sql"
)


def plugin_compose_path(bundle: Bundle) -> str:
    """Where the compose file of a plugin is."""
    return f"plugins/{bundle.name}/compose.yml"


def has_compose(bundle: Bundle) -> bool:
    """Whether a plugin has a compose file."""
    return bool(bundle.fragment.services or bundle.fragment.seeds)


def plugin_compose_outputs(deployment: Deployment) -> Iterator[Output]:
    """One file for each plugin that has services or rows; paths in it are relative to the stack's folder."""
    for bundle in deployment.bundles:
        if not has_compose(bundle):
            continue
        services = {service.name: _service(deployment, bundle, service) for service in bundle.fragment.services}
        if bundle.fragment.seeds:
            services[f"{bundle.name}-seed"] = _seed(deployment, bundle)
        content: dict[str, Any] = {"services": services}
        if secrets := sorted({secret for service in services.values() for secret in service.get("secrets", [])}):
            content["secrets"] = {name: {"file": f"./secrets/{name}"} for name in secrets}
        if volumes := sorted(_volumes(bundle)):
            content["volumes"] = {name: {} for name in volumes}
        yield yaml_output(plugin_compose_path(bundle), content)


def _volumes(bundle: Bundle) -> set[str]:
    mounts = (mount for service in bundle.fragment.services for mount in service.mounts)
    return {mount.source for mount in mounts if not mount.source.startswith("./")}


def _service(deployment: Deployment, bundle: Bundle, service: Service) -> dict[str, Any]:
    top = f"./plugins/{bundle.name}"
    urls = deployment.internal_urls()
    used = {internal_variable(name) for name in service.uses}
    environment = {
        **{name: literal(value) for name, value in service.environment.items()},
        **{name: url for name, url in urls.items() if name in used},
    }
    secrets = sorted({*(secret.name for secret in service.secrets), *database_secrets(bundle)})
    waits = after([*service.after, *(["redis"] if bundle.fragment.needs_redis else [])])
    if bundle.fragment.seeds:
        waits[f"{bundle.name}-seed"] = {"condition": "service_completed_successfully"}
    return composed(
        deployment.stack,
        service.name,
        service.image or f"{deployment.stack.name}-{service.name}:local",
        usual=Limit(memory=service.memory, cpus=service.cpus),
        build=service.dockerfile and {"context": top, "dockerfile": f"Dockerfile.{service.name}"},
        command=[literal(word) for word in service.command],
        network_mode=service.beside and network_of(service.beside),
        environment=environment,
        secrets=secrets,
        volumes=[
            *mounted(
                *(
                    (f"{top}/{mount.source.removeprefix('./')}", mount.target)
                    for mount in service.mounts
                    if mount.source.startswith("./")
                )
            ),
            *(f"{mount.source}:{mount.target}" for mount in service.mounts if not mount.source.startswith("./")),
        ],
        depends_on=waits,
        healthcheck=healthcheck(*service.health) if service.health else None,
    )


def _seed(deployment: Deployment, bundle: Bundle) -> dict[str, Any]:
    """Runs to its end each time the stack is started, and changes nothing where all is there."""
    return composed(
        deployment.stack,
        f"{bundle.name}-seed",
        image_of(deployment.stack, "postgres"),
        usual=Limit(memory="128m", cpus=0.5),
        restart="on-failure",
        # Its password may belong to the user of the plugin's service.
        cap_add=["DAC_READ_SEARCH"],
        command=["sh", "-c", literal(_SEED)],
        secrets=[DATABASE_PASSWORD, database_secret(bundle.name)],
        volumes=mounted((f"./plugins/{bundle.name}/seed.sql", "/seed.sql")),
        depends_on=after(["postgres"]),
    )
