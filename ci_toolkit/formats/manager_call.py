"""What a chaotic-manager is called with, read back: the arguments in `.ci/schedule-params.txt`.

    schedule --target-repo=extras --source-repo=extras [--commit SHA:PIPELINE] [--arch-mirror=URL] paru zlib/2 …
    auto-repo-remove --target-repo=extras [--commit SHA:PIPELINE] paru zlib …

Source: what the bash template and this program write, August 2026.
"""

from __future__ import annotations

import re
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ci_toolkit.errors import ConfigError, FormatError, ToolkitError
from ci_toolkit.formats.schedule_params import REMOVE, SCHEDULE
from ci_toolkit.formats.state import PendingBuild
from ci_toolkit.model.config_keys import parse_builder
from ci_toolkit.model.names import Oid, Pkgbase, is_oid, parse_pkgbase

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ci_toolkit.formats.schedule_params import ScheduleParams

_COMMIT = re.compile(r"(?P<sha>[0-9a-f]+)(?::(?P<pipeline>[0-9]*))?")
_VERBS: Mapping[str, tuple[str, frozenset[str]]] = {
    SCHEDULE: ("schedule", frozenset({"--target-repo", "--source-repo", "--commit", "--arch-mirror"})),
    REMOVE: ("auto-repo-remove", frozenset({"--target-repo", "--commit"})),
}
_NEEDED: Mapping[str, tuple[str, ...]] = {SCHEDULE: ("--target-repo", "--source-repo"), REMOVE: ("--target-repo",)}


@dataclass(frozen=True, slots=True, kw_only=True)
class ManagerCall:
    """Both calls of a file. `source` and `commit` are None where nobody says, `remaining` where nothing is removed."""

    target: str
    source: str | None
    commit: Oid | None
    builds: tuple[PendingBuild, ...]
    remaining: tuple[Pkgbase, ...] | None


def read_manager_call(params: ScheduleParams, *, file: str) -> ManagerCall | None:
    """The calls of a file, None when it has none; FormatError, with the line, for what those who write it do not."""
    if not params.arrays:
        return None
    options: dict[str, str] = {}
    names: dict[str, list[str]] = {}
    for variable, words in params.arrays.items():
        with _located(file, params.lines[variable]):
            own, names[variable] = _split(variable, words)
            _add(own, options)
    any_line = min(params.lines[variable] for variable in params.arrays)
    with _located(file, params.lines.get(SCHEDULE)):
        builds = _builds(names.get(SCHEDULE, []))
    with _located(file, params.lines.get(REMOVE)):
        remaining = tuple(map(parse_pkgbase, names[REMOVE])) if REMOVE in names else None
    with _located(file, any_line):
        commit = _commit(options["--commit"]) if "--commit" in options else None
    return ManagerCall(
        target=options["--target-repo"],
        source=options.get("--source-repo"),
        commit=commit,
        builds=builds,
        remaining=remaining,
    )


@contextmanager
def _located(file: str, line: int | None) -> Iterator[None]:
    """What is wrong is a FormatError that says where."""
    try:
        yield
    except ToolkitError as error:
        raise FormatError(error.what, file=file, line=line) from error


def _add(own: Mapping[str, str], options: dict[str, str]) -> None:
    for option, value in own.items():
        if options.setdefault(option, value) != value:
            raise FormatError("is not the same in both calls", key=option, got=value)


def _split(variable: str, words: Sequence[str]) -> tuple[dict[str, str], list[str]]:
    """Options and names of a call; options come before the first name, as the manager reads them."""
    verb, known = _VERBS[variable]
    if not words or words[0] != verb:
        raise FormatError(f"is no call of {verb}", got=" ".join(words[:1]))
    options: dict[str, str] = {}
    left = list(words[1:])
    while left and left[0].startswith("-"):
        option, has_value, value = left.pop(0).partition("=")
        if option not in known:
            raise FormatError("has an option that nobody writes there", got=option)
        if option in options:
            raise FormatError("has an option twice", got=option)
        if not has_value and not left:
            raise FormatError("has an option without a value", got=option)
        options[option] = value if has_value else left.pop(0)
    for option in _NEEDED[variable]:
        if not options.get(option):
            raise FormatError(f"lacks {option}")
    return options, left


def _builds(names: Sequence[str]) -> tuple[PendingBuild, ...]:
    found: dict[Pkgbase, PendingBuild] = {}
    for word in names:
        name, _, builder = word.partition("/")
        # The template writes a slash with nothing behind it for an empty BUILDER_CLASS.
        build = PendingBuild(pkgbase=parse_pkgbase(name), builder_class=parse_builder(builder) if builder else None)
        if found.setdefault(build.pkgbase, build) != build:
            raise ConfigError("is there twice, with different builder classes", key=name)
    return tuple(found.values())


def _commit(text: str) -> Oid:
    found = _COMMIT.fullmatch(text)
    if found is None or not is_oid(found["sha"]):
        raise ConfigError("is no commit and pipeline", key="--commit", got=text)
    return Oid(found["sha"])
