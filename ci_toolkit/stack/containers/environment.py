"""`.env.computed` and `compose.manifest`: what `docker compose` is called with.

    docker compose --env-file .env.computed up -d

The first has the names of the compose files in their order, so that nobody has to write them down. The second has them
a line each, for programs, and for `ci-toolkit stack status`, which leaves out those that are missing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ci_toolkit.stack.containers.plugin_compose import has_compose, plugin_compose_path
from ci_toolkit.stack.output import text_output

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ci_toolkit.stack.deployment import Deployment
    from ci_toolkit.stack.output import Output

ENVIRONMENT_FILE = ".env.computed"
MANIFEST_FILE = "compose.manifest"


def compose_files(deployment: Deployment) -> tuple[str, ...]:
    """The stack's own first, then those of plugins by name, and at the end those that stack.toml adds."""
    plugins = (plugin_compose_path(bundle) for bundle in deployment.bundles if has_compose(bundle))
    return ("docker-compose.yml", *plugins, *deployment.stack.compose_files)


def environment_outputs(deployment: Deployment) -> Iterator[Output]:
    """Both files; without containers neither."""
    if not deployment.stack.is_composed:
        return
    files = compose_files(deployment)
    variables = {
        "COMPOSE_PROJECT_NAME": deployment.stack.name,
        "COMPOSE_PATH_SEPARATOR": ":",
        "COMPOSE_FILE": ":".join(files),
        "FARM_URL": deployment.farm.url,
        **deployment.internal_urls(),
    }
    yield text_output(ENVIRONMENT_FILE, "".join(f"{name}={_quoted(value)}\n" for name, value in variables.items()))
    yield text_output(MANIFEST_FILE, "".join(f"{file}\n" for file in files))


def manifest_files(text: str) -> tuple[str, ...]:
    """The compose files that a manifest lists."""
    lines = (line.strip() for line in text.splitlines())
    return tuple(line for line in lines if line and not line.startswith("#"))


def _quoted(value: str) -> str:
    """In single quotes compose takes a value as it is."""
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
