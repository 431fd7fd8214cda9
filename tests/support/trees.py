"""Store paths for tests: files that are kept under a name, and refer to others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ci_toolkit.formats.nar import NarFile, format_nar
from ci_toolkit.formats.nix_export import ExportedPath, format_export
from ci_toolkit.formats.store_path import StorePath, parse_base_name
from ci_toolkit.store.importing import import_export

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ci_toolkit.store.importing import Imported
    from ci_toolkit.store.object_store import ObjectStore


def named(letter: str) -> StorePath:
    """A path that is called after a letter."""
    return parse_base_name(f"{letter * 32}-{letter}")


def archive(content: bytes) -> bytes:
    """The archive of a file."""
    return b"".join(format_nar([NarFile(path=b"", size_bytes=len(content), is_executable=False, content=[content])]))


def exported(letter: str, content: str, refers_to: str = "") -> tuple[ExportedPath, list[bytes]]:
    """A path as it stands in an export; it refers to those that are called after these letters."""
    references = tuple(named(one) for one in sorted(refers_to))
    return ExportedPath(path=named(letter), references=references, deriver=None), [archive(content.encode())]


def stream(*paths: tuple[ExportedPath, list[bytes]]) -> bytes:
    """An export of these."""
    return b"".join(format_export(paths))


def bring(store: ObjectStore, *paths: tuple[ExportedPath, list[bytes]]) -> list[Imported]:
    """Import them."""
    return list(import_export(store, [stream(*paths)]))


def contents(store: ObjectStore) -> dict[str, bytes]:
    """What each path has, by its letter."""
    return {entry.path.name: b"".join(store.archive(entry)) for entry in store.entries()}


def expected(paths: Iterable[tuple[ExportedPath, list[bytes]]]) -> dict[str, bytes]:
    """What `contents` gives once these were brought."""
    return {one.path.name: b"".join(pieces) for one, pieces in paths}
