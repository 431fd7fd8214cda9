"""The small files by which a package repository calls ci-toolkit's CI templates, and the version that they pin."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from ci_toolkit import __version__

if TYPE_CHECKING:
    from collections.abc import Mapping

Service = Literal["gitlab", "github"]

_GITLAB = """# Runs ci-toolkit on this repository of packages. The version is kept current by TEMPLATE_ENABLE_UPDATES.
include:
  - project: ci-toolkit/ci-toolkit
    ref: v{version}
    file: /ci-templates/gitlab/pipeline.yml
"""
_GITHUB = """# Runs ci-toolkit on this repository of packages. The version is kept current by TEMPLATE_ENABLE_UPDATES.
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


def caller_files(service: Service, *, version: str = __version__) -> Mapping[str, bytes]:
    """The files that a repository on `service` needs, path to content, with `version` pinned."""
    path, text = _FILES[service]
    return {path: text.format(version=version).encode()}
