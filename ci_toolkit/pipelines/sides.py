"""The two sides of a comparison that a person asks for: folders on disk, folders in commits, revisions of the AUR."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from ci_toolkit.effects.disk_folder import FolderLimits, read_disk_folder
from ci_toolkit.errors import ConfigError, FormatError
from ci_toolkit.formats.git_objects import FILE_MODE, LINK_MODE, TREE_MODE, object_name
from ci_toolkit.formats.pkgbuild import Pkgbuild
from ci_toolkit.formats.recipe_toml import RECIPE_PATH, RecipeFile, parse_recipe_file
from ci_toolkit.formats.srcinfo import SrcInfo
from ci_toolkit.model.finding import Finding
from ci_toolkit.model.names import Oid, nearest
from ci_toolkit.model.observation import UpstreamFile
from ci_toolkit.model.package import is_ours
from ci_toolkit.review.folder import (
    LARGEST_FILE_BYTES,
    LARGEST_FOLDER_BYTES,
    MOST_FILES,
    FolderEntry,
    folder_fault,
    link_fault,
)
from ci_toolkit.review.other_files import REFUSED

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from ci_toolkit.effects.git_repository import Repository

_LIMITS = FolderLimits(
    most_files=MOST_FILES, largest_file_bytes=LARGEST_FILE_BYTES, largest_folder_bytes=LARGEST_FOLDER_BYTES
)
_SRCINFO = ".SRCINFO"


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One version of a package folder; `refused` are the reasons why it must not be taken at all.

    `name` is what its folder is called, `revision` its commit where it has one; `described` its owner's
    `.CI/recipe.toml`, which is no part of `files`.
    """

    files: Mapping[str, UpstreamFile]
    name: str = ""
    revision: str | None = None
    refused: tuple[Finding, ...] = ()
    described: bytes | None = None

    @property
    def is_described(self) -> bool:
        """Whether its owner says how it is built, and makepkg has no part in it."""
        return self.described is not None

    @property
    def srcinfo(self) -> SrcInfo | None:
        """What its `.SRCINFO` says, or the owner's file; None when it has none that can be read."""
        file = self.files.get(_SRCINFO)
        try:
            if self.described is not None:
                return self._described(self.described).srcinfo(self.name)
            return SrcInfo.parse(file.content, file=_SRCINFO) if file else None
        except (ConfigError, FormatError):
            return None

    def _described(self, content: bytes) -> RecipeFile:
        return parse_recipe_file(content, read=lambda path: self.files[path].content if path in self.files else None)

    @property
    def version(self) -> str | None:
        """The version of `.SRCINFO`, or the one that can be read in PKGBUILD without running it."""
        srcinfo = self.srcinfo
        if srcinfo is not None:
            return srcinfo.version
        try:
            pkgbuild = Pkgbuild.parse(self.files["PKGBUILD"].content)
        except (KeyError, FormatError):
            return None
        pkgver, pkgrel, epoch = (pkgbuild.literal(name) for name in ("pkgver", "pkgrel", "epoch"))
        if pkgver is None or pkgrel is None or (epoch is None and pkgbuild.is_set("epoch")):
            return None
        return f"{epoch}:{pkgver}-{pkgrel}" if epoch and epoch.strip("0") else f"{pkgver}-{pkgrel}"

    @property
    def sources(self) -> tuple[str, ...]:
        """The sources that `.SRCINFO` names."""
        srcinfo = self.srcinfo
        return tuple(value for _, value in srcinfo.base.values_all_arch("source")) if srcinfo else ()


NOTHING = Side(files={})


def refusal(text: str, file: str = ".") -> Finding:
    """The finding that a folder, or a file in it, must never be taken."""
    return Finding(rule=REFUSED.id, severity=REFUSED.severity, file=file, text=text)


