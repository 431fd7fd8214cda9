"""An empty store."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ci_toolkit.store.object_store import open_store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ci_toolkit.store.object_store import ObjectStore


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ObjectStore]:
    with open_store(tmp_path / "store") as opened:
        yield opened
