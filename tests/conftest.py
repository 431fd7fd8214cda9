"""Seals every test off from the user, CI variables and the network, and gives it a world of its own."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import settings

from tests.support.killable import Killables
from tests.support.sealed import sealed_environment
from tests.support.upstreams import Upstreams
from tests.support.world import World

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# A loaded machine is no reason to fail, and CI tries the same examples every time; by hand they are new ones.
settings.register_profile("patient", deadline=None, derandomize=bool(os.environ.get("CI")))
settings.load_profile("patient")

_FOREIGN = ("GIT_", "CI", "GITLAB_", "GITHUB_", "ACCESS_TOKEN", "TRIGGER", "XDG_", "GH_TOKEN", "GITEA_", "FORGEJO_")


@pytest.fixture(autouse=True)
def _sealed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(_FOREIGN):
            monkeypatch.delenv(name)
    for name, value in sealed_environment(tmp_path / "home").items():
        monkeypatch.setenv(name, value)
    connect = socket.socket.connect

    def loopback_only(self: socket.socket, address: Any) -> None:
        if isinstance(address, tuple) and not str(address[0]).startswith(("127.", "::1")):
            message = f"a test tried to reach {address}"
            raise AssertionError(message)
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", loopback_only)


@pytest.fixture(scope="session")
def killables() -> Iterator[Killables]:
    """Starts ci-toolkit in processes that kill themselves."""
    with Killables() as starter:
        yield starter


@pytest.fixture
def upstreams(tmp_path: Path) -> Iterator[Upstreams]:
    """Empty upstream services."""
    with Upstreams(tmp_path / "served", sealed_environment(tmp_path / "server-home")) as running:
        yield running


@pytest.fixture
def world(tmp_path: Path, upstreams: Upstreams) -> World:
    """An empty package repository with its upstreams."""
    return World(tmp_path, upstreams)
