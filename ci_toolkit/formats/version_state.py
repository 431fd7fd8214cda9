"""The state branch's `.version-state`: which versions the package repository was last seen to offer.

    0ad-data:0.28.0-1       name:version, in the order of `LC_ALL=C sort`, which compares whole lines as bytes
    0ad:0.28.0-3
    zlib:1:1.3.1-2          a version may have an epoch, so the first colon is the one that separates

The bash template writes a package that two databases have on two lines, if their versions differ.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

# A name has no colon, so this splits at the first one. What stands behind it need only be one visible word.
_LINE = re.compile(rb"([A-Za-z0-9@_+][A-Za-z0-9@._+-]*):([!-~]+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionState:
    """Known versions by package name: at least one a name, each once, in bytewise order."""

    versions: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @classmethod
    def parse(cls, content: bytes) -> VersionState:
        """What the lines say; those that are not understood are left out, so there is no error."""
        known: dict[str, set[str]] = {}
        for line in content.split(b"\n"):
            if match := _LINE.fullmatch(line):
                known.setdefault(match[1].decode(), set()).add(match[2].decode())
        return cls(versions={name: tuple(sorted(versions)) for name, versions in known.items()})

    def to_bytes(self) -> bytes:
        """The sorted lines with a newline behind each; empty when nothing is known."""
        lines = [f"{name}:{version}\n".encode() for name, versions in self.versions.items() for version in versions]
        return b"".join(sorted(lines))

    def knows(self, name: str) -> bool:
        """Whether any version of `name` is known."""
        return name in self.versions

    def updated(self, found: Mapping[str, str], *, complete: bool) -> VersionState:
        """The state after the databases told `found`, a version by name, which replaces all that was known of it.

        `complete` is False when some database could not be read: a name that is not found may be in that one, and what
        was known of it stays. Otherwise it is gone from the repository, and forgotten.
        """
        kept = {} if complete else self.versions
        return VersionState(versions={**kept, **{name: (version,) for name, version in found.items()}})

    def differs(self, name: str, version: str) -> bool:
        """Whether `name` is known, but not with `version`; an unknown name does not differ."""
        return self.knows(name) and version not in self.versions[name]
