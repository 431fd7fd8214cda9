r"""`.SRCINFO`: what makepkg says about a PKGBUILD, as `key = value` lines.

    pkgbase = hello                 first the pkgbase section
        pkgver = 1.0
        pkgrel = 1
        depends = glibc             one line a value
        source_x86_64 = a.tar.gz    architectures have keys of their own

    pkgname = hello                 then a section for every package, with what differs from the pkgbase section
        depends =                   nothing behind `=`: this package has none, whatever the pkgbase section says

Indentation, the number of blanks around `=`, blank lines and `#` lines mean nothing; CRLF is read. Sources: the AUR's
format page (wiki.archlinux.org/title/.SRCINFO), and the 2,533 files of the public repository: all are read but one,
which is empty.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from sys import intern
from typing import Never

from ci_toolkit.errors import FormatError

_KEY = re.compile(r"[A-Za-z0-9_]+")
_NAME = re.compile(r"[A-Za-z0-9@_+][A-Za-z0-9@._+-]*")
_BLANKS = " \t\r"  # \r: half of a CRLF line ending
_SINGLE = frozenset({"pkgver", "pkgrel", "epoch"})
_REMAKE = "run makepkg --printsrcinfo > .SRCINFO"

_Entries = list[tuple[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """The pkgbase section or that of one package, with its `key = value` lines in order."""

    name: str
    entries: tuple[tuple[str, str], ...] = field(default=(), repr=False)

    def values(self, key: str) -> tuple[str, ...]:
        """All values of exactly `key`, in order; empty ones are left out."""
        return tuple([value for entry, value in self.entries if entry == key and value])

    def value(self, key: str) -> str | None:
        """The first value of `key`, None when it has none."""
        return next((value for entry, value in self.entries if entry == key and value), None)

    def values_all_arch(self, key: str) -> tuple[tuple[str, str], ...]:
        """`(full key, value)` of `key` and all its `key_<architecture>` variants, in the order of the file."""
        prefix = f"{key}_"
        return tuple([entry for entry in self.entries if entry[1] and (entry[0] == key or entry[0].startswith(prefix))])

    def keys(self) -> tuple[str, ...]:
        """Every key that has a line, in order of first appearance."""
        return tuple(dict.fromkeys(entry for entry, _ in self.entries))

    def overrides(self, key: str) -> bool:
        """Whether the section has a line for `key`, were it an empty one."""
        return any(entry == key for entry, _ in self.entries)


@dataclass(frozen=True, slots=True, kw_only=True)
class SrcInfo:
    """One `.SRCINFO`: `base` is the pkgbase section, `packages` has at least one section; `pkgver` is free text."""

    pkgbase: str
    base: Section
    packages: tuple[Section, ...]
    pkgver: str
    pkgrel: str
    epoch: str | None
    _data: bytes = field(repr=False)

    @classmethod
    def parse(cls, data: bytes, *, file: str) -> SrcInfo:
        """The value of these bytes; FormatError with line and key at the first thing that cannot be."""
        reader = _Reader(file)
        for number, line in enumerate(_decoded(data, file).split("\n"), 1):
            text = line.strip(_BLANKS)
            if text and text[0] != "#":
                reader.read_line(number, text)
        base, *packages = reader.finished_sections()
        return cls(
            pkgbase=base.name,
            base=base,
            packages=tuple(packages),
            pkgver=reader.required(base, "pkgver"),
            pkgrel=reader.required(base, "pkgrel"),
            epoch=base.value("epoch"),
            _data=data,
        )

    @property
    def version(self) -> str:
        """`[epoch:]pkgver-pkgrel`; like makepkg, an epoch of 0 is not written."""
        epoch = f"{self.epoch}:" if self.epoch and self.epoch.strip("0") else ""
        return f"{epoch}{self.pkgver}-{self.pkgrel}"

    @property
    def names(self) -> tuple[str, ...]:
        """The pkgnames, in order."""
        return tuple(package.name for package in self.packages)

    def effective(self, section: Section, key: str) -> tuple[str, ...]:
        """What `key` means for a package: its own values if it says anything, even nothing, else the pkgbase's."""
        return (section if section.overrides(key) else self.base).values(key)

    def to_bytes(self) -> bytes:
        """The bytes that were parsed."""
        return self._data


class _Reader:
    """The sections that were seen so far."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.sections: list[tuple[str, _Entries]] = []
        self.names: set[str] = set()
        self.entries: _Entries | None = None

    def read_line(self, number: int, text: str) -> None:
        key, equals, value = text.partition("=")
        key, value = key.rstrip(_BLANKS), value.lstrip(_BLANKS)
        if not equals or not _KEY.fullmatch(key):
            self._refuse("is not `key = value`", line=number, got=text)
        if key in ("pkgbase", "pkgname"):
            self._begin(number, key, value)
        elif self.entries is None:
            self._refuse("stands before pkgbase", line=number, key=key)
        elif key in _SINGLE and any(entry == key for entry, _ in self.entries):
            self._refuse("is there twice", line=number, key=key, got=value)
        else:
            self.entries.append((intern(key), value))

    def _begin(self, number: int, key: str, name: str) -> None:
        if key == "pkgbase" and self.sections:
            self._refuse("is there twice", line=number, key=key, got=name)
        if key == "pkgname" and not self.sections:
            self._refuse("stands before pkgbase", line=number, key=key, got=name)
        if not _NAME.fullmatch(name):
            self._refuse("is no possible package name", line=number, key=key, got=name)
        if key == "pkgname":
            if name in self.names:
                self._refuse("is there twice", line=number, key=key, got=name)
            self.names.add(name)
        self.entries = []
        self.sections.append((name, self.entries))

    def finished_sections(self) -> list[Section]:
        if not self.sections:
            self._refuse("is missing", key="pkgbase")
        if not self.names:
            self._refuse("is missing", key="pkgname")
        return [Section(name=name, entries=tuple(entries)) for name, entries in self.sections]

    def required(self, base: Section, key: str) -> str:
        value = base.value(key)
        return self._refuse("is missing", key=key) if value is None else value

    def _refuse(
        self, problem: str, *, line: int | None = None, key: str | None = None, got: str | None = None
    ) -> Never:
        raise FormatError(problem, file=self.file, line=line, key=key, got=got, hint=_REMAKE)


def _decoded(data: bytes, file: str) -> str:
    if not data.strip():
        raise FormatError("is empty", file=file, hint=_REMAKE)
    if b"\0" in data:
        line = data.count(b"\n", 0, data.index(b"\0")) + 1
        raise FormatError("has a NUL byte", file=file, line=line, hint=_REMAKE)
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        got = data[error.start : error.end].hex(" ")
        raise FormatError("is not UTF-8", file=file, line=line, got=got, hint=_REMAKE) from error
