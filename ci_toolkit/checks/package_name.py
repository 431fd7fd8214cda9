"""A folder is called as its package: updates are looked up, and builds scheduled, by the folder's name."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ci_toolkit.checks.problem import Problem, problem_of
from ci_toolkit.checks.spec import PKGBUILD, SRCINFO, Check
from ci_toolkit.errors import ConfigError, FormatError, shortened
from ci_toolkit.formats.key_value import KeyValueFile
from ci_toolkit.formats.pkgbuild_values import static_values
from ci_toolkit.formats.recipe_toml import RECIPE_PATH
from ci_toolkit.formats.srcinfo import SrcInfo
from ci_toolkit.model.names import is_pkgbase, parse_pkgbase
from ci_toolkit.model.package_config import CONFIG_PATH

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ci_toolkit.checks.spec import Files, Subject

_NAME = "package-name"
_RENAMING = ("prepare", "PKGBUILD.prepend", "PKGBUILD.append")
_SAME_NAME = (None, "", "aur", "custom")
_SAYS_SO = re.compile(rb"^(?:pkgbase|pkgname)[ \t]*=", re.MULTILINE)


def _package(name: str, subject: Subject) -> Iterator[Problem]:
    path = f"{name}/{PKGBUILD}"
    pkgbuild = subject.files.read(path)
    described = subject.files.read(f"{name}/{RECIPE_PATH}")
    if described is not None:
        path = f"{name}/{RECIPE_PATH}"
    elif pkgbuild is None:
        yield _problem(name, f"the folder has no PKGBUILD, and no {RECIPE_PATH}")
        return
    try:
        parse_pkgbase(name)
    except ConfigError as error:
        yield problem_of(error, _NAME, path)
        return
    fault = subject.tools.build_fault(name, is_described=described is not None)
    if fault is not None:
        yield _problem(path, fault)
    if pkgbuild is not None and described is None:
        yield from _other_name(name, pkgbuild, subject)


def _other_name(name: str, pkgbuild: bytes, subject: Subject) -> Iterator[Problem]:
    path = f"{name}/{PKGBUILD}"
    srcinfo = subject.files.read(f"{name}/{SRCINFO}")
    told = _of_pkgbuild(pkgbuild)
    file, said, text = (path, told, pkgbuild) if told else (f"{name}/{SRCINFO}", _of_srcinfo(srcinfo), srcinfo or b"")
    if said is not None and said != name and not _is_renamed(name, subject.files):
        hint = f"git mv {name} {said}" if is_pkgbase(said) else None
        yield _problem(file, f"pkgbase is {shortened(said)}, and the folder is called {name}", hint, _line(text))


def _is_renamed(name: str, files: Files) -> bool:
    """Whether the package gets its name on the way to the build, or comes from a place where it has another one."""
    if any(files.read(f"{name}/.CI/{hook}") is not None for hook in _RENAMING):
        return True
    try:
        file = KeyValueFile.parse(files.read(f"{name}/{CONFIG_PATH}") or b"", file=CONFIG_PATH)
    except FormatError:
        return False  # ci-config says what is wrong with it
    return file.get("CI_PKGBUILD_SOURCE") not in _SAME_NAME


def _line(text: bytes) -> int | None:
    found = _SAYS_SO.search(text)
    return text.count(b"\n", 0, found.start()) + 1 if found else None


def _of_pkgbuild(pkgbuild: bytes) -> str | None:
    told = static_values(pkgbuild).pkgbase
    return told[0] if isinstance(told, tuple) and len(told) == 1 else None


def _of_srcinfo(srcinfo: bytes | None) -> str | None:
    try:
        return SrcInfo.parse(srcinfo, file=SRCINFO).pkgbase if srcinfo else None
    except FormatError:
        return None  # pkgbuild-srcinfo says what is wrong with it


def _problem(file: str, text: str, hint: str | None = None, line: int | None = None) -> Problem:
    return Problem(check=_NAME, severity="error", file=file, line=line, text=text, hint=hint)


CHECK = Check(name=_NAME, package=_package)
