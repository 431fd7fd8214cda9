"""Every key with the value that is in force and where that comes from, for people who ask."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ci_toolkit.errors import ConfigError
from ci_toolkit.model.config_keys import PACKAGE_KEYS, REPOSITORY_KEYS, Key
from ci_toolkit.model.names import nearest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ci_toolkit.formats.key_value import KeyValueFile


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigValue:
    """One key. `text` None: it stands for nothing; `hidden` tells of a value in the file that another one overrides."""

    key: Key
    text: str | None
    origin: str
    hidden: str | None = None


def repository_values(file: KeyValueFile, environ: Mapping[str, str]) -> dict[str, ConfigValue]:
    """All keys of `.ci/config`, which variables of the same names override."""
    return {name: _value(key, file, environ) for name, key in REPOSITORY_KEYS.items()}


def package_values(file: KeyValueFile) -> dict[str, ConfigValue]:
    """All keys of a package's `.CI/config`, which nothing overrides."""
    return {name: _value(key, file, {}) for name, key in PACKAGE_KEYS.items()}


def find_value(name: str, values: Mapping[str, ConfigValue]) -> ConfigValue:
    """The key called `name`; ConfigError, with the nearest ones, when there is none."""
    if name not in values:
        others = PACKAGE_KEYS if "REPO_NAME" in values else REPOSITORY_KEYS
        hint = nearest(name, values) or None
        if name in others:
            hint = (
                "it is a key of packages; add --package NAME" if others is PACKAGE_KEYS else "it is a repository's key"
            )
        raise ConfigError("is no key", key=name, hint=hint)
    return values[name]


def _value(key: Key, file: KeyValueFile, environ: Mapping[str, str]) -> ConfigValue:
    said, line = file.get(key.name), file.line_of(key.name)
    if environ.get(key.name):
        hidden = f"{file.file} line {line} says {said}" if said and said != environ[key.name] else None
        return ConfigValue(key=key, text=environ[key.name], origin="environment", hidden=hidden)
    if said:
        return ConfigValue(key=key, text=said, origin=f"{file.file} line {line}")
    return ConfigValue(key=key, text=key.default, origin="not set" if key.default is None else "default")
