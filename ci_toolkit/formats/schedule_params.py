"""`.ci/schedule-params.txt`: shell assignments that a shell on the other side reads.

Every value is in single quotes, whatever it is, so nothing in it is ever expanded. Source: observed on a running
chaotic-manager and its schedule job, May 2026.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ci_toolkit.errors import FormatError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_NAME = re.compile(r"[A-Z_][A-Z0-9_]*")


def format_schedule_params(values: Mapping[str, str], arrays: Mapping[str, Sequence[str]]) -> bytes:
    """One `NAME='value'` or `NAME=('a' 'b')` a line; FormatError for a name or value that a shell cannot hold."""
    lines = [f"{_name(name)}={_quoted(value, name)}" for name, value in values.items()]
    for name, words in arrays.items():
        lines.append(f"{_name(name)}=({' '.join(_quoted(word, name) for word in words)})")
    return "".join(f"{line}\n" for line in lines).encode(errors="surrogateescape")


def _name(name: str) -> str:
    if _NAME.fullmatch(name) is None:
        raise FormatError("is no name of a shell variable", key=repr(name))
    return name


def _quoted(value: str, name: str) -> str:
    if "\0" in value or "\n" in value or "\r" in value:
        raise FormatError("would have a line break or NUL in its value", key=name, got=value)
    return "'" + value.replace("'", "'\\''") + "'"
