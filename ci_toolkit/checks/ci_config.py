"""`.ci/config`, `.ci/review.toml` and every package's `.CI/config`: all that can be wrong in them, with the lines."""

from __future__ import annotations

from dataclasses import replace
from difflib import get_close_matches
from typing import TYPE_CHECKING

from ci_toolkit.checks.problem import Problem, problem_of
from ci_toolkit.checks.spec import Check
from ci_toolkit.errors import ConfigError, FormatError, shortened
from ci_toolkit.formats.key_value import KeyValueFile
from ci_toolkit.formats.review_toml import parse_review_settings
from ci_toolkit.model.config_keys import PACKAGE_KEYS, REPOSITORY_KEYS, parse_names
from ci_toolkit.model.names import is_pkgbase, nearest
from ci_toolkit.model.package_config import ALMOST, CONFIG_PATH, parse_package_config
from ci_toolkit.model.review_settings import REVIEW_SETTINGS_PATH
from ci_toolkit.model.settings import SETTINGS_PATH, parse_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from ci_toolkit.checks.spec import Files, Subject
    from ci_toolkit.model.config_keys import Key

_NAME = "ci-config"
_FAMILIES = {"CI_BACKEND": "backends", "CI_FORGE": "forges"}
_TRIGGERS = "CI_REBUILD_TRIGGERS"
_NAME_LISTS = (_TRIGGERS, "CI_REBUILD_BLACKLIST")
_DATABASES = "CI_LIB_DB"
_SOURCE = "CI_PKGBUILD_SOURCE"
_PLAIN_SOURCES = ("aur", "custom")
_MOST_FAULTS = 100


def _package(name: str, subject: Subject) -> Iterator[Problem]:
    path = f"{name}/{CONFIG_PATH}"
    data = subject.files.read(path)
    if data is None:
        return
    file = KeyValueFile.parse(data, file=path)
    yield from _oddities(file, PACKAGE_KEYS, REPOSITORY_KEYS)
    yield from _values(file, parse_package_config)
    yield from _names(file, subject.files)
    source = file.get(_SOURCE)
    if source and source not in _PLAIN_SOURCES and not subject.tools.accepts_source(source):
        kinds = subject.tools.kinds("sources")
        hint = nearest(source, kinds) or f"there are {', '.join(sorted(kinds))}, and git URLs"
        yield _problem(file, _SOURCE, f"names no kind of upstream: {shortened(source)!r}", hint)


def _whole(subject: Subject) -> Iterator[Problem]:
    if not subject.repository:
        return
    data = subject.files.read(REVIEW_SETTINGS_PATH)
    if data is not None:
        yield from _review_settings(data, subject)
    data = subject.files.read(SETTINGS_PATH)
    if data is None:
        return
    file = KeyValueFile.parse(data, file=SETTINGS_PATH)
    yield from _oddities(file, REPOSITORY_KEYS, PACKAGE_KEYS)
    yield from _values(file, lambda changed: parse_settings(changed, {}))
    yield from _names(file, subject.files)
    for key, family in _FAMILIES.items():
        value = file.get(key)
        if value and value not in subject.tools.kinds(family):
            kinds = subject.tools.kinds(family)
            hint = nearest(value, kinds) or f"there are {', '.join(sorted(kinds))}"
            yield _problem(file, key, f"names nothing that is installed: {shortened(value)!r}", hint)


def _oddities(file: KeyValueFile, known: Mapping[str, Key], others: Mapping[str, Key]) -> Iterator[Problem]:
    """Lines that are passed over, and keys that are almost ours; neighbouring tools have keys of their own."""
    for warning in file.warnings:
        yield Problem(check=_NAME, severity="warning", file=file.file, line=warning.line, text=warning.text)
    for key in file.keys():  # noqa: SIM118 - it is no mapping
        if key in known:
            continue
        if key in others:
            where = CONFIG_PATH if others is PACKAGE_KEYS else SETTINGS_PATH
            yield _problem(file, key, "means nothing in this file", f"it belongs into {where}")
            continue
        close = get_close_matches(key, known, n=1, cutoff=ALMOST)
        if close:
            yield _problem(file, key, "is no key of ci-toolkit", f"did you mean {close[0]}?")


def _values(file: KeyValueFile, parse: Callable[[KeyValueFile], object]) -> Iterator[Problem]:
    """Every value that is not acceptable: one by one is emptied, until the rest is read."""
    for _ in range(_MOST_FAULTS):
        try:
            parse(file)
        except ConfigError as error:
            yield problem_of(error, _NAME, file.file)
            if error.key is None or not file.get(error.key):
                return
            file = file.with_value(error.key, "")
        else:
            return


def _names(file: KeyValueFile, files: Files) -> Iterator[Problem]:
    """Names in triggers: a package of the repository, or of a pacman database, which is not looked into here."""
    for key in _NAME_LISTS:
        for name in parse_names(file.get(key) or ""):
            if not is_pkgbase(name):
                yield _problem(file, key, f"has what no package is called: {shortened(name)!r}")
            elif name not in files.folders() and not _watches_databases(files):
                close = get_close_matches(name, files.folders(), n=1, cutoff=ALMOST)
                hint = f"did you mean {close[0]}?" if close else f"{_DATABASES} names databases that are watched"
                problem = _problem(file, key, f"names what is not in this repository: {name!r}", hint)
                yield problem if close else replace(problem, severity="warning")


def _watches_databases(files: Files) -> bool:
    try:
        settings = KeyValueFile.parse(files.read(SETTINGS_PATH) or b"", file=SETTINGS_PATH)
    except FormatError:
        return True
    return bool(settings.get(_DATABASES))


def _review_settings(data: bytes, subject: Subject) -> Iterator[Problem]:
    """Everything that is wrong in review.toml; a line that was named is left out when the rest is read again."""
    from ci_toolkit.review.assessing import Judge  # noqa: PLC0415 - all rules take a while to import

    plugins = subject.tools.review_rules()
    lines = data.split(b"\n")
    for attempt in range(_MOST_FAULTS):
        try:
            Judge.of(parse_review_settings(b"\n".join(lines)), plugins)
        except (FormatError, ConfigError) as error:
            if attempt and isinstance(error, FormatError):
                return  # what is left is no TOML any more, and that is our doing
            yield problem_of(error, _NAME, REVIEW_SETTINGS_PATH)
            if error.line is None or not lines[error.line - 1].strip():
                return
            lines[error.line - 1] = b""
        else:
            return


def _problem(file: KeyValueFile, key: str, text: str, hint: str | None = None) -> Problem:
    return Problem(
        check=_NAME, severity="error", file=file.file, line=file.line_of(key), text=f"{key} {text}", hint=hint
    )


CHECK = Check(name=_NAME, package=_package, whole=_whole)
