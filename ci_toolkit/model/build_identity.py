"""What goes into a build, as one short text: builds of the same identity make the same packages."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from ci_toolkit.model.package_config import CONFIG_PATH

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ci_toolkit.model.observation import UpstreamFile
    from ci_toolkit.model.package_config import PackageConfig

# Files of a package's folder that no build reads; of its configuration only what `settings` says is read.
_UNREAD = frozenset(
    {CONFIG_PATH, ".CI/info", ".CI/update.sh", ".SRCINFO", ".gitignore", "nvchecker.toml", ".nvchecker.toml"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildInputs:
    """All of it.

    `recipe` names the way of building with its version, `root` the tools that it is built with, `settings` what the
    configuration says about the build, `built_with` the packages of our own that are installed for it (name and
    version to checksum), `heads` where the repositories of its sources are (URL with branch to commit).
    """

    recipe: str
    root: str
    architecture: str
    files: str
    settings: Mapping[str, str]
    built_with: Mapping[str, str]
    heads: Mapping[str, str]

    @property
    def own(self) -> str:
        """What of it the package's owner has a say in: files, settings and sources, as 64 hexadecimal digits."""
        return _digest([self.recipe, self.architecture, self.files, dict(self.settings), dict(self.heads)])

    @property
    def identity(self) -> str:
        """64 hexadecimal digits."""
        return _digest(asdict(self))


def is_read_by_builds(path: str) -> bool:
    """Whether a file of a package's folder goes into what is built, as far as a path can tell."""
    return path not in _UNREAD


def files_digest(files: Mapping[str, UpstreamFile]) -> str:
    """A digest of the files of a folder that a build reads: their paths, modes and contents."""
    digest = hashlib.sha256()
    for path, file in sorted(files.items()):
        if is_read_by_builds(path):
            digest.update(f"{path}\0{file.mode}\0{len(file.content)}\0".encode(errors="surrogateescape"))
            digest.update(file.content)
    return digest.hexdigest()


def build_settings(config: PackageConfig) -> dict[str, str]:
    """What of a package's configuration changes what is built, and not only where, when or how fast."""
    bump = "" if config.bump is None or config.manage_aur else repr(config.bump)
    return {"bump": bump, "network": str(config.network), "prohibited": str(config.allow_prohibited)}


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
