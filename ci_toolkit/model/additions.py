"""What people ask to be added: packages with where they come from, and who wanted them and why."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ci_toolkit.errors import ConfigError
from ci_toolkit.formats.key_value import KeyValueFile
from ci_toolkit.model.names import Pkgbase, parse_pkgbase
from ci_toolkit.model.package_config import CONFIG_PATH

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

AUR = "aur"
INFO_PATH = ".CI/info"
LONGEST_INFO = 500
_FORM = "write NAME/SOURCE with blanks between several; SOURCE is aur, a git URL, github:…, gitlab:… or gitea:…"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """A package, and its CI_PKGBUILD_SOURCE."""

    pkgbase: Pkgbase
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """Where a wish comes from and why, each one line; None: not said."""

    origin: str | None = None
    reason: str | None = None

    def file(self) -> bytes | None:
        """`.CI/info`; None when there is nothing to say."""
        info = KeyValueFile.empty(file=INFO_PATH)
        for key, value in (("REQ_ORIGIN", self.origin), ("REQ_REASON", self.reason)):
            info = info.with_value(key, value) if value else info
        return info.to_bytes() or None


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """A dependency as it is written, without its version, and the package that has it."""

    name: str
    pkgbase: Pkgbase


@dataclass(frozen=True, slots=True, kw_only=True)
class DependencyTree:
    """What has to come with packages: `needs` of each, by package; circles are possible.

    `unknown` are dependencies, by package, that nobody is known to have.
    """

    roots: tuple[Pkgbase, ...]
    needs: Mapping[Pkgbase, tuple[Need, ...]] = field(default_factory=dict)
    unknown: Mapping[Pkgbase, tuple[str, ...]] = field(default_factory=dict)

    def below(self, start: Pkgbase) -> tuple[Pkgbase, ...]:
        """A package and everything that comes with it, each once."""
        found = {start: None}
        stack = [start]
        while stack:
            for need in self.needs.get(stack.pop(), ()):
                if need.pkgbase not in found:
                    found[need.pkgbase] = None
                    stack.append(need.pkgbase)
        return tuple(found)

    def needed_by(self, pkgbase: Pkgbase) -> tuple[Pkgbase, ...]:
        """Who needs a package directly."""
        return tuple(sorted(one for one, needs in self.needs.items() if any(need.pkgbase == pkgbase for need in needs)))


def parse_wishes(texts: Iterable[str]) -> tuple[Wish, ...]:
    """The wishes of a list, in order, each once; a name alone comes from the AUR.

    ConfigError with everything that is wrong with any of them.
    """
    words = dict.fromkeys(word for text in texts for word in text.split())
    wishes: dict[Pkgbase, Wish] = {}
    faults: list[str] = []
    for word in words:
        name, _, source = word.partition("/")
        try:
            wish = Wish(pkgbase=parse_pkgbase(name), source=source or AUR)
        except ConfigError as error:
            faults.append(f"{word[:200]!r}: {error.what}")
            continue
        if wishes.setdefault(wish.pkgbase, wish) != wish:
            faults.append(f"{name} has two sources: {wishes[wish.pkgbase].source} and {wish.source}")
        if word.endswith("/"):
            faults.append(f"{word!r} names no source")
    if faults:
        raise ConfigError("; ".join(faults), hint=_FORM)
    if not wishes:
        raise ConfigError("no package is named", hint=_FORM)
    return tuple(wishes.values())


def parse_info(text: str | None, key: str) -> str | None:
    """A value for `.CI/info`, None when it is empty or `unset`; ConfigError when it is no short line of text."""
    value = (text or "").strip()
    if value in ("", "unset"):
        return None
    if not value.isprintable():
        raise ConfigError("has a line break or a control character", key=key, got=value, hint="write one line of text")
    if len(value) > LONGEST_INFO:
        raise ConfigError(f"is longer than {LONGEST_INFO} characters", key=key, got=value)
    return value


def config_file(source: str) -> bytes:
    """The `.CI/config` of a new package."""
    return KeyValueFile.empty(file=CONFIG_PATH).with_value("CI_PKGBUILD_SOURCE", source).to_bytes()
