"""Package files on their way in: copied first and judged then, so that nobody changes them in between."""

from __future__ import annotations

import os
import shutil
import stat
from typing import IO, TYPE_CHECKING

from ci_toolkit.effects.files import sha256_of
from ci_toolkit.errors import FormatError, RefusedError
from ci_toolkit.formats.package_file import read_package_file
from ci_toolkit.publishers.pacman.ledger import PublishedPackage

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


def take_in(files: Iterable[Path], staging: Path | None, *, arch: str) -> dict[str, PublishedPackage]:
    """Copy package files to `staging` and read them there, or where they are without one; the packages by name.

    FormatError for what is no package; RefusedError for another architecture or one package twice.
    """
    found: dict[str, PublishedPackage] = {}
    for path in files:
        package = _judged(path if staging is None else _copied(path, staging), arch)
        if package.name in found:
            raise RefusedError("is given twice", key=package.name)
        found[package.name] = package
    return found


def _copied(path: Path, staging: Path) -> Path:
    target = staging / path.name
    if target.exists():
        raise RefusedError("is given twice", key=path.name)
    with _opened(path) as source, target.open("xb") as copy:
        shutil.copyfileobj(source, copy, 1 << 20)
        copy.flush()
        os.fsync(copy.fileno())
    target.chmod(0o644)
    return target


def _opened(path: Path) -> IO[bytes]:
    """A regular file: no pipe to wait for, no link to elsewhere."""
    if path.is_symlink():
        raise FormatError("is a link, and only the file itself is taken", file=str(path))
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise FormatError("is no regular file", file=str(path))
    return os.fdopen(descriptor, "rb")


def _judged(path: Path, arch: str) -> PublishedPackage:
    with _opened(path) as file:
        size_bytes = os.fstat(file.fileno()).st_size
        info = read_package_file(file, name=path.name, size_bytes=size_bytes)
    if info.arch not in {arch, "any"}:
        raise RefusedError(f"is for {info.arch}, and this repository for {arch}", key=path.name)
    return PublishedPackage(
        name=info.name,
        base=info.base,
        version=info.version,
        file=path.name,
        sha256=sha256_of(path),
        size_bytes=size_bytes,
    )
