"""What a stranger's package folder may consist of, judged on git's tree before anything of it is read or written."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ci_toolkit.formats.git_objects import EXECUTABLE_MODE, FILE_MODE, LINK_MODE, SUBMODULE_MODE, TREE_MODE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ci_toolkit.model.names import Oid

MOST_FILES = 2_000
LARGEST_FILE_BYTES = 20 << 20
LARGEST_FOLDER_BYTES = 60 << 20
LONGEST_PATH = 240
_KINDS = {FILE_MODE: "file", EXECUTABLE_MODE: "file", LINK_MODE: "link"}
_GIT_FILES = frozenset({".gitattributes", ".gitmodules", ".git", ".gitconfig", ".mailmap"})


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderEntry:
    """One file of a listing: `path` from the top of the folder, `mode` as git writes it."""

    path: str
    mode: str
    oid: Oid


def folder_fault(entries: Sequence[FolderEntry], sizes: Mapping[Oid, int], *, is_described: bool = False) -> str | None:
    """Why a folder must not be taken at all, or None. One that its owner describes is no package of makepkg's."""
    files = {entry.path for entry in entries if entry.mode in (FILE_MODE, EXECUTABLE_MODE)}
    missing = [] if is_described else [name for name in ("PKGBUILD", ".SRCINFO") if name not in files]
    if missing:
        return f"it has no {missing[0]}"
    if not files:
        return "it has no files"
    if len(entries) > MOST_FILES:
        return f"it has more than {MOST_FILES} files"
    total = 0
    for entry in entries:
        fault = _entry_fault(entry, sizes.get(entry.oid))
        if fault:
            return f"{entry.path!r} {fault}"
        total += sizes[entry.oid]
    return f"it is larger than {LARGEST_FOLDER_BYTES >> 20} MiB" if total > LARGEST_FOLDER_BYTES else None


def _entry_fault(entry: FolderEntry, size: int | None) -> str | None:
    if entry.mode == SUBMODULE_MODE:
        return "is a submodule"
    if entry.mode == TREE_MODE:
        return "is nested too deeply"
    if entry.mode not in _KINDS:
        return f"has the mode {entry.mode}"
    if size is None:
        return "is missing from the repository"
    if size > LARGEST_FILE_BYTES:
        return f"is larger than {LARGEST_FILE_BYTES >> 20} MiB"
    return _path_fault(entry.path)


def _path_fault(path: str) -> str | None:
    if len(path) > LONGEST_PATH:
        return "has a path that is too long"
    if not path.isprintable() or "\\" in path or not path.isascii():
        return "has a name with characters that names do not have"
    parts = path.split("/")
    if any(part in ("", ".", "..") for part in parts):
        return "leaves the folder"
    if any(part.lower() in _GIT_FILES or part.lower().startswith("git~") for part in parts):
        return "would change how git works"
    return None


def link_fault(links: Mapping[str, bytes]) -> str | None:
    """Why symbolic links (path to target) must not be taken: each has to stay inside the folder."""
    for path, target in links.items():
        text = target.decode(errors="replace")
        resolved = posixpath.normpath(posixpath.join(posixpath.dirname(path), text))
        if text.startswith("/") or resolved == ".." or resolved.startswith("../") or "\0" in text:
            return f"{path!r} is a link that leaves the folder"
        if path in ("PKGBUILD", ".SRCINFO"):
            return f"{path!r} is a link"
    return None
