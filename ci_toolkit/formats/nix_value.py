r"""Values as text of the Nix language, so that no text that somebody wrote into one is ever read as code.

>>> print(format_nix_value({"name": 'a"b', "on": True, "list": ["${x}", -1]}))
{ "list" = [ "\${x}" (-1) ]; "name" = "a\"b"; "on" = true; }

Source: the Nix manual 2.8, "Values".
"""

from __future__ import annotations

from dataclasses import dataclass

from ci_toolkit.errors import ConfigError

_LARGEST_NUMBER = (1 << 63) - 1
_DEEPEST = 16
_ESCAPES = {'"': '\\"', "\\": "\\\\", "$": "\\$", "\n": "\\n", "\r": "\\r", "\t": "\\t"}


@dataclass(frozen=True, slots=True, kw_only=True)
class NixCode:
    """A piece of the language that we wrote ourselves, and that stands for what it says."""

    text: str


def format_nix_value(value: object, *, key: str = "") -> str:
    """The text; ConfigError, with the place below `key`, for what has none: dates, floats, NUL, too deep a nesting."""
    return _formatted(value, key, _DEEPEST)


def _formatted(value: object, key: str, deep: int) -> str:
    if not deep:
        raise ConfigError("is nested too deeply", key=key)
    if isinstance(value, NixCode):
        return value.text
    if isinstance(value, str):
        return _text(value, key)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        if not -_LARGEST_NUMBER <= value <= _LARGEST_NUMBER:
            raise ConfigError("is a larger number than Nix knows", key=key, got=str(value)[:40])
        return str(value) if value >= 0 else f"({value})"
    if isinstance(value, list | tuple):
        parts = [_formatted(one, f"{key}[{number}]", deep - 1) for number, one in enumerate(value)]
        return " ".join(["[", *parts, "]"])
    if isinstance(value, dict):
        rows = [f"{_text(name, key)} = {_formatted(value[name], f'{key}.{name}', deep - 1)};" for name in sorted(value)]
        return " ".join(["{", *rows, "}"])
    raise ConfigError("is neither text, number, true or false, nor a list or table of them", key=key, got=str(value))


def _text(text: str, key: str) -> str:
    if "\0" in text:
        raise ConfigError("has a NUL, which Nix cannot have in a text", key=key)
    return f'"{"".join(_ESCAPES.get(character, character) for character in text)}"'
