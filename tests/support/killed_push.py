"""An image's second version on its way to a real registry, with a boundary before every request and every write.

The registry's address is in a file; each folder's images have a namespace of their own there (`killed_everywhere`).
"""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import requests

from ci_toolkit.effects import files
from ci_toolkit.publishers import kept_files
from ci_toolkit.publishers.oci.publisher import OciPublisher
from tests.support.deliveries import delivery_of, publisher_tools
from tests.support.oci_layouts import oci_archive

if TYPE_CHECKING:
    from pathlib import Path

    from ci_toolkit.publishers.spec import Delivery, PublisherTools
    from tests.support.killable import Boundaries


def tools_in(folder: Path) -> PublisherTools:
    """The publisher's tools for a folder."""
    host = (folder / "registry").read_text()
    config = f"CI_OCI_REGISTRY={host}/{namespace(folder)}\n"
    return publisher_tools(folder / "own", key=b"", config=config)


def namespace(folder: Path) -> str:
    """Where a folder's images are in the registry."""
    return f"killed-{folder.name}"


def version(folder: Path, text: str) -> Delivery:
    """A version of the image, the same in all folders."""
    path = folder / "out" / f"hello-{text}-any.oci.tar"
    oci_archive(path, text=text)
    return delivery_of("hello", [path])


def story(folder: Path, boundaries: Boundaries) -> None:
    """The first version is published undisturbed, and the second one to the boundary."""
    with OciPublisher().opened(tools_in(folder)) as place:
        assert not place.publish([version(folder, "1.0-1")], [])
    delivery = version(folder, "1.1-1")
    for name in ("link", "replace", "unlink", "mkdir"):
        boundaries.before(os, name)
    boundaries.before(shutil, "rmtree")
    boundaries.before(requests.Session, "request")
    for module in (files, kept_files):
        boundaries.before(module, "write_file")
    with OciPublisher().opened(tools_in(folder)) as place:
        assert not place.publish([delivery], [])
