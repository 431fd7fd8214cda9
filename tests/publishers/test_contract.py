"""What every publisher must do, in real places of its kind."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ci_toolkit.plugins import load_publisher, registered
from ci_toolkit.publishers.directory import DirectoryPublisher
from ci_toolkit.publishers.pacman import PacmanPublisher
from tests.support.built import hostile, member
from tests.support.deliveries import delivery_of, publisher_tools
from tests.support.publisher_contract import PublisherContract

if TYPE_CHECKING:
    from pathlib import Path

    from ci_toolkit.publishers.spec import Delivery, Publisher, PublisherTools
    from tests.support.built import BuiltPackages


class TestThePacmanPublisherKeepsTheContract(PublisherContract):
    @pytest.fixture
    def publisher(self) -> Publisher:
        return PacmanPublisher()

    @pytest.fixture
    def tools(self, tmp_path: Path, key: bytes) -> PublisherTools:
        return publisher_tools(tmp_path / "repository", key=key)

    @pytest.fixture
    def older(self, built: BuiltPackages) -> Delivery:
        return delivery_of("alpha", built.files("alpha", "1.0"))

    @pytest.fixture
    def newer(self, built: BuiltPackages) -> Delivery:
        return delivery_of("alpha", built.files("alpha", "1.1"))

    @pytest.fixture
    def other(self, built: BuiltPackages) -> Delivery:
        return delivery_of("beta", built.files("beta", "1.0"))

    @pytest.fixture
    def broken(self, tmp_path: Path) -> Delivery:
        path = hostile(tmp_path / "gamma-1-1-any.pkg.tar.zst", member("usr/file", b"x"), behind=b"?" * 1000)
        path.write_bytes(path.read_bytes()[:-20])
        return delivery_of("gamma", [path])


class TestTheDirectoryPublisherKeepsTheContract(PublisherContract):
    @pytest.fixture
    def publisher(self) -> Publisher:
        return DirectoryPublisher()

    @pytest.fixture
    def tools(self, tmp_path: Path, key: bytes) -> PublisherTools:
        return publisher_tools(tmp_path / "directory", key=key)

    @pytest.fixture
    def older(self, tmp_path: Path) -> Delivery:
        return plain_files(tmp_path / "older", "alpha", "alpha-1.0-1-any.tar", "alpha-doc-1.0-1-any.tar")

    @pytest.fixture
    def newer(self, tmp_path: Path) -> Delivery:
        return plain_files(tmp_path / "newer", "alpha", "alpha-1.1-1-any.tar")

    @pytest.fixture
    def other(self, tmp_path: Path) -> Delivery:
        return plain_files(tmp_path / "other", "beta", "beta-1.0-1-any.tar")

    @pytest.fixture
    def broken(self, tmp_path: Path) -> Delivery:
        path = tmp_path / "gamma-1.0-1-any.tar"
        path.symlink_to("/etc/passwd")
        return delivery_of("gamma", [path])


def plain_files(folder: Path, base: str, *names: str) -> Delivery:
    """Files that hold their own names."""
    folder.mkdir()
    for name in names:
        (folder / name).write_text(name)
    return delivery_of(base, [folder / name for name in names])


def test_every_registered_publisher_is_tested_here() -> None:
    tested = {PacmanPublisher, DirectoryPublisher}
    assert {type(load_publisher(name)) for name in registered("publishers")} == tested
