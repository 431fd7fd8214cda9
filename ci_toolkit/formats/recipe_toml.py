"""`.CI/recipe.toml`: how a folder without PKGBUILD is built, by its owner.

    recipe = "command"              # the name of a recipe; this one where it is left out
    version = "1.2.0"               # or version_file = "VERSION": a file of the folder whose only line it is
    release = "1"                   # grows when the same version is built anew; 1 where it is left out
    needs = ["libfoo", "cmake"]     # packages that have to be there, as in makedepends of a PKGBUILD
    timeout = 600                   # seconds, at most CI_BUILD_TIMEOUT_MAX; CI_BUILD_TIMEOUT where it is left out
    network = false                 # true lets the build reach the network, as BUILDER_NETWORK does
    publish = "directory"           # the publisher; the recipe's own where it is left out

    [environment]                   # what the build finds in its environment
    MODE = "release"

Every other key belongs to the recipe, which judges it itself.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ci_toolkit.errors import ConfigError, FormatError
from ci_toolkit.formats.srcinfo import SrcInfo
from ci_toolkit.formats.toml_values import boolean_at, table_at, text_at, texts_at

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

RECIPE_PATH = ".CI/recipe.toml"
DEFAULT_RECIPE = "command"
_LARGEST_BYTES = 1 << 20
_VERSION = re.compile(r"[A-Za-z0-9_.+~]+")
_PATH = re.compile(r"(?!\.CI/)[A-Za-z0-9_+-][A-Za-z0-9._+-]*(/[A-Za-z0-9_+-][A-Za-z0-9._+-]*)*")
_RELEASE = re.compile(r"[0-9]+(\.[0-9]+)?")
_RECIPE = re.compile(r"[a-z][a-z0-9_]*")
_NEEDED = re.compile(r"[A-Za-z0-9@_+][A-Za-z0-9@._+-]*((<|<=|=|>=|>)[A-Za-z0-9:._+~-]+)?")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_COMMON = ("recipe", "version", "version_file", "release", "needs", "timeout", "network", "publish", "environment")
_HINTS = {"version": "letters, digits and _.+~ as in pkgver", "release": "a number, as pkgrel"}


@dataclass(frozen=True, slots=True, kw_only=True)
class RecipeFile:
    """What such a file says; `own` are the keys that the recipe itself judges.

    `version_file` is where the version was read, which upstreams may bring a new one into.
    """

    recipe: str
    version: str
    version_file: str | None = None
    release: str = "1"
    needs: tuple[str, ...] = ()
    timeout_s: float | None = None
    network: bool = False
    publisher: str | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    own: Mapping[str, Any] = field(default_factory=dict)

    def srcinfo(self, pkgbase: str) -> SrcInfo:
        """The same in the words of `.SRCINFO`, so that everything that asks for versions and needs finds them there."""
        rows = [("pkgver", self.version), ("pkgrel", self.release), ("arch", "any")]
        rows += [("makedepends", name) for name in self.needs]
        lines = [f"pkgbase = {pkgbase}", *(f"\t{key} = {value}" for key, value in rows), "", f"pkgname = {pkgbase}", ""]
        return SrcInfo.parse("\n".join(lines).encode(), file=RECIPE_PATH)


def parse_recipe_file(content: bytes, *, read: Callable[[str], bytes | None], file: str = RECIPE_PATH) -> RecipeFile:
    """The typed form; FormatError for what is no TOML, ConfigError for a value that cannot be, both with the place.

    `read` gives the folder's files by their path, None for one that is not there.
    """
    try:
        return _parsed(_loaded(content, file), read)
    except ConfigError as error:
        raise error.located(file=file) from None


def version_file_of(content: bytes) -> str | None:
    """Where a file says that the version is, if it says so at all; None where it cannot be read."""
    try:
        found = _loaded(content, RECIPE_PATH).get("version_file")
    except FormatError:
        return None
    return found if isinstance(found, str) and _PATH.fullmatch(found) else None


def version_in(content: bytes, *, file: str) -> str:
    """The version that a file of one line has; FormatError for anything else."""
    text = content.decode(errors="replace").strip()
    if not _VERSION.fullmatch(text):
        raise FormatError("has no version as its only line", file=file, got=text, hint=_HINTS["version"])
    return text


def named_recipe(content: bytes) -> str:
    """The recipe that a file names, and the default one where it names none or cannot be read: that one says why."""
    try:
        named = _loaded(content, RECIPE_PATH).get("recipe", DEFAULT_RECIPE)
    except FormatError:
        return DEFAULT_RECIPE
    return named if isinstance(named, str) and _RECIPE.fullmatch(named) else DEFAULT_RECIPE


def _loaded(content: bytes, file: str) -> dict[str, Any]:
    if len(content) > _LARGEST_BYTES:
        raise FormatError(f"is larger than {_LARGEST_BYTES} bytes", file=file)
    try:
        return tomllib.loads(content.decode())
    except UnicodeDecodeError as error:
        raise FormatError("is not UTF-8", file=file, line=content.count(b"\n", 0, error.start) + 1) from error
    except tomllib.TOMLDecodeError as error:
        raise FormatError(f"is no TOML: {error}", file=file) from error
    except RecursionError:
        raise FormatError("is nested too deeply", file=file) from None


def _parsed(table: Mapping[str, Any], read: Callable[[str], bytes | None]) -> RecipeFile:
    needs = texts_at(table, "needs", "")
    for name in needs:
        _match(_NEEDED, name, "needs", "names no package")
    version, version_file = _version(table, read)
    return RecipeFile(
        recipe=_match(_RECIPE, text_at(table, "recipe", DEFAULT_RECIPE), "recipe", "is no name of a recipe"),
        version=version,
        version_file=version_file,
        release=_match(_RELEASE, text_at(table, "release", "1"), "release", "is no release"),
        needs=tuple(dict.fromkeys(needs)),
        timeout_s=_timeout(table),
        network=boolean_at(table, "network", default=False),
        publisher=text_at(table, "publish") if "publish" in table else None,
        environment=_environment(table_at(table, "environment")),
        own={key: value for key, value in table.items() if key not in _COMMON},
    )


def _version(table: Mapping[str, Any], read: Callable[[str], bytes | None]) -> tuple[str, str | None]:
    if "version_file" not in table:
        return _match(_VERSION, text_at(table, "version"), "version", "is no version"), None
    path = _match(_PATH, text_at(table, "version_file"), "version_file", "names no file of the folder beside .CI")
    if "version" in table:
        raise ConfigError("says what version_file says, too", key="version", hint="remove one of the two")
    content = read(path)
    if content is None:
        raise ConfigError("names a file that is not there", key="version_file", got=path)
    return version_in(content, file=path), path


def _timeout(table: Mapping[str, Any]) -> float | None:
    found = table.get("timeout")
    if found is None:
        return None
    if isinstance(found, bool) or not isinstance(found, int | float) or not 1 <= found < float("inf"):
        raise ConfigError("is no number of seconds", key="timeout", got=str(found), hint="1 or more")
    return float(found)


def _environment(table: Mapping[str, Any]) -> dict[str, str]:
    for name, value in table.items():
        _match(_VARIABLE, name, "environment", "has a name that no variable can have")
        if not isinstance(value, str) or "\0" in value:
            raise ConfigError("is no text", key=f"environment.{name}", got=str(value), hint="write it in quotes")
    return dict(table)


def _match(pattern: re.Pattern[str], text: str, key: str, problem: str) -> str:
    if not pattern.fullmatch(text):
        raise ConfigError(problem, key=key, got=text, hint=_HINTS.get(key))
    return text
