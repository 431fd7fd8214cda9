"""Which of an upstream's tags is its newest version, judged by the version that the package has.

Tag names are strangers' text that becomes a pkgver. So a version is taken from a tag only in a few known ways, and it
counts only if it looks as the package's own version does: `RULES` say what that means.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from ci_toolkit.formats.version import compare_versions, is_version_text

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator

TAG_MAX = 200
LENGTH_MAX = 64
_TAG = re.compile(r"[!-~]+")  # visible ASCII
_PREFIX = re.compile(r"(?:(?P<words>[A-Za-z@_][A-Za-z._+@/-]*[-/])|[Rr]elease_|rel_)?[vV]?(?=[0-9A-Za-z])")
_PLAIN = re.compile(r"[A-Za-z0-9._+]+")
_WORD = re.compile(r"[A-Za-z]+")
_NUMBER = re.compile(r"[0-9]+")
_SEPARATOR = re.compile(r"[._+-]")
_MOST_NEW_PARTS = 2
_MOST_GROWTH = 1000
# Words in front of a version which say that it is none to be used; behind it no new word counts anyway.
_UNFINISHED = re.compile(
    r"alpha|beta|canary|daily|dev|develop|draft|experimental|nightly|pre|preview|prerelease|rc|snapshot|test|testing|"
    r"unstable|wip",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A tag and the version that it stands for."""

    tag: str
    version: str


class Rule(NamedTuple):
    """What a version has to fulfil: `holds(version, current)`."""

    says: str
    holds: Callable[[str, str], bool]


def _beginning(version: str) -> str:
    """The letters in front of anything else; empty where there is a digit."""
    return re.split(r"[^A-Za-z]", version, maxsplit=1)[0]


def _numbers(version: str) -> list[int]:
    return [int(digits) for digits in _NUMBER.findall(version[:LENGTH_MAX])]


def _changes_few_parts(version: str, current: str) -> bool:
    return abs(len(_numbers(version)) - len(_numbers(current))) <= _MOST_NEW_PARTS


def _grows_little(version: str, current: str) -> bool:
    before, now = _numbers(current)[:1] or [0], _numbers(version)[:1] or [0]
    return now[0] <= max(1, before[0]) * _MOST_GROWTH


RULES = (
    Rule("is harmless in a PKGBUILD", lambda version, _: is_version_text(version)),
    Rule("is letters, digits and . _ + only", lambda version, _: _PLAIN.fullmatch(version) is not None),
    Rule("is short", lambda version, _: len(version) <= LENGTH_MAX),
    Rule("has a number", lambda version, _: _NUMBER.search(version) is not None),
    Rule("begins alike", lambda version, current: _beginning(version) == _beginning(current)),
    Rule("has no new words", lambda version, current: set(_WORD.findall(version)) <= set(_WORD.findall(current))),
    Rule("has no new separators", lambda version, current: set(_SEPARATOR.findall(version)) <= {".", *current}),
)
# Between a date and a counted version; whoever writes a filter knows what they are doing.
RULES_WITHOUT_FILTER = (
    *RULES,
    Rule("has about as many numbers", _changes_few_parts),
    Rule("has a first number of about that size", _grows_little),
)


def choose_version(
    tags: Iterable[str], *, current: str, pattern: re.Pattern[str] | None = None, preferred: Collection[str] = ()
) -> Candidate | None:
    """The newest version among tags, which may be older than `current` (a pkgver); None when no tag counts.

    `pattern` is searched for in each name; a group in it is the version. Of tags that are equal as versions the one in
    `preferred` is taken, else the one with the shortest name.
    """
    best: Candidate | None = None
    for tag in sorted(set(tags), key=lambda name: (name not in preferred, len(name), name)):
        version = version_in(tag, current=current, pattern=pattern)
        if version is not None and (best is None or compare_versions(version, best.version) > 0):
            best = Candidate(tag=tag, version=version)
    return best


def version_in(tag: str, *, current: str, pattern: re.Pattern[str] | None = None) -> str | None:
    """The version that a tag stands for in a package that is at `current`; None: the tag does not count."""
    if len(tag) > TAG_MAX or not _TAG.fullmatch(tag) or ".." in tag:
        return None
    found = pattern.search(tag) if pattern else None
    if pattern and found is None:
        return None
    readings = (found[1] or "",) if found and pattern and pattern.groups else _readings(tag)
    rules = RULES if pattern else RULES_WITHOUT_FILTER
    versions = (_with_underscores(reading, current) for reading in readings)
    return next((version for version in versions if all(rule.holds(version, current) for rule in rules)), None)


def _readings(tag: str) -> Iterator[str]:
    """A tag as a version, and without the prefix that it may have."""
    yield tag
    prefix = _PREFIX.match(tag)
    if prefix and not any(map(_UNFINISHED.fullmatch, _WORD.findall(prefix["words"] or ""))):
        yield tag[prefix.end() :]


def _with_underscores(text: str, current: str) -> str:
    """A pkgver has no hyphens: they become `_` where `current` has one at the same place, counted in separators."""
    before = _SEPARATOR.findall(current)
    parts = re.split(f"({_SEPARATOR.pattern})", text)  # every other part is a separator
    for place, index in enumerate(range(1, len(parts), 2)):
        if parts[index] == "-" and before[place : place + 1] == ["_"]:
            parts[index] = "_"
    return "".join(parts)
