"""Packages that makepkg built, once a session whatever the number of test processes, and packages nobody would build."""

from __future__ import annotations

import fcntl
import io
import os
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import zstandard

from tests.support.makepkg import write_quick_library

if TYPE_CHECKING:
    from collections.abc import Mapping

PROGRAMS = ("makepkg", "pacman", "repo-add", "gpg", "gpgv", "bsdtar", "zstd")

_PKGBUILD = """pkgname=({names})
pkgbase={base}
pkgver={version}
pkgrel=1
pkgdesc='made for a test'
arch=(x86_64)
"""
_FUNCTION = """package_{name}() {{
  depends=({depends})
  mkdir -p "$pkgdir/usr/share/{name}"
  echo {version} > "$pkgdir/usr/share/{name}/version"
}}
"""
# What a story of two packages needs: base and version to the packages and what they depend on.
BUILDS: dict[tuple[str, str], Mapping[str, str]] = {
    ("alpha", "1.0"): {"alpha": "", "alpha-doc": ""},
    ("alpha", "1.1"): {"alpha": ""},
    ("beta", "1.0"): {"beta": "alpha"},
}


class BuiltPackages:
    """Package files by base and version."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder

    def files(self, base: str, version: str) -> list[Path]:
        """The files of a build, sorted by name."""
        place = self.folder / f"{base}-{version}"
        with (self.folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not (place / "done").exists():
                _build(place, base, version)
                (place / "done").touch()
        return sorted(place.glob("*.pkg.tar.zst"))

    def file(self, name: str, version: str) -> Path:
        """The file of one package."""
        base = name.removesuffix("-doc")
        return next(path for path in self.files(base, version) if path.name.startswith(f"{name}-{version}"))


def _build(place: Path, base: str, version: str) -> None:
    packages = BUILDS[base, version]
    text = _PKGBUILD.format(names=" ".join(packages), base=base, version=version)
    text += "".join(_FUNCTION.format(name=name, depends=depends, version=version) for name, depends in packages.items())
    as_other: tuple[str, ...] = ()
    # Not below the tests' own folder, which is closed to the other user.
    with tempfile.TemporaryDirectory(dir="/var/tmp", prefix="ci-toolkit-built-") as name:
        work = Path(name)
        (work / "PKGBUILD").write_text(text)
        if os.getuid() == 0:  # makepkg refuses root
            as_other = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
            os.chown(work, 65534, 65534)
        env = {
            "PATH": os.environ["PATH"],
            "HOME": name,
            "PKGEXT": ".pkg.tar.zst",
            "CHOST": "x86_64-pc-linux-gnu",
            "CARCH": "x86_64",
            "SOURCE_DATE_EPOCH": "1700000000",
            "LIBRARY": str(write_quick_library(work / "library")),
            "PACKAGER": "Tests <bot@tests.invalid>",
        }
        argv = [*as_other, "makepkg", "--nodeps", "--noconfirm", "--nocolor"]
        done = subprocess.run(argv, cwd=work, env=env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        place.mkdir(exist_ok=True)
        for path in work.glob("*.pkg.tar.zst"):
            shutil.copyfile(path, place / path.name)


PKGINFO = "pkgname = {name}\npkgbase = {base}\npkgver = {version}\npkgdesc = \nsize = 3\narch = {arch}\n"


def member(
    name: str, content: bytes = b"", *, kind: bytes = tarfile.REGTYPE, link: str = ""
) -> tuple[tarfile.TarInfo, bytes]:
    """One member of an archive."""
    info = tarfile.TarInfo(name)
    info.type, info.size, info.linkname = kind, len(content), link
    return info, content


def hostile(path: Path, *members: tuple[tarfile.TarInfo, bytes], info: str | None = None, behind: bytes = b"") -> Path:
    """A package file with these members behind its `.PKGINFO`, which `info` replaces."""
    name, version, release, arch = path.name.removesuffix(".pkg.tar.zst").rsplit("-", 3)
    text = PKGINFO.format(name=name, base=name, version=f"{version}-{release}", arch=arch) if info is None else info
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for entry, content in ([member(".PKGINFO", text.encode())] if text else []) + list(members):
            tar.addfile(entry, io.BytesIO(content))
    path.write_bytes(zstandard.compress(buffer.getvalue() + behind))
    return path
