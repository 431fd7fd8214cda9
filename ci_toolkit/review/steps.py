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
    r"|commit|tag|pkgver[a-z]{1,12}"
)
_COMPUTED_FROM = re.compile(r"\$\{?([A-Za-z_]\w*)")
_EXPANSION = re.compile(r"\$(?:\{([A-Za-z_][A-Za-z0-9_]*)\}|([A-Za-z_][A-Za-z0-9_]*))")
_PUT_TOGETHER = re.compile(r"(?:\$\{[A-Za-z_][A-Za-z0-9_]*\}|\$[A-Za-z_][A-Za-z0-9_]*|[A-Za-z0-9.+]|_(?![A-Za-z]))+")
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
    old_values, new_values = _with_computed(old, before), _with_computed(new, after)
    changed = {
        name: (before[name], after[name])
        for name in before
        if name in after and before[name] != after[name] and is_version_name(name)
    }
    if "pkgver" not in changed and _pattern(old) != _pattern(new) and _is_same_sum(old, new):
        changed["pkgver"] = (old_values.get("pkgver", ""), new_values.get("pkgver", ""))
    return Steps(old=old_values, new=new_values, changed=changed)


def is_version_name(name: str) -> bool:
    """Whether a variable of this name may hold a version or hash."""
    return name in ("pkgver", "pkgrel", "epoch") or VERSION_NAME.fullmatch(name) is not None


def is_value(text: str) -> bool:
    """Whether this is a version, a tag with a digit in it, or a whole hash."""
    return is_hash(text) or (is_version_text(text.replace("-", ".")) and re.search(r"[0-9]", text) is not None)


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
    """With a pkgver that is made of literal variables as good as put in, such as `${_major}.3` or `${_tag//-/.}`."""
    pattern = _pattern(script)
    if "pkgver" in values or pattern is None:
        return values
    names = _COMPUTED_FROM.findall(pattern)
    if not names or not all(name in values for name in names):
        return values
    if _PUT_TOGETHER.fullmatch(pattern):
        return {**values, "pkgver": _EXPANSION.sub(lambda match: values[match[1] or match[2]], pattern)}
    # A hash has no order: it says nothing about whether the version goes up.
    parts = [values[name] for name in names if not is_hash(values[name])]
    return {**values, "pkgver": ".".join(parts)} if parts else values


def _pattern(script: ReadScript) -> str | None:
    """What stands behind `pkgver=` without quotes, when that is set once and no array."""
    settings = [setting for setting in script.settings.settings if setting.name == "pkgver"]
    word = settings[0].value if len(settings) == 1 and not settings[0].doubt else None
    return None if word is None else script.data[word.start : word.end].decode(errors="replace").strip("'\"")


def _is_same_sum(old: ReadScript, new: ReadScript) -> bool:
    """Whether pkgver is put together of the same variables on both sides, and only the text between them differs."""
    before, after = _pattern(old) or "", _pattern(new) or ""
    is_put_together = _PUT_TOGETHER.fullmatch(before) and _PUT_TOGETHER.fullmatch(after)
    return bool(is_put_together) and _EXPANSION.findall(before) == _EXPANSION.findall(after)


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
