"""A quiet farm behind real HTTP, one for a module where it is only read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.quiet_farm import QuietFarm, ServedFarm, served

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def farm(tmp_path: Path) -> Iterator[ServedFarm]:
    with served(QuietFarm(tmp_path / "farm")) as running:
        yield running
