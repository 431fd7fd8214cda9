"""The small files by which a package repository calls ci-toolkit's CI templates, and the version that they pin."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

from ci_toolkit import __version__

if TYPE_CHECKING:
    from collections.abc import Mapping

Service = Literal["gitlab", "github"]
SERVICES: tuple[Service, ...] = get_args(Service)
CALLERS_FOLDER = "ci-templates/callers"
"""Where ci-toolkit's own repository keeps each service's files, as `<service>/<path>`."""

_GITLAB = """# Runs ci-toolkit on this repository of packages. TEMPLATE_ENABLE_UPDATES keeps the version current.
include:
  - project: ci-toolkit/ci-toolkit
    ref: v{version}
    file: /ci-templates/gitlab/pipeline.yml
"""
_GITHUB = """# Runs ci-toolkit on this repository of packages. TEMPLATE_ENABLE_UPDATES keeps the version current.
name: ci-toolkit
on:
  push:
    branches: [main]
  schedule:
    - cron: "17 * * * *"
  workflow_dispatch:
permissions:
  contents: read
jobs:
  ci-toolkit:
    permissions:
      contents: write
      pull-requests: write
    uses: ci-toolkit/ci-toolkit/.github/workflows/pipeline.yml@v{version}
    secrets: inherit
"""
_FILES: dict[Service, tuple[str, str]] = {
    "gitlab": (".gitlab-ci.yml", _GITLAB),
    "github": (".github/workflows/ci-toolkit.yml", _GITHUB),
}
_VERSION = r"v(?P<version>[0-9]+(?:\.[0-9]+)*)\b"
_PROJECT = r"(?P<project>[A-Za-z0-9_.-]+(?:/[A-Za-z0-9_.-]+)+)"
_PINS: dict[Service, tuple[re.Pattern[str], ...]] = {
    "gitlab": (
        re.compile(rf"project:[ \t]*['\"]?{_PROJECT}['\"]?[ \t]*\n[ \t]*ref:[ \t]*['\"]?{_VERSION}"),
        re.compile(rf"component:[ \t]*['\"]?[^/\s'\"]+/{_PROJECT}/[A-Za-z0-9_-]+@{_VERSION}"),
    ),
    "github": (re.compile(rf"uses:[ \t]*['\"]?{_PROJECT}/\.github/workflows/[^@\s]+@{_VERSION}"),),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Pin:
    """Which project's templates a file calls, in which version (without its `v`)."""

    project: str
    version: str


def caller_files(service: Service, *, version: str = __version__) -> Mapping[str, bytes]:
    """The files that a repository on `service` needs, path to content, with `version` pinned."""
    path, text = _FILES[service]
    return {path: text.format(version=version).encode()}


def read_pin(service: Service, content: bytes) -> Pin | None:
    """What a caller's file pins, None where it pins no version.

    >>> read_pin("github", b"uses: group/ci-toolkit/.github/workflows/pipeline.yml@v1.2")
    Pin(project='group/ci-toolkit', version='1.2')
    """
    text = content.decode(errors="replace")
    found = next(filter(None, (form.search(text) for form in _PINS[service])), None)
    return Pin(project=found["project"], version=found["version"]) if found else None
