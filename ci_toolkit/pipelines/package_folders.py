"""The folders of packages at one commit, with their contents, for a backend that keeps them until they are built."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ci_toolkit.backends.spec import PackageFolder
from ci_toolkit.errors import GitError
from ci_toolkit.model.observation import UpstreamFile

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ci_toolkit.effects.git_repository import ListedFile, Repository
    from ci_toolkit.model.names import Oid, Pkgbase

_FOLDER, _SUBMODULE = "040000", "160000"


@dataclass(frozen=True, slots=True, kw_only=True)
class RepositoryFolders:
    """Reads folders of `commit`; the objects are in `repository` whatever the worktree has."""

    repository: Repository
    commit: Oid

    def __call__(self, packages: Iterable[Pkgbase], /) -> dict[Pkgbase, PackageFolder]:
        """The folders; GitError when one is not there or has a submodule, which nobody fetched."""
        wanted = tuple(packages)
        if not wanted:
            return {}
        trees: dict[str, Oid] = {}
        files: dict[str, list[ListedFile]] = {name: [] for name in wanted}
        for file in self.repository.list_tree(self.commit):
            top, _, rest = file.path.partition("/")
            if not rest and file.mode == _FOLDER:
                trees[top] = file.oid
            elif top in files and file.mode == _SUBMODULE:
                raise GitError(f"{file.path} is a submodule, whose content is not in this repository")
            elif top in files and file.mode != _FOLDER:
                files[top].append(file)
        blobs = self.repository.read_blobs({file.oid for listed in files.values() for file in listed})
        times = self.repository.last_changes(self.commit, wanted)
        missing = [name for name in wanted if name not in trees]
        if missing:
            raise GitError(f"commit {self.commit} has no folder {', '.join(missing)}")
        return {
            name: PackageFolder(
                tree=trees[name],
                epoch_s=times.get(name, 0),
                files={
                    file.path.removeprefix(f"{name}/"): UpstreamFile(mode=file.mode, content=blobs[file.oid])
                    for file in files[name]
                },
            )
            for name in wanted
        }
