"""A package folder at a commit of a fetched upstream repository: judged by its tree first, then read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ci_toolkit.errors import UpstreamError
from ci_toolkit.formats.git_objects import TREE_MODE, decode_commit, decode_tree
from ci_toolkit.model.observation import UpstreamFile
from ci_toolkit.model.package import is_ours
from ci_toolkit.review.folder import FolderEntry, folder_fault, link_fault

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from ci_toolkit.effects.git_repository import Repository
    from ci_toolkit.model.names import Oid

_DEEPEST = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Folder:
    """What a commit of an upstream holds; `fault` says why it must not be taken, and then `files` is empty."""

    committed_s: int
    files: Mapping[str, UpstreamFile]
    fault: str | None = None


def read_folders(
    repository: Repository,
    commits: Iterable[Oid],
    path: str = "",
    *,
    only: Collection[str] | None = None,
    is_described: bool = False,
) -> dict[Oid, Folder | UpstreamError]:
    """The package folders at the top of some commits, or at `path` in them; of their files `only` some, or all.

    Those of folders that are described here, and so built otherwise than by makepkg, need no PKGBUILD.

    They are read by a handful of processes however many there are.
    """
    wanted = tuple(dict.fromkeys(commits))
    found = repository.read_objects(wanted)
    trees: dict[Oid, Oid] = {}
    times: dict[Oid, int] = {}
    results: dict[Oid, Folder | UpstreamError] = {}
    for commit in wanted:
        entry = found[commit]
        if entry is None or entry[0] != "commit":
            results[commit] = UpstreamError("the upstream moved while it was fetched")
            continue
        parsed = decode_commit(entry[1])
        tree = _descend(repository, parsed.tree, path)
        if tree is None:
            results[commit] = UpstreamError(f"it has no folder {path}")
            continue
        trees[commit], times[commit] = tree, parsed.committed_s
    listings = _list_trees(repository, trees)
    sizes = repository.sizes(entry.oid for listing in listings.values() for entry in listing)
    sound: dict[Oid, list[FolderEntry]] = {}
    for commit, listing in listings.items():
        entries = [entry for entry in listing if not is_ours(entry.path) and (only is None or entry.path in only)]
        fault = folder_fault(entries, sizes, is_described=is_described)
        if fault is None:
            sound[commit] = entries
        else:
            results[commit] = Folder(committed_s=times[commit], files={}, fault=fault)
    contents = repository.read_blobs({entry.oid for entries in sound.values() for entry in entries})
    for commit, entries in sound.items():
        files = {entry.path: UpstreamFile(mode=entry.mode, content=contents[entry.oid]) for entry in entries}
        fault = link_fault({path: file.content for path, file in files.items() if file.mode == "120000"})
        results[commit] = Folder(committed_s=times[commit], files={} if fault else files, fault=fault)
    return results


def _descend(repository: Repository, tree: Oid, path: str) -> Oid | None:
    """The tree at `path` below another one."""
    for part in filter(None, path.split("/")):
        found = repository.read_objects([tree])[tree]
        children = decode_tree(found[1]) if found and found[0] == "tree" else ()
        below = next((child.oid for child in children if child.name == part and child.mode == TREE_MODE), None)
        if below is None:
            return None
        tree = below
    return tree


def _list_trees(repository: Repository, tops: Mapping[Oid, Oid]) -> dict[Oid, list[FolderEntry]]:
    """Every file below each commit's tree, breadth first: one process a level of folders."""
    listings: dict[Oid, list[FolderEntry]] = {commit: [] for commit in tops}
    level = [(commit, "", tree) for commit, tree in tops.items()]
    for _ in range(_DEEPEST):
        if not level:
            break
        bodies = repository.read_objects(tree for _, _, tree in level)
        below = []
        for commit, prefix, tree in level:
            entry = bodies[tree]
            for child in decode_tree(entry[1]) if entry else ():
                path = f"{prefix}{child.name}"
                if child.mode == TREE_MODE and not is_ours(path):
                    below.append((commit, f"{path}/", child.oid))
                else:
                    listings[commit].append(FolderEntry(path=path, mode=child.mode, oid=child.oid))
        level = below
    for commit, prefix, tree in level:
        listings[commit].append(FolderEntry(path=f"{prefix}…", mode=TREE_MODE, oid=tree))
    return listings
