"""How the bash template reads what users wrote: its own rules, so that what will be different can be told.

Read off the template (chaotic-cx/chaotic-repository-template, state of August 2026): `.ci/util.shlib`,
`.ci/awk/get-deps.awk` and `.ci/schedule-packages.sh`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ci_toolkit.formats.deptree import DeptreeRecord

if TYPE_CHECKING:
    from ci_toolkit.model.names import Pkgbase

PACKAGE_KEYS = frozenset(
    {
        "CI_PKGBUILD_SOURCE",
        "CI_PACKAGE_BUMP",
        "CI_FORCE_VCS",
        "CI_ON_TRIGGER",
        "CI_MANAGE_AUR",
        "CI_NVCHECKER",
        "CI_PKGBUILD_CHANGE_ALLOW_REGEX",
        "CI_REBUILD_TRIGGERS",
        "BUILDER_CACHE_SOURCES",
        "BUILDER_EXTRA_TIMEOUT",
        "BUILDER_CLASS",
        "BUILDER_ALLOW_PROHIBITED",
    }
)
# `(.*)` is greedy, so quotes, blanks and CR at the end are part of the value.
_LINE = re.compile(r"[ \t\r\f\v]*([a-zA-Z0-9_]+)[ \t\r\f\v]*=[ \t\r\f\v]*(.*)")
_NAME = r"([a-zA-Z0-9_-]+)"
_PROVIDES = re.compile(rf"\tprovides = {_NAME}(?:=.*)?")
_PKGNAME = re.compile(rf"pkgname = {_NAME}")
_NEEDS = re.compile(rf"\t(?:make)?depends = {_NAME}(?:[>=<].*)?")


def read_as_template(content: bytes) -> dict[str, str]:
    """Every assignment as the template sees it, keys that it does not know included."""
    lines = content.replace(b"\0", b"").decode(errors="surrogateescape").split("\n")
    return {found[1]: found[2] for line in lines if (found := _LINE.fullmatch(line))}


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateRecord:
    """What the template finds of a package's names and needs."""

    pkgbase: Pkgbase
    names: tuple[str, ...]
    needs: tuple[str, ...]

    @property
    def has_names(self) -> bool:
        """Whether any name was understood."""
        return bool(self.names)

    def as_written(self) -> DeptreeRecord:
        """The record in the template's `.ci/deptree.txt`: without a name the dependencies stand in the names' place."""
        if not self.names:
            return DeptreeRecord(pkgbase=self.pkgbase, names=self.needs, dependencies=())
        return DeptreeRecord(pkgbase=self.pkgbase, names=self.names, dependencies=self.needs)


def template_record(pkgbase: Pkgbase, srcinfo: bytes) -> TemplateRecord:
    """The package's names and needs as the template reads them off `.SRCINFO`.

    Names with other characters than letters, digits, `_` and `-` are lost, and so is what packages of a split pkgbase
    need themselves.
    """
    names: list[str] = []
    needs: list[str] = []
    in_base = False
    for line in srcinfo.decode(errors="replace").split("\n"):
        if line.startswith("pkgname = "):
            in_base = False
        elif line.startswith("pkgbase = "):
            in_base = True
        if found := (_PROVIDES.fullmatch(line) or _PKGNAME.fullmatch(line)):
            names.append(found[1])
        elif in_base and (found := _NEEDS.fullmatch(line)):
            needs.append(found[1])
    return TemplateRecord(pkgbase=pkgbase, names=tuple(names), needs=tuple(needs))
