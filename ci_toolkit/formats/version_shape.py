"""Whether one version text may follow another without a person looking: it stays a version of the same kind.

A version is put into URLs, where `main`, `..` or a commit of somebody's fork would fetch something else.

>>> keeps_shape("1.2.3", "1.3.0rc1"), keeps_shape("1.2.3", "main"), keeps_shape("1.2", "0123abcd")
(True, False, False)
"""

from __future__ import annotations

import re

from ci_toolkit.formats.version import is_version_text

_DIGITS = re.compile(r"[0-9]+")
_LETTERS = re.compile(r"[A-Za-z]+")
_PRE_RELEASE = frozenset({
    *("a", "alpha", "b", "beta", "c", "rc", "pre", "preview", "p", "patch", "pl", "post", "r", "rev", "dev", "m", "v"),
    *("final", "stable", "ga", "release", "hotfix", "build", "u", "update", "sp", "ea", "snapshot", "git"),
})  # fmt: skip
# What `git describe` makes, and makepkg's usual pkgver(): 1.0.r12.gabcdef1, r345.abcdef1.
_DESCRIBED = re.compile(r"(?P<before>|.*[._+])r?(?P<count>[0-9]{1,7})[._+][gh]?[0-9a-f]{7,40}")
_START = re.compile(r"[A-Za-z]*(?=[0-9])")
_MOST_NEW_DIGITS = 4
_HASH = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")


def is_hash(text: str) -> bool:
    """Whether this is a whole SHA-1 or SHA-256 in lower case."""
    return _HASH.fullmatch(text) is not None


def is_described(text: str) -> bool:
    """Whether a version ends with a count and the short hash of a commit."""
    return _DESCRIBED.fullmatch(text) is not None


def keeps_shape(old: str, new: str) -> bool:
    """Whether both are versions, begin alike, and `new` has no words or long numbers that come out of nowhere."""
    if not (is_version_text(old) and is_version_text(new)):
        return False
    old_start, new_start = _START.match(old), _START.match(new)
    if old_start is None or new_start is None or old_start[0] != new_start[0]:
        return False
    old_described, new_described = _DESCRIBED.fullmatch(old), _DESCRIBED.fullmatch(new)
    if old_described and new_described:
        return keeps_shape(f"{old_described['before']}0", f"{new_described['before']}0")
    words = {word.lower() for word in _LETTERS.findall(new)} - {word.lower() for word in _LETTERS.findall(old)}
    return words <= _PRE_RELEASE and _longest_number(new) <= max(_longest_number(old) + 1, _MOST_NEW_DIGITS)


def _longest_number(text: str) -> int:
    return max((len(digits) for digits in _DIGITS.findall(text)), default=0)
