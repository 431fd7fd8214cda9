from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.builds import Bench
from tests.support.makepkg import builds_without_slow_checks

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# Here makepkg is what it is for everybody.
WITH_ALL_CHECKS = ("test_contract",)


@pytest.fixture(scope="module", autouse=True)
def _quick_makepkg(request: pytest.FixtureRequest) -> Iterator[None]:
    if request.path.stem in WITH_ALL_CHECKS:
        yield
        return
    with builds_without_slow_checks():
        yield


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)