def read_folder_side(path: Path) -> Side:
    """A folder on disk; ConfigError when it is none, or no package's."""
    if not path.is_dir():
        siblings = [child.name for child in path.parent.iterdir() if child.is_dir()] if path.parent.is_dir() else []
        raise ConfigError("no such folder", got=str(path), hint=nearest(path.name, siblings) or None)
    folder = read_disk_folder(path, _LIMITS, is_left_out=is_ours)
    refused = tuple(refusal(f"{name} {why}", name) for name, why in folder.refused.items())
    described = (path / RECIPE_PATH).read_bytes() if (path / RECIPE_PATH).is_file() else None
    side = Side(files={}, name=path.resolve().name, refused=refused, described=described)
    return _judged(folder.files, side, shown=str(path))


def read_commit_side(repository: Repository, revision: str, folder: str | None) -> Side:
    """A folder of a commit; ConfigError when there is no such commit or folder, or it is no package's.

    `folder` None: the commit is one of a package's own repository, such as a clone of an AUR package.
    """
    commit = repository.resolve(f"{revision}^{{commit}}")
    if commit is None:
        raise ConfigError("there is no such folder here, and no such commit", got=revision)
    path = (folder or "").strip("/")
    found = repository.resolve(f"{commit}:{path}")
    tree = repository.resolve(f"{found}^{{tree}}") if found else None
    if tree is None:
        hint = nearest(path, repository.list_folders(commit)) or None
        raise ConfigError(f"commit {commit[:10]} has no such folder", got=path, hint=hint)
    shown = f"{revision}:{path}"
    listing = [entry for entry in repository.list_tree(tree) if entry.mode.lstrip("0") != TREE_MODE]
    entries = [
        FolderEntry(path=entry.path, mode=entry.mode, oid=entry.oid) for entry in listing if not is_ours(entry.path)
    ]
    described = next(
        (repository.read_blobs([entry.oid])[entry.oid] for entry in listing if entry.path == RECIPE_PATH), None
    )
    if described is None and not any(entry.path == "PKGBUILD" for entry in entries):
        hint = None if folder else f"write {revision}:PACKAGE for a package of this repository"
        raise ConfigError("is no package folder: it has no PKGBUILD", key=shown, hint=hint)
    name = PurePosixPath(path).name
    fault = _fault(entries, repository.sizes(entry.oid for entry in entries), is_described=described is not None)
    if fault:
        return Side(files={}, name=name, revision=commit, refused=(refusal(fault),))
    blobs = repository.read_blobs(entry.oid for entry in entries)
    files = {entry.path: UpstreamFile(mode=entry.mode, content=blobs[entry.oid]) for entry in entries}
    return _judged(files, Side(files={}, name=name, revision=commit, described=described), shown=shown)


def _judged(files: Mapping[str, UpstreamFile], side: Side, *, shown: str) -> Side:
    """A side with these files, unless they must not be taken."""
    if (
        not side.is_described
        and "PKGBUILD" not in files
        and not any(finding.file == "PKGBUILD" for finding in side.refused)
    ):
        raise ConfigError("is no package folder: it has no PKGBUILD", key=shown)
    entries = [
        FolderEntry(path=path, mode=file.mode, oid=object_name("blob", file.content)) for path, file in files.items()
    ]
    sizes = {entry.oid: len(files[entry.path].content) for entry in entries}
    links = {path: file.content for path, file in files.items() if file.mode == LINK_MODE}
    fault = _fault(entries, sizes, is_described=side.is_described) or link_fault(links)
    refused = (*side.refused, *([refusal(fault)] if fault else []))
    return replace(side, files={} if refused else files, refused=refused)


def _fault(entries: list[FolderEntry], sizes: Mapping[Oid, int], *, is_described: bool) -> str | None:
    """Why a folder must not be taken. A missing `.SRCINFO` is for the comparison: people look at drafts, too."""
    if is_described or any(entry.path == _SRCINFO for entry in entries):
        return folder_fault(entries, sizes, is_described=is_described)
    pkgbuild = next((entry for entry in entries if entry.path == "PKGBUILD"), None)
    if pkgbuild is None or pkgbuild.oid not in sizes:
        return folder_fault(entries, sizes)
    return folder_fault([*entries, FolderEntry(path=_SRCINFO, mode=FILE_MODE, oid=pkgbuild.oid)], sizes)
