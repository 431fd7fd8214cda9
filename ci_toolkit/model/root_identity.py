"""What a package was built in and with, as values that can be compared and kept."""

from __future__ import annotations

from typing import NamedTuple, NewType

RootIdentity = NewType("RootIdentity", str)
"""Which build root it is, whatever is installed for a single build.

`host:` or `directory:` and 64 hexadecimal digits, or `image:sha256:` and as many. Two folders with the same packages in
the same versions, and the same settings of makepkg, have the same identity.
"""


class InstalledPackage(NamedTuple):
    """A package that was put into a root; `version` is `[epoch:]pkgver-pkgrel`."""

    name: str
    version: str
