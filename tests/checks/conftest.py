"""A repository to check."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.checkout import CheckedRepository

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def repository(tmp_path: Path) -> CheckedRepository:
    """One without any package."""
    top = tmp_path / "repository"
    top.mkdir()
    return CheckedRepository(top).write({".ci/config": "REPO_NAME=mine\nBUILD_REPO=mine\n"})
