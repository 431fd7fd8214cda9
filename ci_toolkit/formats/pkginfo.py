"""`.PKGINFO`: what a built package says about itself, as `key = value` lines (source: makepkg 6)."""

from __future__ import annotations

from dataclasses import dataclass

from ci_toolkit.errors import FormatError


@dataclass(frozen=True, slots=True, kw_only=True)
class PkgInfo:
    """`version` is `[epoch:]pkgver-pkgrel`; `depends` are as written, with their version constraints."""

    name: str
    base: str
    version: str
    arch: str
    depends: tuple[str, ...]
    prohibited: tuple[str, ...]

    @classmethod
    def parse(cls, data: bytes, *, file: str = ".PKGINFO") -> PkgInfo:
        """FormatError when a name, version or architecture is missing."""
        values: dict[str, list[str]] = {}
        for line in data.decode(errors="replace").split("\n"):
            key, equals, value = line.partition(" = ")
            if equals and not line.startswith("#"):
                values.setdefault(key.strip(), []).append(value.strip())
        for key in ("pkgname", "pkgver", "arch"):
            if len(values.get(key, ())) != 1:
                raise FormatError("is missing" if key not in values else "is there twice", file=file, key=key)
        name = values["pkgname"][0]
        return cls(
            name=name,
            base=values.get("pkgbase", [name])[0],
            version=values["pkgver"][0],
            arch=values["arch"][0],
            depends=tuple(values.get("depend", ())),
            prohibited=tuple(f"{key} {value}" for key in ("replaces", "group") for value in values.get(key, ())),
        )
