"""What builds begin with and never change: the machine's own tools, or a folder that holds an Arch system.

Both tell their identity from what their package manager wrote down, and from the settings of makepkg, which change
what comes out of a compiler. That is a matter of milliseconds, so it can be asked before every build.
"""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ci_toolkit.errors import MachineError
from ci_toolkit.model.root_identity import InstalledPackage, RootIdentity

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

LOCAL_DATABASE = "var/lib/pacman/local"
_DPKG_STATUS = "var/lib/dpkg/status"
_OS_RELEASE = ("etc/os-release", "usr/lib/os-release")
_MAKEPKG_SETTINGS = ("etc/makepkg.conf", "etc/makepkg.conf.d")
_NEEDED = ("usr/bin/pacman", "usr/bin/makepkg", "etc/pacman.conf", LOCAL_DATABASE)
_HINT = "CI_BUILD_ROOT is a folder that pacstrap filled with base-devel, or oci: and the name of an image of Arch"
_ENTRY = re.compile(r"(?P<name>[A-Za-z0-9@_+][A-Za-z0-9@._+-]*)-(?P<version>[^-/]+-[^-/]+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class HostRoot:
    """The machine that builds run on; `top` is where its file system begins."""

    top: Path = Path("/")

    def identity(self) -> RootIdentity:
        """Changes with each package that is installed, updated or removed here; only with the system where none tells.

        dpkg and pacman are believed, whichever is there.
        """
        lines = [*_dpkg_lines(self.top), *_pacman_lines(self.top), *_system_lines(self.top), *_settings(self.top)]
        return RootIdentity(f"host:{_digest(lines)}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchRoot:
    """A folder with an Arch system in it; `image` is the digest of the image that it was unpacked from, if it was.

    Nobody may change the folder while builds run in it, as nobody may change the lower side of any overlay. `cache` is
    a folder for what pacman downloads; it may be lost, and None keeps nothing. While somebody has a lock on `in_use`
    the root is not removed.
    """

    top: Path
    image: str | None = None
    cache: Path | None = None
    in_use: Path | None = None

    def identity(self) -> RootIdentity:
        """The image's digest, or, of a folder, one over names and versions of what pacman installed there."""
        if self.image is not None:
            return RootIdentity(f"image:{self.image}")
        return RootIdentity(f"directory:{_digest([*_pacman_lines(self.top), *_settings(self.top)])}")

    def check(self) -> None:
        """MachineError when it is no Arch system that packages can be built in."""
        for path in _NEEDED:
            if not (self.top / path).exists():
                raise MachineError(f"{self.top} is no Arch root: it has no {path}", hint=_HINT)


BaseRoot = HostRoot | ArchRoot


def _dpkg_lines(top: Path) -> Iterator[str]:
    """Name, version and architecture of each package that is installed, as Debian's dpkg(1) keeps them."""
    try:
        text = (top / _DPKG_STATUS).read_text(errors="replace")
    except OSError:
        return
    for paragraph in text.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in paragraph.split("\n") if ": " in line and line[0] != " ")
        if fields.get("Status", "").endswith(" installed"):
            yield f"dpkg {fields.get('Package')} {fields.get('Version')} {fields.get('Architecture')}"


def package_entries(database: Path) -> tuple[InstalledPackage, ...]:
    """The packages that a local database of pacman has folders for, sorted; none where there is no such database."""
    try:
        with os.scandir(database) as entries:
            folders = [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
    except OSError:
        return ()
    found = filter(None, map(_ENTRY.fullmatch, folders))
    return tuple(sorted(InstalledPackage(match["name"], match["version"]) for match in found))


def _pacman_lines(top: Path) -> Iterator[str]:
    return (f"pacman {package.name} {package.version}" for package in package_entries(top / LOCAL_DATABASE))


def _system_lines(top: Path) -> Iterator[str]:
    for name in _OS_RELEASE:
        try:
            yield f"system {(top / name).read_text(errors='replace')}"
        except OSError:
            continue
        return


def _settings(top: Path) -> Iterator[str]:
    for name in _MAKEPKG_SETTINGS:
        path = top / name
        for file in sorted(path.iterdir()) if path.is_dir() else [path]:
            try:
                yield f"setting {file.relative_to(top)} {file.read_text(errors='replace')}"
            except OSError:
                continue


def _digest(lines: Iterable[str]) -> str:
    return hashlib.sha256("\0".join(sorted(lines)).encode(errors="replace")).hexdigest()
