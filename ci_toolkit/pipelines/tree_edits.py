"""A commit's tree with some files changed, whatever lies beside them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ci_toolkit.formats.git_objects import TREE_MODE, TreeEntry

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ci_toolkit.effects.git_repository import ListedFile
    from ci_toolkit.formats.git_objects import ObjectDraft
    from ci_toolkit.model.names import Oid

Files = dict[str, tuple[str, "Oid"]]


def files_of(listing: Iterable[ListedFile]) -> Files:
    """The files of a listing by path: mode and name of the content."""
    return {entry.path: (entry.mode, entry.oid) for entry in listing if entry.mode.lstrip("0") != TREE_MODE}


def tree_with(
    objects: ObjectDraft, listing: Iterable[ListedFile], changes: Mapping[str, tuple[str, Oid] | None]
) -> Oid:
    """The tree of `listing` after `changes` (None: the file goes); folders that no change touches stay as they are."""
    listed = tuple(listing)
    tops = {path.partition("/")[0] for path in changes}
    kept = [
        TreeEntry(mode=entry.mode.lstrip("0"), name=entry.path, oid=entry.oid)
        for entry in listed
        if "/" not in entry.path and entry.path not in tops
    ]
    files = {path: file for path, file in files_of(listed).items() if path.partition("/")[0] in tops}
    for path, file in changes.items():
        if file is None:
            files.pop(path, None)
        else:
            files[path] = file
    for top in sorted(tops):
        below = {path.removeprefix(f"{top}/"): file for path, file in files.items() if path.startswith(f"{top}/")}
        if top in files:
            kept.append(TreeEntry(mode=files[top][0], name=top, oid=files[top][1]))
        elif below:
            kept.append(TreeEntry(mode=TREE_MODE, name=top, oid=objects.add_folder(below)))
    return objects.add_tree(kept)
