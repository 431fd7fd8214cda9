"""What every service's client must do, for each of the three."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.support.forge_stands import KINDS, Stand, open_stand
from tests.support.review_contract import ReviewClientContract

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ci_toolkit.forges.client import ReviewClient


@pytest.fixture(params=KINDS)
def stand(request: pytest.FixtureRequest) -> Iterator[Stand]:
    with open_stand(request.param) as running:
        yield running


@pytest.fixture
def service(stand: Stand) -> Any:
    return stand.service


@pytest.fixture
def client(stand: Stand, tmp_path: Path) -> Iterator[ReviewClient]:
    with stand.connect(tmp_path) as connected:
        yield connected


class TestEveryServiceKeepsTheContract(ReviewClientContract):
    """All of it."""
