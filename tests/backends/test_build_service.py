"""The client of a farm's build service: the contract of all backends over real gRPC, and a farm that is not well."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ci_toolkit.backends.build_service.backend import BuildServiceBackend
from tests.support.backend_contract import BackendContract
from tests.support.grpc_farm import GrpcFarm, grpc_farm, grpc_tools
from tests.support.quiet_farm import OPERATOR, QuietFarm

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ci_toolkit.backends.spec import Backend, BackendTools


@pytest.fixture
def farm(tmp_path: Path) -> Iterator[GrpcFarm]:
    with grpc_farm(QuietFarm(tmp_path / "farm")) as running:
        yield running


@pytest.fixture
def tools(farm: GrpcFarm, tmp_path: Path) -> BackendTools:
    return grpc_tools(farm.url, tmp_path)


class TestTheBuildServicesClientKeepsTheContract(BackendContract):
    @pytest.fixture
    def backend(self) -> Backend:
        return BuildServiceBackend()

    @pytest.fixture
    def tools(self, farm: GrpcFarm, tmp_path: Path) -> BackendTools:
        return grpc_tools(farm.url, tmp_path, token=OPERATOR)
