"""Two publications of a plain directory, with a boundary before every write (`killed_everywhere`).

The key is a stand-in: gpg would take most of the time, and a key has tests of its own.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

from ci_toolkit.effects import files
from ci_toolkit.publishers.directory import tree as directory_tree
from ci_toolkit.publishers.directory.publisher import DirectoryPublisher
from tests.support.deliveries import delivery_of, publisher_tools

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ci_toolkit.publishers.signing_key import SigningKey
    from ci_toolkit.publishers.spec import Delivery, PublisherTools
    from tests.support.killable import Boundaries

_WRITES = ("link", "replace", "symlink", "unlink", "mkdir", "rmdir", "chmod")


class QuickKey:
    """Its signatures are checksums."""

    fingerprint = "0" * 40

    def sign(self, path: Path) -> bytes:
        signature = hashlib.sha512(path.read_bytes()).digest()
        path.with_name(f"{path.name}.sig").write_bytes(signature)
        return signature

    def public(self) -> bytes:
        return b"the public key"


def quick_tools(folder: Path, **more: Any) -> PublisherTools:
    """Tools with a key that takes no time."""

    @contextmanager
    def open_key() -> Iterator[SigningKey]:
        yield cast("SigningKey", QuickKey())

    return replace(publisher_tools(folder, key=b"", **more), open_key=open_key)


def written(folder: Path, base: str, version: str) -> Delivery:
    """Two files of one version."""
    folder.mkdir(exist_ok=True)
    paths = [folder / f"{name}-{version}-1-any.tar" for name in (base, f"{base}-doc")]
    for path in paths:
        path.write_text(f"{path.name}\n")
    return delivery_of(base, paths)


def prepare(folder: Path) -> None:
    """The first version of one package base is published."""
    with DirectoryPublisher().opened(quick_tools(folder / "place")) as place:
        assert not place.publish([written(folder / "out", "hello", "1.0")], [])


def story(folder: Path, boundaries: Boundaries) -> None:
    """Its second version is, together with another package base."""
    deliveries = [written(folder / "out", "hello", "1.1"), written(folder / "out", "other", "1.0")]
    for name in _WRITES:
        boundaries.before(os, name, lambda *paths: "place" in str(paths[-1]))
    boundaries.before(shutil, "rmtree")
    for module in (files, directory_tree):
        boundaries.before(module, "write_file")
    with DirectoryPublisher().opened(quick_tools(folder / "place")) as place:
        assert not place.publish(deliveries, [])
