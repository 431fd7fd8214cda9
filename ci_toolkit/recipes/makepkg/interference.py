"""How the owner of a repository changes a package's build without changing the package.

In this order: `.CI/prepare` and `.CI/interfere.patch` run in the build root; `PKGBUILD.prepend` and `PKGBUILD.append`
are put around what they left; `-march=native` goes; the release is bumped; `replaces` and `groups` are left out.
"""

from __future__ import annotations

import os
import re
import stat
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ci_toolkit.errors import FormatError
from ci_toolkit.formats.pkgbuild import Pkgbuild
from ci_toolkit.formats.srcinfo import SrcInfo

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ci_toolkit.effects.build_root import BuildRoot
    from ci_toolkit.model.observation import UpstreamFile
    from ci_toolkit.model.package_config import Bump, PackageConfig

PREPARE, PATCH = ".CI/prepare", ".CI/interfere.patch"
ON_SUCCESS, ON_FAILURE = ".CI/on-success.sh", ".CI/on-failure.sh"
PREPARE_WORDS = ("bash", "-euo", "pipefail", "-c", "source ./.CI/prepare")
# What does not fit is shown and fails the build; by itself patch would leave it in a file and go on with the rest.
_PATCH_SCRIPT = (
    f"patch -p1 --forward --batch --no-backup-if-mismatch --reject-file=/tmp/rejects --input={PATCH} "
    "|| { status=$?; cat /tmp/rejects; exit $status; }"
)
PATCH_WORDS = ("bash", "-c", _PATCH_SCRIPT)
_PREPEND, _APPEND = ".CI/PKGBUILD.prepend", ".CI/PKGBUILD.append"
_CHANGES = (PREPARE, PATCH, _PREPEND, _APPEND)
INTERFERING = (*_CHANGES, ON_SUCCESS, ON_FAILURE)
_LARGEST_BYTES = 4 << 20
_NATIVE = re.compile(rb"[ \t]*(?<![^\s'\"=(])-march=native(?![^\s'\");])")
_PROHIBITED = ("replaces", "groups")
# makepkg calls what is in `tidy_modify` behind package() and before it writes `.PKGINFO`, however package() ended.
_TIDY_PATH = "usr/share/makepkg/tidy/zz-prohibited.sh"
_TIDY = "tidy_modify+=('tidy_prohibited')\n\ntidy_prohibited() {\n  replaces=()\n  groups=()\n}\n"


@dataclass(kw_only=True)
class Interference:
    """What was changed so far, in words for the end of the log."""

    told: list[str] = field(default_factory=list)

    def edit(self, root: BuildRoot) -> None:
        """Put the additions around PKGBUILD, and take `-march=native` out; FormatError when it cannot be read."""
        text = read_inside(root, "PKGBUILD")
        if text is None:
            raise FormatError("is missing", file="PKGBUILD")
        for path, is_before in ((_PREPEND, True), (_APPEND, False)):
            more = read_inside(root, path)
            if more is not None:
                text = _joined(more, text) if is_before else _joined(text, more)
                self.told.append(path.removeprefix(".CI/"))
        text, count = _NATIVE.subn(b"", text)
        if count:
            self.told.append(f"-march=native removed {count} times" if count > 1 else "-march=native removed")
        write_inside(root, "PKGBUILD", text)

    def bump(self, root: BuildRoot, config: PackageConfig, srcinfo: SrcInfo) -> None:
        """Set the release that a bump asks for, while the package is at the version that it is for."""
        bump = config.bump
        release = bumped_release(bump, srcinfo) if bump and not config.manage_aur else None
        if release is None:
            return
        text = read_inside(root, "PKGBUILD") or b""
        try:
            text = Pkgbuild.parse(text).with_scalar("pkgrel", release).to_bytes()
        except FormatError:
            # Computed, or set in several places: the last one counts.
            text = _joined(text, f"pkgrel={release}\n".encode())
        write_inside(root, "PKGBUILD", text)
        self.told.append(f"CI_PACKAGE_BUMP: pkgrel {srcinfo.pkgrel} becomes {release}")

    def prohibit(self, root: BuildRoot, config: PackageConfig, srcinfo: SrcInfo) -> None:
        """Keep what makes a package take the place of others out of it, unless the owner allows it."""
        if config.allow_prohibited:
            return
        root.lay(_TIDY_PATH, _TIDY)
        for key in _PROHIBITED:
            found = {value for section in srcinfo.packages for value in srcinfo.effective(section, key)}
            if found:
                self.told.append(f"{key} removed: {' '.join(sorted(found))}")


def bumped_release(bump: Bump, srcinfo: SrcInfo) -> str | None:
    """The pkgrel that a bump asks for; None when it is for another version."""
    version = srcinfo.version.rpartition("-")[0]
    if bump.version is not None and bump.version != version:
        return None
    if bump.release is not None and bump.release != srcinfo.pkgrel:
        return None
    return f"{srcinfo.pkgrel}.{bump.count}" if bump.count else None


def written_srcinfo(files: Mapping[str, UpstreamFile]) -> SrcInfo | None:
    """The folder's own `.SRCINFO`, if nothing interferes with PKGBUILD's text and its version is that of PKGBUILD."""
    if ".SRCINFO" not in files or "PKGBUILD" not in files or any(path in files for path in _CHANGES):
        return None
    try:
        srcinfo = SrcInfo.parse(files[".SRCINFO"].content, file=".SRCINFO")
        pkgbuild = Pkgbuild.parse(files["PKGBUILD"].content)
    except FormatError:
        return None
    wanted = {"pkgver": srcinfo.pkgver, "pkgrel": srcinfo.pkgrel, "epoch": srcinfo.epoch}
    said = {key: pkgbuild.literal(key) for key in wanted}
    return srcinfo if said == wanted and (srcinfo.epoch or not pkgbuild.is_set("epoch")) else None


def read_inside(root: BuildRoot, path: str) -> bytes | None:
    """A file of the folder as strangers' code left it, None when it is none; links are not followed."""
    name = root.folder.path / path
    if name.parent.resolve() != root.folder.path.resolve() / os.path.dirname(path):  # noqa: PTH120 - relative
        raise FormatError("lies behind a link", file=path)
    try:
        descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise FormatError("is no regular file", file=path)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise FormatError(f"cannot be read: {error.strerror}", file=path) from error
    with os.fdopen(descriptor, "rb") as file:
        data = file.read(_LARGEST_BYTES + 1)
    if len(data) > _LARGEST_BYTES:
        raise FormatError("is too large", file=path)
    return data


def write_inside(root: BuildRoot, name: str, data: bytes) -> None:
    """Replace a file at the folder's top; a link that stood there is replaced, too."""
    path = root.folder.path / name
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o644)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
    root.give(path)


def _joined(first: bytes, second: bytes) -> bytes:
    return first + (b"" if first.endswith(b"\n") or not first else b"\n") + second
