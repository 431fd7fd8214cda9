"""What every publisher must do, on a real pacman repository."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from ci_toolkit.effects.process import Processes
from ci_toolkit.effects.redaction import Redactor
from ci_toolkit.plugins import load_publisher, registered
from ci_toolkit.publishers.pacman import PacmanPublisher
from ci_toolkit.publishers.signing_key import KeyChoice, opened_key
from ci_toolkit.publishers.spec import Delivery, PublisherTools
from tests.support.built import hostile, member
from tests.support.pacman_stand import DAY_S, SteppingClock
from tests.support.publisher_contract import PublisherContract

if TYPE_CHECKING:
    from pathlib import Path

    from ci_toolkit.publishers.spec import Publisher
    from tests.support.built import BuiltPackages


class TestThePacmanPublisherKeepsTheContract(PublisherContract):
    @pytest.fixture
    def publisher(self) -> Publisher:
        return PacmanPublisher()

    @pytest.fixture
    def tools(self, tmp_path: Path, key: bytes) -> PublisherTools:
        processes, environ = Processes(redactor=Redactor({})), dict(os.environ)
        choice = KeyChoice(material=key)
        return PublisherTools(
            folder=tmp_path / "repository",
            name="demo",
            architecture="x86_64",
            processes=processes,
            environ=environ,
            clock=SteppingClock(),
            keep_s=14 * DAY_S,
            open_key=lambda: opened_key(choice, processes=processes, environ=environ, passphrase=None),
        )

    @pytest.fixture
    def older(self, built: BuiltPackages) -> Delivery:
        return Delivery(pkgbase="alpha", files=tuple(built.files("alpha", "1.0")))

    @pytest.fixture
    def newer(self, built: BuiltPackages) -> Delivery:
        return Delivery(pkgbase="alpha", files=tuple(built.files("alpha", "1.1")))

    @pytest.fixture
    def other(self, built: BuiltPackages) -> Delivery:
        return Delivery(pkgbase="beta", files=tuple(built.files("beta", "1.0")))

    @pytest.fixture
    def broken(self, tmp_path: Path) -> Delivery:
        path = hostile(tmp_path / "gamma-1-1-any.pkg.tar.zst", member("usr/file", b"x"), behind=b"?" * 1000)
        path.write_bytes(path.read_bytes()[:-20])
        return Delivery(pkgbase="gamma", files=(path,))


def test_every_registered_publisher_is_tested_here() -> None:
    assert {type(load_publisher(name)) for name in registered("publishers")} == {PacmanPublisher}
