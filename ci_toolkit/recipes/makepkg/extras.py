"""Packages that a build is given although its PKGBUILD does not ask for them.

Many PKGBUILDs take for granted what their author has installed: the program that fetches a VCS source, and for 32-bit
packages a compiler that makes such. Sources of the rule: what public builders of such repositories add.
"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, NamedTuple

from ci_toolkit.formats.source_url import parse_vcs_source
from ci_toolkit.recipes.build_sources import remote_sources
from ci_toolkit.recipes.makepkg.compiling import wants_ccache
from ci_toolkit.recipes.makepkg.demands import written

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ci_toolkit.formats.srcinfo import SrcInfo

# By what stands before `+` in a source, and at the end of names: Arch's package, its program, and Debian's package.
_SYSTEMS = {
    "git": ("git", "git", "git"),
    "svn": ("subversion", "svn", "subversion"),
    "hg": ("mercurial", "hg", "mercurial"),
    "bzr": ("breezy", "bzr", "brz"),
    "fossil": ("fossil", "fossil", "fossil"),
}
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin"


class Extra(NamedTuple):
    """A package of Arch, and why it is wanted, as the end of a sentence."""

    package: str
    why: str


class MissingProgram(NamedTuple):
    """A program that this machine has not: Arch's and Debian's package with it."""

    program: str
    package: str
    of_debian: str


def extras(srcinfo: SrcInfo, architecture: str, *, ccache: bool) -> tuple[Extra, ...]:
    """What to install beside the dependencies, each once, for its first reason; `ccache`: it is to be used anyway."""
    found: dict[str, Extra] = {}
    for extra in (*_of_version_control(srcinfo, architecture), *_of_32_bits(srcinfo, architecture)):
        found.setdefault(extra.package, extra)
    if wants_ccache(srcinfo, default=ccache):
        found["ccache"] = Extra(
            "ccache", "the repository keeps compiler caches" if ccache else "its options ask for it"
        )
    return tuple(found.values())


def missing_programs(srcinfo: SrcInfo, architecture: str) -> tuple[MissingProgram, ...]:
    """What makepkg fetches and unpacks VCS sources with, and what its options ask for, that this machine has not."""
    found = {}
    if wants_ccache(srcinfo, default=False) and shutil.which("ccache", path=_PATH) is None:
        found["ccache"] = MissingProgram("ccache", "ccache", "ccache")
    for system in _systems(srcinfo, architecture):
        package, program, of_debian = _SYSTEMS[system]
        if shutil.which(program, path=_PATH) is None:
            found[program] = MissingProgram(program, package, of_debian)
    return tuple(found.values())


def _systems(srcinfo: SrcInfo, architecture: str) -> Iterator[str]:
    for source in remote_sources(srcinfo, architecture):
        vcs = parse_vcs_source(source.text)
        if vcs is not None:
            yield vcs.vcs


def _of_version_control(srcinfo: SrcInfo, architecture: str) -> Iterator[Extra]:
    for system in _systems(srcinfo, architecture):
        yield Extra(_SYSTEMS[system][0], f"it has a source of {system}")
    for system, (package, _, _) in _SYSTEMS.items():
        if any(name.endswith(f"-{system}") for name in (srcinfo.pkgbase, *srcinfo.names)):
            yield Extra(package, f"its name ends in -{system}")


def _of_32_bits(srcinfo: SrcInfo, architecture: str) -> Iterator[Extra]:
    if any(name.startswith("lib32-") for name in (srcinfo.pkgbase, *srcinfo.names)):
        yield Extra("multilib-devel", "its name begins with lib32-")
    elif any(text.startswith("lib32-") for text in written(srcinfo, architecture)):
        yield Extra("multilib-devel", "it depends on 32-bit libraries")
