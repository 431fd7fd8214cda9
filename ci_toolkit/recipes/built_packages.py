"""The packages that a build left: looked at as if an enemy had made them, and copied out."""

from __future__ import annotations

import os
import platform
import re
import stat
from typing import TYPE_CHECKING

from ci_toolkit.effects.files import copy_opened
from ci_toolkit.errors import FormatError, UpstreamError
from ci_toolkit.formats.package_file import read_package_file
from ci_toolkit.recipes.build import BuiltPackage

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from pathlib import Path

    from ci_toolkit.formats.package_info import PackageInfo
    from ci_toolkit.formats.srcinfo import SrcInfo
    from ci_toolkit.model.package_config import PackageConfig
    from ci_toolkit.recipes.spec import PackageFacts

EXTENSION = ".pkg.tar.zst"
_FILE_NAME = re.compile(r"[A-Za-z0-9@_+][A-Za-z0-9@._+:~^-]*")


def package_info(path: Path) -> PackageInfo:
    """What a package file says about itself; FormatError when it is none."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        return read_package_file(file, name=path.name, size_bytes=os.fstat(descriptor).st_size)


def take_packages(
    folder: Path, out: Path, srcinfo: SrcInfo, *, before: Collection[str], architecture: str, allow_prohibited: bool
) -> tuple[BuiltPackage, ...]:
    """Copy the packages that are new in `folder` to `out`, all or none; UpstreamError when they are not what was to be.

    Each is one that the PKGBUILD names (or its debugging symbols), for this machine or any, and none is missing.
    """
    try:
        names = sorted({path.name for path in folder.iterdir() if path.name.endswith(EXTENSION)} - set(before))
    except OSError as error:
        raise UpstreamError(f"what it left cannot be looked at: {error.strerror}") from error
    if not names:
        raise UpstreamError("no package came out of it")
    known = {*srcinfo.names, f"{srcinfo.pkgbase}-debug"}
    found: dict[str, PackageInfo] = {}
    for name in names:
        found[name] = _judged(folder / name, srcinfo.pkgbase, known, architecture, allow_prohibited=allow_prohibited)
    missing = set(srcinfo.names) - {info.name for info in found.values()}
    if missing:
        raise UpstreamError(f"no package {', '.join(sorted(missing))} came out of it")
    out.mkdir(parents=True, exist_ok=True)
    return tuple(_taken(folder / name, out / name, info) for name, info in found.items())


def judged_packages(
    paths: Iterable[Path], pkgbase: str, facts: PackageFacts, config: PackageConfig
) -> tuple[BuiltPackage, ...]:
    """What packages of another machine are, which stay where they are; UpstreamError when one is not as it was to be.

    Each is of this package base, one of the names that the folder makes where those are certain (or its debugging
    symbols), and of the version that was to be built where that is certain.
    """
    known = {*facts.names, f"{pkgbase}-debug"} if facts.names else None
    found = []
    for path in paths:
        info = _judged(path, pkgbase, known, platform.machine(), allow_prohibited=config.allow_prohibited)
        found.append(_built(path, info, path.stat().st_size))
    missing = set(facts.names) - {package.name for package in found}
    if missing:
        raise UpstreamError(f"no package {', '.join(sorted(missing))} came out of it")
    for package in found:
        if facts.version is not None and package.version != facts.version:
            raise UpstreamError(f"{package.path.name} is {package.version}, and {facts.version} was to be built")
    return tuple(found)


def _judged(
    path: Path, pkgbase: str, known: Collection[str] | None, architecture: str, *, allow_prohibited: bool
) -> PackageInfo:
    if not _FILE_NAME.fullmatch(path.name):
        raise UpstreamError(f"a package has the impossible file name {path.name!r}")
    information = path.lstat()
    if not stat.S_ISREG(information.st_mode) or information.st_nlink != 1:
        raise UpstreamError(f"{path.name} is no regular file")
    try:
        info = package_info(path)
    except (FormatError, OSError) as error:
        raise UpstreamError(f"{path.name} is no package: {error}") from error
    if (known is not None and info.name not in known) or info.base != pkgbase:
        raise UpstreamError(f"{path.name} is a package {info.name!r} of {info.base!r}, which nobody asked for")
    if info.arch not in ("any", architecture):
        raise UpstreamError(f"{path.name} is for the architecture {info.arch}, and this machine is {architecture}")
    if path.name != f"{info.name}-{info.version}-{info.arch}{EXTENSION}":
        raise UpstreamError(f"{path.name} is {info.name} {info.version} for {info.arch} by what it says itself")
    if info.prohibited and not allow_prohibited:
        raise UpstreamError(f"{path.name} has {', '.join(info.prohibited)} in spite of it being removed")
    return info


def _taken(source: Path, target: Path, info: PackageInfo) -> BuiltPackage:
    descriptor = os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as reading:
        return _built(target, info, copy_opened(reading, target))


def _built(path: Path, info: PackageInfo, size_bytes: int) -> BuiltPackage:
    return BuiltPackage(
        path=path,
        name=info.name,
        version=info.version,
        arch=info.arch,
        size_bytes=size_bytes,
        provides=info.provides,
        depends=info.depends,
    )
