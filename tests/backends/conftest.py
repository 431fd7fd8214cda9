"""A job database in a file of its own."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from ci_toolkit.backends.job_database import JobDatabase

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "builds/jobs.sqlite"


@pytest.fixture
def database(path: Path) -> Iterator[JobDatabase]:
    with closing(JobDatabase(path)) as opened:
        yield opened
