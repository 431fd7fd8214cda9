"""`.PKGINFO`, what a package file says about itself: `key = value` lines and comments, as makepkg writes them.

repo-add hands every key to bash's `declare`, where `x[$(id)]` runs a program and `tmpdir` changes where it deletes. So
only the keys that makepkg writes are let through, and what becomes part of a path has a grammar.

Source: makepkg's write_pkginfo and repo-add's db_write_entry of pacman 6.0.2; `xdata` since 6.1.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ci_toolkit.errors import FormatError
from ci_toolkit.formats.version import VERSION_MAX
from ci_toolkit.model.names import NAME_MAX

LARGEST_BYTES = 1 << 20
FILE = ".PKGINFO"

_SINGLE = frozenset({"pkgname", "pkgbase", "pkgver", "pkgdesc", "url", "builddate", "packager", "size", "arch"})
_SEVERAL = frozenset({"license", "replaces", "group", "conflict", "provides", "backup", "makepkgopt", "xdata"})
_DEPENDENCIES = frozenset({"depend", "optdepend", "makedepend", "checkdepend"})
_KEYS = _SINGLE | _SEVERAL | _DEPENDENCIES
_LINE = re.compile(r"([a-z]+) = ?(.*)")
_NAME = re.compile(r"[A-Za-z0-9@_+][A-Za-z0-9@._+-]*")
# pkgver as narrow as in `formats.version`, as it becomes part of a path, an argument and a URL.
_VERSION = re.compile(r"(?:[0-9]+:)?[A-Za-z0-9][A-Za-z0-9._+~^]*-[0-9]+(?:\.[0-9]+)?")
_ARCHITECTURE = re.compile(r"[a-z0-9_]{1,32}")
_CONTROL = re.compile(r"[\0-\x08\x0a-\x1f\x7f]")


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageInfo:
    """Which package a file holds; `version` is `[epoch:]pkgver-pkgrel`, `arch` may be `any`.

    `depends` and `provides` are as written, with versions; `prohibited` are its replaces and groups, as `group x`.
    """

    name: str
    base: str
    version: str
    arch: str
    depends: tuple[str, ...] = ()
    provides: tuple[str, ...] = ()
    prohibited: tuple[str, ...] = ()

    @property
    def stem(self) -> str:
        """What its file is called, up to `.pkg.tar`."""
        return f"{self.name}-{self.version}-{self.arch}"


def parse_package_info(content: bytes) -> PackageInfo:
    """The package of a `.PKGINFO`; FormatError, with the line, for what makepkg would not write."""
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        raise FormatError("is not UTF-8", key=FILE) from error
    found: dict[str, str] = {}
    several: dict[str, list[str]] = {}
    for number, line in enumerate(text.split("\n"), 1):
        if line.startswith("#") or (not line and number == text.count("\n") + 1):
            continue
        match = _LINE.fullmatch(line)
        if match is None or _CONTROL.search(line) or match[1] not in _KEYS:
            raise FormatError("has a line that makepkg does not write", key=FILE, line=number, got=line)
        if match[1] in found:
            raise FormatError(f"says {match[1]} twice", key=FILE, line=number)
        if match[1] in _SINGLE:
            found[match[1]] = match[2]
        several.setdefault(match[1], []).append(match[2])
    name = _checked(found, "pkgname", _NAME, NAME_MAX)
    return PackageInfo(
        name=name,
        base=_checked(found, "pkgbase", _NAME, NAME_MAX) if "pkgbase" in found else name,
        version=_checked(found, "pkgver", _VERSION, VERSION_MAX),
        arch=_checked(found, "arch", _ARCHITECTURE, NAME_MAX),
        depends=tuple(several.get("depend", ())),
        provides=tuple(several.get("provides", ())),
        prohibited=tuple(f"{key} {value}" for key in ("replaces", "group") for value in several.get(key, ())),
    )


def _checked(found: dict[str, str], key: str, allowed: re.Pattern[str], longest: int) -> str:
    value = found.get(key)
    if value is None:
        raise FormatError(f"has no {key}", key=FILE)
    if len(value) > longest or allowed.fullmatch(value) is None:
        raise FormatError(f"has an impossible {key}", key=FILE, got=value)
    return value
