"""Whether compose files are what Docker Compose understands: by its schema, and by itself where it is installed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ci_toolkit.stack.containers.environment import ENVIRONMENT_FILE, MANIFEST_FILE, manifest_files
from ci_toolkit.stack.validating.check import Check

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ci_toolkit.stack.deployment import Deployment
    from ci_toolkit.stack.validating.check import Programs


def check_compose(folder: Path, deployment: Deployment, programs: Programs) -> Iterator[Check]:
    """Two checks; without containers none. A user's own compose files are not there, and are not checked."""
    if not deployment.stack.is_composed:
        return
    files = [file for file in manifest_files((folder / MANIFEST_FILE).read_text()) if (folder / file).is_file()]
    name = "check-jsonschema (compose files)"
    program = programs.find("check-jsonschema")
    if program is None:
        yield Check(name=name, missing="check-jsonschema is not installed: pip install check-jsonschema")
    else:
        yield programs.ask(name, (program, "--builtin-schema", "vendor.compose-spec", *files), cwd=folder)
    name = "docker compose config"
    docker = programs.find("docker")
    if docker is None or programs.run((docker, "compose", "version"), cwd=folder).status != 0:
        yield Check(
            name=name,
            missing="the compose plugin of Docker is not installed (docker-compose-plugin of Docker's own packages)",
        )
    else:
        named = [word for file in files for word in ("--file", file)]
        words = (docker, "compose", "--env-file", ENVIRONMENT_FILE, *named, "config", "--quiet")
        yield programs.ask(name, words, cwd=folder)
