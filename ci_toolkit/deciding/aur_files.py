"""Which files of a package folder go to the AUR: those that its PKGBUILD names, and no others.

What the AUR takes is read off its update hook (gitlab.archlinux.org/archlinux/aurweb, aurweb/git/update.py): PKGBUILD
and .SRCINFO at the top, no folders but `keys/pgp` with `*.asc` files and `LICENSES`, no file above 250 KiB.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ci_toolkit.formats.git_objects import EXECUTABLE_MODE, FILE_MODE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from ci_toolkit.formats.srcinfo import SrcInfo
    from ci_toolkit.model.package import FolderFile, Package

LARGEST_BYTES = 256_000
_REQUIRED = ("PKGBUILD", ".SRCINFO")
_WELCOME = re.compile(r"(?:\.nvchecker\.toml|LICENSE|REUSE\.toml|LICENSES/[^/]+|keys/pgp/[^/]+\.asc)")
_FOLDERS = re.compile(r"(?:LICENSES/[^/]+|keys/pgp/[^/]+\.asc)")


@dataclass(frozen=True, slots=True, kw_only=True)
class AurFiles:
    """What goes to the AUR, by path; `faults` say why the AUR would not take it, and then nothing is sent."""

    files: Mapping[str, FolderFile] = field(default_factory=dict)
    faults: tuple[str, ...] = ()


def aur_files(package: Package) -> AurFiles:
    """The files for the AUR, judged by their names and modes alone."""
    missing = [name for name in _REQUIRED if name not in package.files]
    if missing:
        return AurFiles(faults=(f"{' and '.join(missing)} is missing, and the AUR takes no package without",))
    if package.srcinfo is None:
        return AurFiles(faults=(".SRCINFO cannot be read, so which files the AUR needs is not known",))
    if package.srcinfo.pkgbase != package.pkgbase:
        return AurFiles(faults=(f".SRCINFO is that of {package.srcinfo.pkgbase}, and not of {package.pkgbase}",))
    wanted = {*_REQUIRED, *_local_names(package.srcinfo)}
    chosen = {
        path: file
        for path, file in package.upstream_files().items()
        if path in wanted or _WELCOME.fullmatch(path) is not None
    }
    return AurFiles(files=chosen, faults=tuple(_faults(chosen)))


def size_faults(sizes: Mapping[str, int]) -> tuple[str, ...]:
    """What is too large for the AUR, by path to size in bytes."""
    return tuple(
        f"{path} has {size} bytes, and the AUR takes {LARGEST_BYTES} at most"
        for path, size in sorted(sizes.items())
        if size > LARGEST_BYTES
    )


def _local_names(srcinfo: SrcInfo) -> Iterator[str]:
    """Sources that lie in the folder, install scripts and changelogs, of the pkgbase and its packages."""
    for section in (srcinfo.base, *srcinfo.packages):
        for key in ("source", "install", "changelog"):
            for _, value in section.values_all_arch(key):
                name = value.rpartition("::")[2]
                if "://" not in value:
                    yield name


def _faults(chosen: Mapping[str, FolderFile]) -> Iterable[str]:
    for path, file in sorted(chosen.items()):
        if "/" in path and _FOLDERS.fullmatch(path) is None:
            yield f"{path} lies in a folder, and the AUR takes none"
        if file.mode not in (FILE_MODE, EXECUTABLE_MODE):
            yield f"{path} is no regular file"
