r"""`.ci/schedule-params.txt`: shell assignments that a shell on the other side reads.

Every value is in single quotes, whatever it is, so nothing in it is ever expanded. Source: observed on a running
chaotic-manager and its schedule job, May 2026.

Reading takes these lines, and those that bash prints for `declare -p`, as the bash template leaves them, and nothing
else that a shell would understand; nothing is ever evaluated:

    REDIS_PORT='6379'                              PARAMS_SCHEDULE=('schedule' '--target-repo=x' 'it'\''s')
    declare -- REDIS_PORT="6379"                   declare -a PARAMS_SCHEDULE=([0]="schedule" [1]="\$repo")
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ci_toolkit.errors import FormatError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

_NAME = re.compile(r"[A-Z_][A-Z0-9_]*")
_OWN_WORD = re.compile(r"'[^']*'(?:\\''[^']*')*")
_BASH_WORD = re.compile(r'"(?:[^"\\$`]|\\["\\$`])*"')
_BASH_ESCAPE = re.compile(r'\\(["\\$`])')
_OWN_LINE = re.compile(r"(?P<name>[A-Z_][A-Z0-9_]*)=(?P<rest>.*)")
_BASH_LINE = re.compile(r"declare -(?P<flags>-|[arx]+) (?P<name>[A-Z_][A-Z0-9_]*)=(?P<rest>.*)")
_INDEX = re.compile(r"\[(?P<index>[0-9]{1,7})\]=")
_VALUES = frozenset({"REDIS_SSH_HOST", "REDIS_SSH_PORT", "REDIS_SSH_USER", "REDIS_PORT"})
SCHEDULE, REMOVE = "PARAMS_SCHEDULE", "PARAMS_AUTOREPOREMOVE"
_ARRAYS = frozenset({SCHEDULE, REMOVE})
_HINT = "only what ci-toolkit or the bash template has written is read"


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


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleParams:
    """The variables of a file, and the line, from 1, of each."""

    values: Mapping[str, str]
    arrays: Mapping[str, tuple[str, ...]]
    lines: Mapping[str, int]


def parse_schedule_params(content: bytes, *, file: str) -> ScheduleParams:
    """What a file assigns; FormatError, with the line, for everything that those who write it would not write."""
    values: dict[str, str] = {}
    arrays: dict[str, tuple[str, ...]] = {}
    lines: dict[str, int] = {}
    text = _decoded(content, file)
    for number, line in enumerate(text.removesuffix("\n").split("\n") if text else (), start=1):
        try:
            name, is_array, words = _assignment(line)
            _check_name(name, lines, is_array=is_array)
        except FormatError as error:
            raise error.located(file=file, line=number) from None
        lines[name] = number
        if is_array:
            arrays[name] = words
        else:
            values[name] = words[0]
    return ScheduleParams(values=values, arrays=arrays, lines=lines)


def _check_name(name: str, lines: Mapping[str, int], *, is_array: bool) -> None:
    if name not in (_ARRAYS if is_array else _VALUES):
        raise FormatError("is no variable of such a file", key=name, hint=_HINT)
    if name in lines:
        raise FormatError(f"is set in line {lines[name]} already", key=name, hint="which is meant?")


def _decoded(content: bytes, file: str) -> str:
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise FormatError("is not UTF-8", file=file, line=line, hint=_HINT) from error
    control = re.search(r"[^\n\t\x20-\U0010ffff]|\x7f", text)
    if control:
        line = text.count("\n", 0, control.start()) + 1
        raise FormatError("has a control character", file=file, line=line, got=control[0], hint=_HINT)
    return text


def _assignment(line: str) -> tuple[str, bool, tuple[str, ...]]:
    """Name, whether it is an array, and its words."""
    if found := _OWN_LINE.fullmatch(line):
        is_array = found["rest"].startswith("(")
        words = _listed(found["rest"], _own_words) if is_array else (_own_word(found["rest"]),)
    elif found := _BASH_LINE.fullmatch(line):
        is_array = "a" in found["flags"]
        words = _listed(found["rest"], _bash_words) if is_array else (_bash_word(found["rest"]),)
    else:
        raise FormatError("is no assignment", key=repr(line[:40]), hint=_HINT)
    return found["name"], is_array, words


def _listed(text: str, words: Callable[[str], Iterator[str]]) -> tuple[str, ...]:
    if len(text) < 2 or not (text.startswith("(") and text.endswith(")")):
        raise FormatError("is no array", got=text, hint=_HINT)
    return tuple(words(text[1:-1]))


def _own_words(text: str) -> Iterator[str]:
    position = 0
    while position < len(text):
        position = _after_blank(text, position)
        found = _OWN_WORD.match(text, position)
        if found is None:
            raise FormatError("is not in single quotes", got=text[position:], hint=_HINT)
        yield _own_word(found[0])
        position = found.end()


def _bash_words(text: str) -> Iterator[str]:
    position, index = 0, 0
    while position < len(text):
        position = _after_blank(text, position)
        head = _INDEX.match(text, position)
        found = _BASH_WORD.match(text, head.end()) if head and int(head["index"]) == index else None
        if found is None:
            raise FormatError(f'is not [{index}]="…"', got=text[position:], hint=_HINT)
        yield _bash_word(found[0])
        position, index = found.end(), index + 1


def _after_blank(text: str, position: int) -> int:
    """Where a word begins: words but the first have one blank before them."""
    if not position:
        return 0
    if text[position] != " ":
        raise FormatError("has no blank between words", got=text[position:], hint=_HINT)
    return position + 1


def _own_word(text: str) -> str:
    if _OWN_WORD.fullmatch(text) is None:
        raise FormatError("is not in single quotes", got=text, hint=_HINT)
    return text[1:-1].replace("'\\''", "'")


def _bash_word(text: str) -> str:
    if _BASH_WORD.fullmatch(text) is None:
        raise FormatError("is not in double quotes as bash writes them", got=text, hint=_HINT)
    return _BASH_ESCAPE.sub(r"\1", text[1:-1])
