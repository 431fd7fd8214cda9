"""Content of package folders by name of its tree."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ci_toolkit.formats.git_objects import HashName, ObjectDraft

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ci_toolkit.model.names import Oid
    from ci_toolkit.model.package import FolderFile


def content_of(files: Mapping[str, FolderFile], hash_name: HashName) -> Oid:
    """The name of the tree that these files make up."""
    draft = ObjectDraft(hash_name=hash_name)
    return draft.add_folder({path: (file.mode, file.oid) for path, file in files.items()})
