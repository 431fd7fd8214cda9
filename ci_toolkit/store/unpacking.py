"""Store paths as files on disk."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ci_toolkit.effects.tree_archive import unpack_tree
from ci_toolkit.errors import FormatError, NotReadyError
from ci_toolkit.formats.nar import parse_nar
from ci_toolkit.store.store_reader import damaged_archive

if TYPE_CHECKING:
    from pathlib import Path

    from ci_toolkit.formats.store_path import StorePath
    from ci_toolkit.store.store_reader import StoreReader


def unpack(store: StoreReader, path: StorePath, target: Path) -> None:
    """Write what a store path has to `target`, where nothing may be yet.

    NotReadyError when it is not in the store, MachineError when it is damaged there or the disk refuses, RefusedError
    when something is at `target`; nothing is written then.
    """
    entry = store.entry(path)
    if entry is None:
        raise NotReadyError("is not in the store", key=str(path), hint="ci-toolkit store ls shows what is")
    try:
        unpack_tree(parse_nar(store.archive(entry)), target)
    except FormatError as error:  # what is in the store was looked at when it came
        raise damaged_archive(entry) from error
