"""`.ci/review.toml`: the owner's switches for the rules of reviews.

    [severity]
    depends-changed = "high"        # minor (off), low, medium, high, critical or refuse

    [official-dependency]
    enabled = true
    repositories = ["core", "extra"]    # databases in CI_LIB_DB; these two when left out

tomllib reads the values and tells no lines, so those are found by looking for the keys in the text.
"""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING, Any

from ci_toolkit.errors import ConfigError, FormatError
from ci_toolkit.model.finding import Severity
from ci_toolkit.model.names import nearest
from ci_toolkit.model.review_settings import OFFICIAL_REPOSITORIES, REVIEW_SETTINGS_PATH, ReviewSettings

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_SEVERITY = "severity"
_OFFICIAL = "official-dependency"
_OFFICIAL_KEYS = ("enabled", "repositories")
_SEVERITIES = {severity.word: severity for severity in Severity}
_REPOSITORY = re.compile(r"[A-Za-z0-9@_+][A-Za-z0-9@._+-]*")
_WHERE = re.compile(r"\(at (?:line (?P<line>[0-9]+), column [0-9]+|end of document)\)")
_HEADER = re.compile(r"\s*\[+([^\[\]]+)\]+\s*(?:#.*)?")
_ASSIGNMENT = re.compile(r"\s*([A-Za-z0-9_\"'-][^=]*)=")
_QUOTES = str.maketrans("", "", "\"' \t")


def parse_review_settings(content: bytes, *, file: str = REVIEW_SETTINGS_PATH) -> ReviewSettings:
    """The typed form; FormatError for what is no TOML, ConfigError for a key or value that cannot be, with the line.

    Whether a rule of that id exists is not asked here.
    """
    text = _decoded(content, file)
    lines = _key_lines(text)
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _syntax_error(error, text, file) from error
    except RecursionError:
        raise FormatError("is nested too deeply", file=file) from None
    try:
        _check_keys((), values, (_SEVERITY, _OFFICIAL))
        severities = _severities(_table(values, _SEVERITY))
        official = _official(_table(values, _OFFICIAL))
    except _Misfit as misfit:
        # Of a key that is not found, as in an inline table, at least the table is.
        line = next((lines[misfit.path[:end]] for end in (2, 1) if misfit.path[:end] in lines), None)
        raise ConfigError(
            misfit.problem, file=file, line=line, key=misfit.path[-1], got=misfit.got, hint=misfit.hint or None
        ) from None
    where = {rule: lines[_SEVERITY, rule] for rule in severities if (_SEVERITY, rule) in lines}
    return ReviewSettings(severities=severities, official_repositories=official, lines=where, file=file)


class _Misfit(Exception):  # noqa: N818 - never seen outside: it becomes a ConfigError
    """A key or value that cannot be, at a path of keys."""

    def __init__(self, path: tuple[str, ...], problem: str, *, got: str | None = None, hint: str = "") -> None:
        super().__init__(problem)
        self.path = path
        self.problem = problem
        self.got = got
        self.hint = hint


def _decoded(content: bytes, file: str) -> str:
    try:
        return content.decode().replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise FormatError("is not UTF-8", file=file, line=line) from error


def _syntax_error(error: tomllib.TOMLDecodeError, text: str, file: str) -> FormatError:
    found = _WHERE.search(str(error))
    line = int(found["line"] or text.rstrip("\n").count("\n") + 1) if found else None
    return FormatError(f"is no TOML: {_WHERE.sub('', str(error)).strip()}", file=file, line=line)


def _table(values: Mapping[str, Any], name: str) -> dict[str, Any]:
    table = values.get(name, {})
    if not isinstance(table, dict):
        raise _Misfit((name,), f"is a table; write [{name}] on a line of its own")
    return table


def _check_keys(path: tuple[str, ...], values: Iterable[str], known: tuple[str, ...]) -> None:
    for key in values:
        if key not in known:
            hint = nearest(key, known) or f"there are {', '.join(known)}"
            raise _Misfit((*path, key), "is no setting of reviews", hint=hint)


def _severities(table: Mapping[str, Any]) -> dict[str, Severity]:
    for rule, word in table.items():
        if not isinstance(word, str) or word not in _SEVERITIES:
            hint = (
                nearest(word, _SEVERITIES) if isinstance(word, str) else ""
            ) or f"there are {', '.join(_SEVERITIES)}"
            raise _Misfit((_SEVERITY, rule), "is no severity", got=str(word), hint=hint)
    return {rule: _SEVERITIES[word] for rule, word in table.items()}


def _official(table: Mapping[str, Any]) -> tuple[str, ...]:
    """The repositories that count, none when the rule is off."""
    _check_keys((_OFFICIAL,), table, _OFFICIAL_KEYS)
    enabled = table.get("enabled", False)
    if not isinstance(enabled, bool):
        raise _Misfit((_OFFICIAL, "enabled"), "is neither true nor false", got=str(enabled))
    names = table.get("repositories", list(OFFICIAL_REPOSITORIES))
    if not isinstance(names, list) or not names:
        raise _Misfit(
            (_OFFICIAL, "repositories"), "is no list of repositories", got=str(names), hint='["core", "extra"]'
        )
    for name in names:
        if not isinstance(name, str) or _REPOSITORY.fullmatch(name) is None:
            raise _Misfit((_OFFICIAL, "repositories"), "names no repository", got=str(name))
    return tuple(dict.fromkeys(names)) if enabled else ()


def _key_lines(text: str) -> dict[tuple[str, ...], int]:
    """The first line of every table, and of every key in one, as far as a look at the lines tells."""
    found: dict[tuple[str, ...], int] = {}
    table: tuple[str, ...] = ()
    for number, line in enumerate(text.split("\n"), 1):
        header = _HEADER.fullmatch(line)
        assignment = _ASSIGNMENT.match(line)
        if header:
            table = _path(header[1])
            found.setdefault(table, number)
        elif assignment:
            path = (*table, *_path(assignment[1]))
            for end in range(1, len(path) + 1):
                found.setdefault(path[:end], number)
    return found


def _path(text: str) -> tuple[str, ...]:
    return tuple(text.translate(_QUOTES).split("."))
