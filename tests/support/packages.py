"""Texts of package folders, formatted as shfmt would, so that formatting changes nothing."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class SamplePackage:
    """A package that could be real; `git_source` makes it a VCS package."""

    name: str
    version: str = "1.0"
    release: str = "1"
    depends: tuple[str, ...] = ()
    makedepends: tuple[str, ...] = ()
    provides: tuple[str, ...] = ()
    git_source: str | None = None
    body: str = 'install -Dm755 "$srcdir/tool" "$pkgdir/usr/bin/$pkgname"'
    sums: str | None = None

    @property
    def source(self) -> str:
        return f"git+{self.git_source}" if self.git_source else f"https://example.org/{self.name}-{self.version}.tar.gz"

    @property
    def checksum(self) -> str:
        if self.git_source:
            return "SKIP"
        return self.sums or hashlib.sha256(f"{self.name}{self.version}".encode()).hexdigest()

    def pkgbuild(self) -> str:
        source = self.source.replace(self.version, "$pkgver") if not self.git_source else self.source
        return (
            f"pkgname={self.name}\n"
            f"pkgver={self.version}\n"
            f"pkgrel={self.release}\n"
            f"pkgdesc='A sample'\n"
            f"arch=('any')\n"
            f"license=('MIT')\n"
            f"depends=({' '.join(map(repr, self.depends))})\n"
            f"makedepends=({' '.join(map(repr, self.makedepends))})\n"
            f'source=("{source}")\n'
            f"sha256sums=('{self.checksum}')\n"
            "\n"
            "package() {\n"
            f"  {self.body}\n"
            "}\n"
        )

    def srcinfo(self) -> str:
        rows = [f"pkgbase = {self.name}", "\tpkgdesc = A sample", f"\tpkgver = {self.version}"]
        rows += [f"\tpkgrel = {self.release}", "\tarch = any", "\tlicense = MIT"]
        rows += [f"\tmakedepends = {name}" for name in self.makedepends]
        rows += [f"\tdepends = {name}" for name in self.depends]
        rows += [f"\tprovides = {name}" for name in self.provides]
        rows += [f"\tsource = {self.source}", f"\tsha256sums = {self.checksum}", "", f"pkgname = {self.name}"]
        return "\n".join(rows) + "\n"

    def files(self) -> dict[str, str]:
        """What an upstream holds: file name to text."""
        return {"PKGBUILD": self.pkgbuild(), ".SRCINFO": self.srcinfo()}

    def folder(self, config: str | None = "CI_PKGBUILD_SOURCE=aur\n") -> dict[str, str]:
        """What the package repository holds: path to text."""
        found = {f"{self.name}/{path}": text for path, text in self.files().items()}
        if config is not None:
            found[f"{self.name}/.CI/config"] = config
        return found
