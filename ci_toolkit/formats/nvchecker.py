"""nvchecker's configuration of one package, and what nvchecker prints about many (source: nvchecker's manual).

A package's file has a table for it (or one table alone, whatever it is called); tables of many packages are put into
one file. With `--logger=json` nvchecker prints an object a line; `updated` and `up-to-date` carry a version, all else
of a name is a failure.
"""

from __future__ import annotations

import json
import re
import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ci_toolkit.errors import FormatError

if TYPE_CHECKING:
    from collections.abc import Mapping

CONFIG_FILES = ("nvchecker.toml", ".nvchecker.toml")
"""What a package's configuration may be called; the first one that is there counts."""
_OWN_TABLE = "__config__"
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_LONGEST_REASON = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckerAnswer:
    """What nvchecker says of one entry: a version, perhaps with a revision, or why there is none."""

    version: str | None = None
    revision: str | None = None
    reason: str = ""


def parse_entry(content: bytes, *, name: str, file: str) -> dict[str, Any]:
    """The entry for package `name`; FormatError when there is none, or no `source` in it."""
    try:
        tables = tomllib.loads(content.decode())
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise FormatError(f"is no TOML: {error}", file=file) from error
    tables.pop(_OWN_TABLE, None)
    entry = tables.get(name, next(iter(tables.values())) if len(tables) == 1 else None)
    if not isinstance(entry, dict) or not isinstance(entry.get("source"), str):
        raise FormatError(f"has no table [{name}] with a source", file=file)
    return entry


def format_entries(entries: Mapping[str, Mapping[str, Any]]) -> bytes:
    """One configuration file with these entries; FormatError for values that TOML cannot say."""
    lines = []
    for name, entry in entries.items():
        lines.append(f"[{_text(name)}]")
        lines += [f"{_key(key)} = {_value(value)}" for key, value in entry.items()]
    return "".join(f"{line}\n" for line in lines).encode()


def parse_answers(output: bytes) -> dict[str, CheckerAnswer]:
    """An answer for every entry that is spoken of, by name; lines that are no objects are passed over."""
    answers: dict[str, CheckerAnswer] = {}
    for line in output.split(b"\n"):
        try:
            said = json.loads(line)
        except ValueError:
            continue
        match said:
            case {"event": "updated" | "up-to-date", "name": str(name), "version": str(version)} if version != "None":
                revision = said.get("revision")
                answers[name] = CheckerAnswer(version=version, revision=revision if isinstance(revision, str) else None)
            case {"event": str(event), "name": str(name)} if said.get("level") in ("error", "warning", "info"):
                if name not in answers or answers[name].version is None:
                    reason = str(said.get("error") or said.get("msg") or event)
                    answers.setdefault(name, CheckerAnswer(reason=" ".join(reason.split())[:_LONGEST_REASON]))
    return answers


def _key(key: str) -> str:
    return key if _BARE_KEY.fullmatch(key) else _text(key)


def _text(text: str) -> str:
    if "\x7f" in text:
        raise FormatError("has a control character", got=text)
    return json.dumps(text, ensure_ascii=False)


def _value(value: Any) -> str:  # noqa: ANN401 - what TOML has
    match value:
        case bool():
            return "true" if value else "false"
        case int() | float():
            return repr(value)
        case str():
            return _text(value)
        case list():
            return f"[{', '.join(map(_value, value))}]"
        case dict():
            return f"{{{', '.join(f'{_key(key)} = {_value(item)}' for key, item in value.items())}}}"
    raise FormatError("is of a kind that nvchecker has no use for", got=str(value))
