"""The CI templates: where they are, and what is in them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

TEMPLATES = Path(__file__).parents[2] / "ci-templates"
GITLAB_FILES = sorted((TEMPLATES / "gitlab").rglob("*.yml"))
GITHUB_FILES = sorted((TEMPLATES / "github").rglob("*.yml"))
WORKFLOWS = [path for path in GITHUB_FILES if path.name != "action.yml"]
_INPUT = re.compile(r"\$\[\[ inputs\.(\w+) \]\]")


def documents(path: Path) -> list[Any]:
    """The documents of a file: GitLab's have their inputs first."""
    return list(YAML(typ="safe").load_all(path.read_text()))


def with_defaults(path: Path) -> Any:
    """A GitLab file as it is included without inputs."""
    header, _, body = path.read_text().partition("\n---\n")
    inputs = YAML(typ="safe").load(header)["spec"]["inputs"]
    return YAML(typ="safe").load(_INPUT.sub(lambda found: _text(inputs[found[1]]["default"]), body))


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def name_of(path: Path) -> str:
    """How a test names a file."""
    return str(path.relative_to(TEMPLATES))
