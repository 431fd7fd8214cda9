"""A package folder, and the repository at one commit."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ci_toolkit.formats.recipe_toml import RECIPE_PATH
from ci_toolkit.model.review_settings import ReviewSettings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ci_toolkit.errors import ToolkitError
    from ci_toolkit.formats.git_objects import HashName, TreeEntry
    from ci_toolkit.formats.key_value import FormatWarning, KeyValueFile
    from ci_toolkit.formats.srcinfo import SrcInfo
    from ci_toolkit.formats.state import RepositoryState, ReviewRecord
    from ci_toolkit.model.names import Oid, Pkgbase
    from ci_toolkit.model.package_config import PackageConfig
    from ci_toolkit.model.settings import Settings

_VCS_ENDINGS = ("-git", "-svn", "-hg", "-bzr", "-fossil")
# What never comes from, or goes to, an upstream; anchored at the top of the package folder.
OURS = frozenset({".CI", ".git", ".gitignore"})


def is_ours(path: str) -> bool:
    """Whether a path inside a package folder belongs to the repository and not to its upstream."""
    return path.partition("/")[0] in OURS


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderFile:
    """One file of a package folder, by name of its blob; `mode` as git writes it (`100644`, `100755`, `120000`)."""

    mode: str
    oid: Oid


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """A package folder at one commit. `files` maps relative paths; faults say why config or `.SRCINFO` is not read.

    Where `.CI/recipe.toml` describes the folder, `srcinfo` and its fault are of that, and `version_file` is where its
    version is, if that is a file of the folder.
    """

    pkgbase: Pkgbase
    tree: Oid
    files: Mapping[str, FolderFile]
    config: PackageConfig
    srcinfo: SrcInfo | None
    config_fault: ToolkitError | None = None
    srcinfo_fault: ToolkitError | None = None
    warnings: tuple[FormatWarning, ...] = ()
    config_file: KeyValueFile | None = None
    version_file: str | None = None

    @property
    def is_described(self) -> bool:
        """Whether its owner says in `.CI/recipe.toml` how it is built; `srcinfo` is what that file says then."""
        return RECIPE_PATH in self.files

    @property
    def version(self) -> str | None:
        """The version `.SRCINFO` gives, None without one."""
        return self.srcinfo.version if self.srcinfo else None

    @property
    def is_vcs(self) -> bool:
        """Whether heads of its VCS sources are followed."""
        return self.pkgbase.endswith(_VCS_ENDINGS) or self.config.force_vcs

    def upstream_files(self) -> dict[str, FolderFile]:
        """The part of the folder that an upstream has a say in."""
        return {path: file for path, file in self.files.items() if not is_ours(path)}


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteHeads:
    """Where the remote's branches and tag are: `reviews` by package, for branches called `update-<pkgbase>`.

    `scheduled` is the commit that the tag stands for, `scheduled_tag` what the tag itself points at.
    """

    main: Oid
    state: Oid | None
    scheduled: Oid | None
    scheduled_tag: Oid | None
    reviews: Mapping[Pkgbase, Oid]


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """The repository at commit `heads.main`, with its state: immutable, and all that is decided on.

    `root` is the tree of that commit; `reviews` tells of every review branch, `merged_reviews` which of them are part
    of the default branch already; `strays` are folders at the root that no package can be called.
    """

    hash_name: HashName
    branch: str
    heads: RemoteHeads
    root: tuple[TreeEntry, ...]
    packages: Mapping[Pkgbase, Package]
    settings: Settings
    state: RepositoryState
    trusted_maintainers: frozenset[str]
    aur_watermark_s: int | None
    reviews: Mapping[Pkgbase, ReviewRecord] = field(default_factory=dict)
    merged_reviews: frozenset[Pkgbase] = frozenset()
    strays: Mapping[str, ToolkitError] = field(default_factory=dict)
    tracked_artifacts: tuple[str, ...] = ()
    editorconfig: bytes | None = None
    review: ReviewSettings = field(default_factory=ReviewSettings)
