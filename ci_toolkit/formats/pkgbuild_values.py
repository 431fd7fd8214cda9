r"""What `makepkg --printsrcinfo` would print for a PKGBUILD, as far as that can be told without running it.

>>> values = static_values(b'pkgname=a\npkgver=1.0\nsource=("$pkgname-$pkgver.tar.gz")\nsha256sums=($(cat sum))\n')
>>> values.base.value("source")
('a-1.0.tar.gz',)
>>> values.base.value("sha256sums")
Unknown(why='a command is run in it')

What is known is certain; whatever is not is Unknown. Nothing is run, and hostile text costs bounded time.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ci_toolkit.formats.bash_scope import Variable
from ci_toolkit.formats.bash_words import LostTrackError, UnknownValueError
from ci_toolkit.formats.package_overrides import read_overrides
from ci_toolkit.formats.pkgbuild_schema import (
    ARCH_LISTS,
    LISTS,
    PACKAGE_ARCH_LISTS,
    PACKAGE_LISTS,
    PACKAGE_SCALARS,
    SCALARS,
    base_name,
)
from ci_toolkit.formats.pkgbuild_script import PkgbuildScript, follow

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ci_toolkit.formats.package_overrides import Override

_BLANKS = re.compile(r"[ \t\n\v\f\r]+")
_MOST_PACKAGES = 500
# makepkg's own, while it reads what a package function sets
_SHADOWED = (
    *("pkg", "attr", "a", "package_arch", "singlevalued", "multivalued", "multivalued_arch_attrs", "attrname"),
    *("isarray", "outvalue", "outputvar", "funcname", "attr_regex", "decl", "r", "shellopts", "REPLY", "ref"),
)


@dataclass(frozen=True, slots=True)
class Unknown:
    """A value that cannot be told; `why` is a half sentence for people."""

    why: str


Value = tuple[str, ...] | Unknown


@dataclass(frozen=True, slots=True, kw_only=True)
class StaticSection:
    """One section: values by key, without empty ones; `rest` is the answer for architectures when those are unknown."""

    values: Mapping[str, Value] = field(default_factory=dict)
    rest: Unknown | None = None
    all_keys: Unknown | None = None

    def value(self, key: str) -> Value | None:
        """What the section says about `key`; None: nothing, there is no such line."""
        if self.all_keys is not None:
            return self.all_keys
        if self.rest is not None and base_name(key) != key:
            return self.rest
        return self.values.get(key)


@dataclass(frozen=True, slots=True, kw_only=True)
class StaticValues:
    """All sections; `pkgbase` and `names` are one value and as many as there are packages, or Unknown."""

    pkgbase: Value
    names: Value
    base: StaticSection
    packages: Mapping[str, StaticSection] = field(default_factory=dict)

    def package(self, name: str) -> StaticSection:
        """The section of a package; all of it is unknown where there is no telling which packages there are."""
        if isinstance(self.names, Unknown):
            return StaticSection(all_keys=self.names)
        return self.packages.get(name, StaticSection())


def static_values(pkgbuild: bytes) -> StaticValues:
    """What makepkg would print, field by field; never fails."""
    try:
        script = follow(pkgbuild)
        return _sections(script)
    except LostTrackError as error:
        lost = Unknown(str(error))
        return StaticValues(pkgbase=lost, names=lost, base=StaticSection(all_keys=lost))


def _sections(script: PkgbuildScript) -> StaticValues:
    variables = script.scope.variables
    names = _names(variables.get("pkgname"))
    pkgbase = _single(variables.get("pkgbase"))
    if pkgbase == ():
        pkgbase = names[:1] if isinstance(names, tuple) else names
    base = _base(variables)
    variables["pkgbase"] = Variable(pkgbase) if isinstance(pkgbase, tuple) else Variable(unknown=pkgbase.why)
    packages = _packages(script, names) if isinstance(names, tuple) else {}
    return StaticValues(pkgbase=pkgbase, names=names, base=base, packages=packages)


def _base(variables: Mapping[str, Variable]) -> StaticSection:
    values: dict[str, Value] = {key: _single(variables.get(key)) for key in SCALARS}
    values |= {key: _several(variables.get(key)) for key in LISTS}
    return _with_architectures(values, values["arch"], ARCH_LISTS, variables)


def _with_architectures(
    values: dict[str, Value], arch: Value, keys: Iterable[str], variables: Mapping[str, Variable]
) -> StaticSection:
    if isinstance(arch, Unknown) or len(set(arch)) != len(arch):
        rest = arch if isinstance(arch, Unknown) else Unknown("an architecture is there twice")
        return StaticSection(values=values, rest=rest)
    for one in arch:
        if one != "any":
            found = {f"{key}_{one}": variables[f"{key}_{one}"] for key in keys if f"{key}_{one}" in variables}
            values |= {key: _several(variable) for key, variable in found.items()}
    return StaticSection(values=values)


def _packages(script: PkgbuildScript, names: tuple[str, ...]) -> dict[str, StaticSection]:
    """The sections of the packages; makepkg evaluates what their functions set with what the script has set."""
    overrides = {name: read_overrides(it) for name, it in script.functions.items() if name.startswith("package")}
    variables = script.scope.variables
    variables |= {name: Variable(unknown="makepkg uses a variable of that name itself") for name in _SHADOWED}
    sections = {}
    for name in names:
        variables["pkgname"] = Variable((name,))
        function = f"package_{name}" if f"package_{name}" in overrides else "package"
        sections[name] = _package(script, overrides.get(function, ()))
    return sections


def _package(script: PkgbuildScript, overrides: tuple[Override, ...]) -> StaticSection:
    local: dict[str, Variable] = {}
    for override in overrides:
        name = override.name
        old = local[name] if name in local else script.scope.variables.get(name, Variable())
        if not override.written.is_array and old.is_array:
            old = Variable(unknown="it is a list at one place and not at another")
        try:
            found = script.scope.assigned(old, override.operator, override.written)
            local[name] = found if override.is_direct else found._replace(unknown="it is set under a condition")
        except LostTrackError:
            raise
        except UnknownValueError as error:
            local[name] = Variable(is_array=override.written.is_array, unknown=str(error))
    values: dict[str, Value] = {key: _single(local[key]) for key in PACKAGE_SCALARS if key in local}
    values |= {key: _several(local[key]) for key in PACKAGE_LISTS if key in local}
    arch = _several(local.get("arch", script.scope.variables.get("arch")))
    return _with_architectures(values, arch, PACKAGE_ARCH_LISTS, local)


def _names(variable: Variable | None) -> Value:
    found = _single(variable) if variable and not variable.is_array else _several(variable)
    if isinstance(found, tuple) and (not found or len(set(found)) != len(found) or len(found) > _MOST_PACKAGES):
        return Unknown("pkgname is not set to names that differ")
    return found


def _single(variable: Variable | None) -> Value:
    if variable is None:
        return ()
    if variable.unknown or variable.is_array:
        return Unknown(variable.unknown or "it is a list")
    return _printed(variable.elements)


def _several(variable: Variable | None) -> Value:
    if variable is None or variable == Variable():
        return ()
    if variable.unknown or not variable.is_array:
        return Unknown(variable.unknown or "it is no list")
    return _printed(variable.elements)


def _printed(elements: tuple[str, ...]) -> Value:
    """As makepkg writes them: runs of blanks are one, none at the ends."""
    odd = [text for text in elements if not text.isascii()]
    if any(character.isspace() and not character.isascii() for text in odd for character in text):
        return Unknown("it has blanks that depend on the locale")
    texts = [_BLANKS.sub(" ", text).strip(" ") for text in elements]
    return tuple(text for text in texts if text)
