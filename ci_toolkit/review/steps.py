"""Which versions a change steps from and to: what all other judgements about values rest on."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ci_toolkit.formats.version import compare_versions, is_version_text
from ci_toolkit.formats.version_shape import is_hash

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ci_toolkit.review.commands import ReadScript, Statement

VERSION_NAME = re.compile(
    r"_[a-z0-9_]*(?:ver|tag|commit|rev|sha|hash|build|date|rel|maj|min|patch|micro|rc|sum|ref|num|snap)[a-z0-9_]*"
    r"|_?commit"
)
_COMPUTED_FROM = re.compile(r"\$\{?([A-Za-z_]\w*)")
_TAG = re.compile(r"[A-Za-z]{0,12}[-_/]?(?=[0-9])")


@dataclass(frozen=True, slots=True, kw_only=True)
class Steps:
    """Literal values before and after, of scalars that are set once, by name; of changed ones only in `changed`."""

    old: Mapping[str, str]
    new: Mapping[str, str]
    changed: Mapping[str, tuple[str, str]] = field(default_factory=dict)

    @property
    def is_new_version(self) -> bool:
        """Whether pkgver, or all it is made of that changes, goes up."""
        if "pkgver" not in self.old or "pkgver" not in self.new:
            return False
        return compare_versions(self.new["pkgver"], self.old["pkgver"]) > 0

    @property
    def pairs(self) -> tuple[tuple[str, str], ...]:
        """Texts that may stand for one another in a URL: versions and hashes that change, and their usual spellings."""
        result: dict[tuple[str, str], None] = {}
        for name, (old, new) in self.changed.items():
            if name in ("pkgrel", "epoch"):
                continue
            for old_text, new_text in (*_spellings(old, new), *_shorter(old, new)):
                if old_text and old_text != new_text:
                    result[old_text, new_text] = None
        return tuple(result)


def read_steps(old: ReadScript, new: ReadScript) -> Steps:
    """The literal versions of both sides; a name that anything else may set as well is left out."""
    before, after = _scalars(old), _scalars(new)
    changed = {
        name: (before[name], after[name])
        for name in before
        if name in after and before[name] != after[name] and is_version_name(name)
    }
    return Steps(old=_with_computed(old, before), new=_with_computed(new, after), changed=changed)


def is_version_name(name: str) -> bool:
    """Whether a variable of this name may hold a version or hash."""
    return name in ("pkgver", "pkgrel", "epoch") or VERSION_NAME.fullmatch(name) is not None


def is_value(text: str) -> bool:
    """Whether this is a version, a tag with a digit in it, or a whole hash."""
    return is_hash(text) or (is_version_text(text) and re.search(r"[0-9]", text) is not None)


def _scalars(script: ReadScript) -> dict[str, str]:
    count: dict[str, int] = {}
    for setting in script.settings.settings:
        count[setting.name] = count.get(setting.name, 0) + 1
    return {
        statement.name: text
        for statement in script.statements
        if (text := _literal(statement)) is not None and count[statement.name] == 1
    }


def _literal(statement: Statement) -> str | None:
    value = statement.setting.value if statement.setting else None
    return value.text if value else None


def _with_computed(script: ReadScript, values: dict[str, str]) -> dict[str, str]:
    """With a pkgver that is made of literal variables as good as put in, such as `pkgver=${_tag//-/.}`."""
    if "pkgver" in values:
        return values
    for statement in script.statements:
        if statement.name == "pkgver" and statement.kind == "assignment":
            names = _COMPUTED_FROM.findall(statement.text)
            # A hash has no order: it says nothing about whether the version goes up.
            parts = [values[name] for name in names if name in values and not is_hash(values[name])]
            if parts and all(name in values for name in names):
                return {**values, "pkgver": ".".join(parts)}
    return values


def _spellings(old: str, new: str) -> list[tuple[str, str]]:
    """A version as it is, with other separators, and without the `v` of a tag."""
    bare_old, bare_new = _without_prefix(old, new)
    result = [(old, new), (bare_old, bare_new)]
    for separator in ("_", "-", "", "."):
        for old_text, new_text in ((old, new), (bare_old, bare_new)):
            result.append((re.sub(r"[._+~]", separator, old_text), re.sub(r"[._+~]", separator, new_text)))
    return [pair for pair in result if pair[1]]


def _without_prefix(old: str, new: str) -> tuple[str, str]:
    old_prefix, new_prefix = _TAG.match(old), _TAG.match(new)
    if old_prefix and new_prefix and old_prefix[0] == new_prefix[0]:
        return old[old_prefix.end() :], new[new_prefix.end() :]
    return old, new


def _shorter(old: str, new: str) -> list[tuple[str, str]]:
    """The first two and three numbers of longer versions, as in `…/stable/3.24/gtk-3.24.1`."""
    result = []
    for count in (2, 3):
        old_parts, new_parts = old.split("."), new.split(".")
        if len(old_parts) > count and len(new_parts) >= count:
            result.append((".".join(old_parts[:count]), ".".join(new_parts[:count])))
    return result
