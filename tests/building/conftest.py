"""Packages that makepkg built, for pipelines that publish."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.makepkg import builds_without_slow_checks
from tests.support.publishing_fixtures import built, programs

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["built", "programs"]


@pytest.fixture(scope="module", autouse=True)
def _quick_makepkg() -> Iterator[None]:
    with builds_without_slow_checks():
        yield
