"""What every publisher must do, in real places of its kind."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ci_toolkit.plugins import load_publisher, registered
from ci_toolkit.publishers.directory.publisher import DirectoryPublisher
from ci_toolkit.publishers.nix_cache.publisher import NixCachePublisher
from ci_toolkit.publishers.oci.publisher import OciPublisher
from ci_toolkit.publishers.pacman.publisher import PacmanPublisher
from tests.support.built import hostile, member
from tests.support.deliveries import delivery_of, publisher_tools
from tests.support.nix_exports import nix_delivery, nix_tools
from tests.support.oci_layouts import oci_archive
from tests.support.publisher_contract import PublisherContract
from tests.support.registry_service import Registry, needs_registry

if TYPE_CHECKING:
    from collections.abc import Iterator
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


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    with Registry(tmp_path_factory.mktemp("registry") / "of-images") as running:
        yield running


@needs_registry
class TestTheOciPublisherKeepsTheContract(PublisherContract):
    @pytest.fixture
    def publisher(self) -> Publisher:
        return OciPublisher()

    @pytest.fixture
    def tools(self, tmp_path: Path, registry: Registry) -> PublisherTools:
        namespace = tmp_path.name.replace("_", "-")
        return publisher_tools(tmp_path / "own", key=b"", config=f"CI_OCI_REGISTRY={registry.host}/{namespace}\n")

    @pytest.fixture
    def older(self, tmp_path: Path) -> Delivery:
        image, manual = tmp_path / "alpha-1.0-1-any.oci.tar", tmp_path / "alpha-doc-1.0-1-any.tar"
        oci_archive(image, text="older")
        manual.write_text("a file that is no image")
        return delivery_of("alpha", [image, manual])

    @pytest.fixture
    def newer(self, tmp_path: Path) -> Delivery:
        return delivery_of("alpha", [oci_archive(tmp_path / "alpha-1.1-1-any.oci.tar", text="newer").path])

    @pytest.fixture
    def other(self, tmp_path: Path) -> Delivery:
        return delivery_of("beta", [oci_archive(tmp_path / "beta-1.0-1-any.oci.tar", text="other").path])

    @pytest.fixture
    def broken(self, tmp_path: Path) -> Delivery:
        path = tmp_path / "gamma-1.0-1-any.oci.tar"
        path.write_text("no archive")
        return delivery_of("gamma", [path])


def plain_files(folder: Path, base: str, *names: str) -> Delivery:
    """Files that hold their own names."""
    folder.mkdir()
    for name in names:
        (folder / name).write_text(name)
    return delivery_of(base, [folder / name for name in names])


class TestTheNixCachePublisherKeepsTheContract(PublisherContract):
    @pytest.fixture
    def publisher(self) -> Publisher:
        return NixCachePublisher()

    @pytest.fixture
    def tools(self, tmp_path: Path) -> PublisherTools:
        return nix_tools(tmp_path / "place")

    @pytest.fixture
    def older(self, tmp_path: Path) -> Delivery:
        return nix_delivery(tmp_path / "alpha", "alpha", "1.0-1")

    @pytest.fixture
    def newer(self, tmp_path: Path) -> Delivery:
        return nix_delivery(tmp_path / "alpha", "alpha", "1.1-1")

    @pytest.fixture
    def other(self, tmp_path: Path) -> Delivery:
        return nix_delivery(tmp_path / "beta", "beta", "1.0-1")

    @pytest.fixture
    def broken(self, tmp_path: Path) -> Delivery:
        delivery = nix_delivery(tmp_path / "gamma", "gamma", "1.0-1")
        (path,) = delivery.files
        path.write_bytes(path.read_bytes()[:-20])
        return delivery


def test_every_registered_publisher_is_tested_here() -> None:
    tested = {PacmanPublisher, DirectoryPublisher, NixCachePublisher, OciPublisher}
    assert {type(load_publisher(name)) for name in registered("publishers")} == tested
