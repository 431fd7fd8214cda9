"""A package's `.CI/config` as typed values."""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, TypeVar

from ci_toolkit.errors import ConfigError
from ci_toolkit.formats.key_value import FormatWarning, KeyValueFile
from ci_toolkit.model.config_keys import (
    PACKAGE_KEYS,
    parse_boolean,
    parse_builder,
    parse_count,
    parse_names,
    parse_pattern,
    parse_patterns,
    parse_vcs_sources,
)

if TYPE_CHECKING:
    from collections.abc import Callable


T = TypeVar("T")

CONFIG_PATH = ".CI/config"
ALMOST = 0.85
_BUMP = re.compile(r"(?:(?P<version>[^\s/]+?)(?:-(?P<release>[^\s/-]+))?)(?:/(?P<count>[0-9]+))?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Bump:
    """A wish for a rebuild: while the package is at `version`, build it with pkgrel `pkgrel.count`.

    `version` is `[epoch:]pkgver`, None for the older form that holds for any version; `release` None: any pkgrel.
    """

    version: str | None
    release: str | None
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageConfig:
    """What `.CI/config` says; every field has its documented default."""

    source: str | None = None
    bump: Bump | None = None
    rebuild_triggers: tuple[str, ...] = ()
    on_trigger: str | None = None
    manage_aur: bool = False
    nvchecker: bool = False
    allow_patterns: tuple[re.Pattern[str], ...] = ()
    force_vcs: bool = False
    tag_filter: re.Pattern[str] | None = None
    releases_only: bool = False
    all_vcs_sources: bool = False
    cache_sources: bool = False
    builder_class: str | None = None
    extra_timeout: int = 1
    allow_prohibited: bool = False
    network: bool = False


def parse_bump(text: str) -> Bump:
    """A `CI_PACKAGE_BUMP` value: `[epoch:]pkgver[-pkgrel][/N]`, or the older bare number."""
    if text.isascii() and text.isdigit():
        return Bump(version=None, release=None, count=parse_count(text))
    match = _BUMP.fullmatch(text)
    if match is None or match["version"] is None:
        raise ConfigError("is no bump", got=text, hint="write [epoch:]pkgver-pkgrel/N, such as 1.2-1/1")
    return Bump(version=match["version"], release=match["release"], count=parse_count(match["count"] or "1"))


def misspelt_keys(file: KeyValueFile) -> tuple[FormatWarning, ...]:
    """Keys that are almost one of ours. Others are those of neighbouring tools, and none of our business."""
    found = []
    for key in file.keys():  # noqa: SIM118 - it is no mapping
        close = get_close_matches(key, PACKAGE_KEYS, n=1, cutoff=ALMOST) if key not in PACKAGE_KEYS else []
        if close:
            text = f"{key} is no key of ci-toolkit; did you mean {close[0]}?"
            found.append(FormatWarning(file=file.file, line=file.line_of(key) or 0, text=text))
    return tuple(found)


def parse_package_config(file: KeyValueFile) -> PackageConfig:
    """The typed form; ConfigError with key and line at the first value that is not acceptable."""
    read = _Reader(file)
    return PackageConfig(
        source=read("CI_PKGBUILD_SOURCE", str, None),
        bump=read("CI_PACKAGE_BUMP", parse_bump, None),
        rebuild_triggers=read("CI_REBUILD_TRIGGERS", parse_names, ()),
        on_trigger=read("CI_ON_TRIGGER", str, None),
        manage_aur=read("CI_MANAGE_AUR", parse_boolean, default=False),
        nvchecker=read("CI_NVCHECKER", parse_boolean, default=False),
        allow_patterns=read("CI_PKGBUILD_CHANGE_ALLOW_REGEX", parse_patterns, ()),
        force_vcs=read("CI_FORCE_VCS", parse_boolean, default=False),
        tag_filter=read("CI_TAG_FILTER", parse_pattern, None),
        releases_only=read("CI_RELEASES_ONLY", parse_boolean, default=False),
        all_vcs_sources=read("CI_VCS_SOURCES", parse_vcs_sources, default=False),
        cache_sources=read("BUILDER_CACHE_SOURCES", parse_boolean, default=False),
        builder_class=read("BUILDER_CLASS", parse_builder, None),
        extra_timeout=read("BUILDER_EXTRA_TIMEOUT", parse_count, 1),
        network=read("BUILDER_NETWORK", parse_boolean, default=False),
        allow_prohibited=read("BUILDER_ALLOW_PROHIBITED", parse_boolean, default=False),
    )


@dataclass(frozen=True, slots=True)
class _Reader:
    file: KeyValueFile

    def __call__(self, key: str, parse: Callable[[str], T], default: T | None) -> T:
        text = self.file.get(key)
        if not text:
            return default  # type: ignore[return-value]  # T is optional wherever the default is None
        try:
            return parse(text)
        except ConfigError as error:
            raise error.located(file=self.file.file, key=key, line=self.file.line_of(key)) from None
