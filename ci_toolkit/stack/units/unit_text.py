"""Pieces of systemd's units, in which no value from elsewhere can begin a line, a word or a specifier.

Source of the rules: systemd.service(5), "Command lines", and systemd.syntax(7), "Quoting".
"""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from ci_toolkit.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ci_toolkit.stack.stack_file import Limit

_PLAIN = re.compile(r"[A-Za-z0-9_./:@=,+-]+")
_PATH = re.compile(r"(?:/[A-Za-z0-9_.+@-]+)+")
_STATE = PurePosixPath("/var/lib")


def word(text: str) -> str:
    """One word of a command line, which means itself whatever is in it."""
    return _quoted(text.replace("$", "$$"))


def variable(name: str, value: str) -> str:
    """One assignment of `Environment=`, in which a `$` means itself anyway."""
    return _quoted(f"{name}={value}")


def _quoted(text: str) -> str:
    if _PLAIN.fullmatch(text):
        return text
    return '"' + "".join(map(_character, text.replace("%", "%%"))) + '"'


def _character(character: str) -> str:
    if character in '\\"':
        return f"\\{character}"
    if character.isprintable():
        return character
    return "".join(f"\\x{byte:02x}" for byte in character.encode("utf-8", "surrogatepass"))


def command(key: str, *words: str) -> str:
    """A command of several lines, a word each; `words` mean themselves."""
    return f"{key}=" + " \\\n    ".join(map(word, words))


def environment(variables: Iterable[tuple[str, str]]) -> Iterator[str]:
    """A line for each variable."""
    return (f"Environment={variable(name, value)}" for name, value in variables)


def limits(limit: Limit) -> Iterator[str]:
    """What a service may use."""
    if limit.memory is not None:
        yield f"MemoryMax={limit.memory.upper()}"
    if limit.cpus is not None:
        yield f"CPUQuota={max(1, round(limit.cpus * 100))}%"


def folder_at(top: str, path: str, *, file: str, key: str) -> str:
    """A folder of stack.toml or farm.toml as an absolute path; ConfigError for one that units cannot name."""
    whole = str(PurePosixPath(top, path))
    if not _PATH.fullmatch(whole) or ".." in PurePosixPath(whole).parts:
        hint = "letters, digits and '.', '_', '+', '@', '-' between slashes, and no '..'"
        raise ConfigError("is no folder for a unit", file=file, key=key, got=path, hint=hint)
    return whole


def own_folder(folder: str) -> str:
    """What lets a service write into its folder; below `/var/lib`, systemd makes that and gives it to the user."""
    path = PurePosixPath(folder)
    if path.is_relative_to(_STATE):
        return f"StateDirectory={path.relative_to(_STATE)}\nStateDirectoryMode=0700"
    return f"ReadWritePaths={folder}"


def lines(*parts: str | Iterable[str]) -> str:
    """Parts of a file, each one line or several; empty ones are left out."""
    flat = (line for part in parts for line in ([part] if isinstance(part, str) else part))
    return "\n".join(line for line in flat if line)
