"""A GitLab on loopback and a client for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.gitlab_service import GitlabService
from tests.support.gitlab_world import FORGE, tools_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ci_toolkit.forges.client import ReviewClient


@pytest.fixture
def service() -> Iterator[GitlabService]:
    with GitlabService() as running:
        yield running


@pytest.fixture
def client(service: GitlabService, tmp_path: Path) -> Iterator[ReviewClient]:
    with FORGE.connect(tools_for(service, tmp_path)) as connected:
        yield connected
