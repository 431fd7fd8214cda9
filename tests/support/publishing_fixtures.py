"""Built packages, a key and a stand, or a clear reason for going without."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.built import PROGRAMS, BuiltPackages
from tests.support.pacman_stand import PacmanStand, new_key

if TYPE_CHECKING:
    from collections.abc import Iterator

_IN_CI = bool(os.environ.get("CI"))


@pytest.fixture(scope="session")
def programs() -> None:
    missing = [program for program in PROGRAMS if shutil.which(program) is None]
    if missing:
        (pytest.fail if _IN_CI else pytest.skip)(f"{', '.join(missing)} is not installed here")


@pytest.fixture(scope="session")
def built(programs: None, tmp_path_factory: pytest.TempPathFactory) -> BuiltPackages:
    """Shared by all test processes of a session."""
    base = tmp_path_factory.getbasetemp()
    return BuiltPackages((base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "built-packages")


@pytest.fixture(scope="session")
def key(programs: None) -> Iterator[bytes]:
    """An exported secret key; gpg's sockets want a short path."""
    folder = Path("/tmp") / f"publisher-test-{os.getpid()}"
    try:
        yield new_key(folder)[0]
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def stand(tmp_path: Path, built: BuiltPackages, key: bytes) -> PacmanStand:
    """Nothing is published yet."""
    return PacmanStand(tmp_path / "stand", built, key)
