"""Values out of a table of TOML; what is not of the right type is a ConfigError that names its key.

`where` is the place of the table, with a dot: `repositories.mine.`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ci_toolkit.errors import ConfigError
from ci_toolkit.model.names import nearest

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping


def check_keys(table: Mapping[str, Any], keys: Collection[str], where: str) -> None:
    """Nothing; ConfigError when there is a key that is none of these."""
    for key in table:
        if key not in keys:
            raise ConfigError("is no key here", key=f"{where}{key}", hint=nearest(key, keys) or ", ".join(keys))


def table_at(table: Mapping[str, Any], key: str, where: str = "") -> dict[str, Any]:
    """The table at a key; an empty one where there is none."""
    found = table.get(key, {})
    if not isinstance(found, dict):
        raise ConfigError("is no table", key=f"{where}{key}", got=repr(found))
    return found


def text_at(table: Mapping[str, Any], key: str, default: str | None = None, where: str = "") -> str:
    """One line of text, which is not empty."""
    found = table.get(key, default)
    if not isinstance(found, str) or not found or not found.isprintable():
        raise ConfigError("is missing" if found is None else "is no text", key=f"{where}{key}")
    return found


def texts_at(table: Mapping[str, Any], key: str, where: str) -> list[str]:
    """A list of texts that are not empty; by default none."""
    found = table.get(key, [])
    if not isinstance(found, list) or not all(isinstance(one, str) and one for one in found):
        raise ConfigError("is no list of texts", key=f"{where}{key}")
    return found


def boolean_at(table: Mapping[str, Any], key: str, *, default: bool, where: str = "") -> bool:
    """`true` or `false`."""
    found = table.get(key, default)
    if not isinstance(found, bool):
        raise ConfigError("is neither true nor false", key=f"{where}{key}", got=str(found))
    return found


def number_at(table: Mapping[str, Any], key: str, *, default: float, least: float, where: str = "") -> float:
    """A number that is not lower than the least."""
    found = table.get(key, default)
    if isinstance(found, bool) or not isinstance(found, int | float) or found < least:
        raise ConfigError(f"is no number of {least} or more", key=f"{where}{key}", got=str(found))
    return found
