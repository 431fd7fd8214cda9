"""The variables of a PKGBUILD that makepkg prints in `.SRCINFO`: which are lists, which a package may have of its own.

Sources: PKGBUILD(5), and what makepkg 6.0 and 7.0 print.
"""

from __future__ import annotations

import re

SUMS = tuple(f"{kind}sums" for kind in ("ck", "md5", "sha1", "sha224", "sha256", "sha384", "sha512", "b2"))
SCALARS = ("pkgdesc", "pkgver", "pkgrel", "epoch", "url", "install", "changelog")
LISTS = (
    *("arch", "groups", "license", "checkdepends", "makedepends", "depends", "optdepends", "provides", "conflicts"),
    *("replaces", "noextract", "options", "backup", "source", "validpgpkeys", *SUMS),
)
ARCH_LISTS = (
    *("source", "provides", "conflicts", "depends", "replaces", "optdepends", "makedepends", "checkdepends", *SUMS),
)
SCHEMA_NAMES = ("pkgname", "pkgbase", *SCALARS, *LISTS)
PACKAGE_SCALARS = ("pkgdesc", "url", "install", "changelog")
PACKAGE_LISTS = (
    *("arch", "groups", "license", "depends", "optdepends", "provides", "conflicts", "replaces", "options", "backup"),
)
PACKAGE_ARCH_LISTS = ("provides", "conflicts", "depends", "replaces", "optdepends")

_ARCH_KEY = re.compile(rf"({'|'.join(ARCH_LISTS)})_[A-Za-z0-9_]+")


def is_schema_name(name: str) -> bool:
    """Whether makepkg knows a variable and empties it before it reads a PKGBUILD."""
    return name in SCHEMA_NAMES or bool(_ARCH_KEY.fullmatch(name))


def is_package_name(name: str) -> bool:
    """Whether a package function may set it, with or without an architecture."""
    stem = base_name(name)
    return name in (*PACKAGE_SCALARS, *PACKAGE_LISTS) or (stem != name and stem in PACKAGE_ARCH_LISTS)


def base_name(key: str) -> str:
    """`depends` for `depends_x86_64`, all others as they are."""
    match = _ARCH_KEY.fullmatch(key)
    return match[1] if match else key
