"""A first, strict comparison of two versions of a package, line by line.

Harmless (no finding) is only what is known to be: literal `pkgver` and `pkgrel` going up, as many checksums of the same
kinds for a new version, a `.SRCINFO` that follows, and lines the owner's own patterns allow. All else is a finding.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ci_toolkit.formats.version import compare_versions

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ci_toolkit.formats.srcinfo import SrcInfo
    from ci_toolkit.model.names import Oid

_ASSIGNMENT = re.compile(r"(?P<key>_?pkgver|pkgrel)=(?P<quote>['\"]?)(?P<value>[A-Za-z0-9._+]+)(?P=quote)")
_SUMS_START = re.compile(r"(?P<key>(?:md5|sha1|sha224|sha256|sha384|sha512|b2)sums(?:_[a-z0-9_]+)?)=\((?P<rest>.*)")
_SUM = re.compile(r"(?P<quote>['\"]?)(?P<value>SKIP|[0-9a-fA-F]{32,128})(?P=quote)")
_SUMS_KEY = re.compile(r"(?:md5|sha1|sha224|sha256|sha384|sha512|b2)sums(?:_[a-z0-9_]+)?")
_LONGEST_LINE = 4_096


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageSide:
    """One version of a package: its PKGBUILD as text (None: it does not parse), `.SRCINFO`, and all other files."""

    pkgbuild: bytes | None
    srcinfo: SrcInfo | None
    others: Mapping[str, tuple[str, Oid]]


@dataclass(slots=True, kw_only=True)
class _Literals:
    """What a scan of a PKGBUILD has seen: variables, and checksums by array."""

    variables: dict[str, str] = field(default_factory=dict)
    sums: dict[str, list[str]] = field(default_factory=dict)


def findings(
    old: PackageSide,
    new: PackageSide,
    allowed: Sequence[re.Pattern[str]] = (),
    replaced: Sequence[tuple[str, str]] = (),
) -> tuple[str, ...]:
    """Why a person should look at the change from `old` to `new`; empty when it is harmless.

    `replaced` are texts that the toolkit itself put in place of others, in no other places than it may.
    """
    return (*_pkgbuild_findings(old, new, allowed, replaced), *_other_files(old.others, new.others))


def _pkgbuild_findings(
    old: PackageSide, new: PackageSide, allowed: Sequence[re.Pattern[str]], replaced: Sequence[tuple[str, str]]
) -> list[str]:
    if old.pkgbuild is None or new.pkgbuild is None:
        return ["PKGBUILD does not parse, so it cannot be compared"]
    old_lines, new_lines = _text_lines(old.pkgbuild), _text_lines(new.pkgbuild)
    if old_lines is None or new_lines is None:
        return ["PKGBUILD is no clean UTF-8 text, so it cannot be compared"]
    if len(old_lines) != len(new_lines):
        return [f"PKGBUILD has {_difference(len(new_lines) - len(old_lines))}"]
    before, after = _Literals(), _Literals()
    # A line that differs by nothing but what was put in place is as good as unchanged.
    told = [
        new_line if _with_replaced(old_line, replaced) == new_line and not _ASSIGNMENT.fullmatch(old_line) else old_line
        for old_line, new_line in zip(old_lines, new_lines, strict=True)
    ]
    found = _changed_lines(told, new_lines, allowed, before, after)
    found += _version_steps(before, after)
    return found + _srcinfo_findings(old.srcinfo, new.srcinfo, before, after, replaced)


def _other_files(old: Mapping[str, tuple[str, Oid]], new: Mapping[str, tuple[str, Oid]]) -> list[str]:
    changed = [f"{path} is changed" for path in old if path in new and old[path] != new[path]]
    return [
        *(f"{path} is new" for path in new if path not in old),
        *changed,
        *(f"{path} is gone" for path in old if path not in new),
    ]


def _text_lines(content: bytes) -> list[str] | None:
    """Lines with their ends; None for text that a reader and a shell may see differently."""
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return None
    if "\r" in text or "\0" in text:
        return None
    return text.split("\n")


def _difference(count: int) -> str:
    return f"{abs(count)} {'more' if count > 0 else 'fewer'} {'line' if abs(count) == 1 else 'lines'}"


def _changed_lines(
    old_lines: Sequence[str],
    new_lines: Sequence[str],
    allowed: Sequence[re.Pattern[str]],
    before: _Literals,
    after: _Literals,
) -> list[str]:
    found = []
    inside: str | None = None
    continued = False
    for number, (old, new) in enumerate(zip(old_lines, new_lines, strict=True), start=1):
        if inside is None:
            old_start, new_start = _SUMS_START.fullmatch(old), _SUMS_START.fullmatch(new)
            if old_start and new_start and old_start["key"] == new_start["key"]:
                inside = new_start["key"]
                old_rest, new_rest = old_start["rest"], new_start["rest"]
        else:
            old_rest, new_rest = old, new
        if inside is not None:
            same = _same_sums(old_rest, new_rest, before.sums.setdefault(inside, []), after.sums.setdefault(inside, []))
            if not same and old != new:
                found.append(_said(number, old, new))
            if ")" in new_rest or ")" in old_rest:
                inside = None
        elif not _same_statement(old, new, before, after, continued=continued) and not _allowed(old, new, allowed):
            found.append(_said(number, old, new))
        continued = old.endswith("\\") or new.endswith("\\")
    return found


def _same_sums(old: str, new: str, old_sums: list[str], new_sums: list[str]) -> bool:
    """Whether two lines of a checksum array hold as many sums of the same kinds, and nothing else."""
    old_values, new_values = _sums(old), _sums(new)
    if old_values is None or new_values is None or len(old_values) != len(new_values):
        return False
    old_sums += old_values
    new_sums += new_values
    pairs = zip(old_values, new_values, strict=True)
    kinds_kept = all(len(a) == len(b) and (a == "SKIP") == (b == "SKIP") for a, b in pairs)
    return kinds_kept and (")" in old) == (")" in new)


def _sums(line: str) -> list[str] | None:
    """The sums of a line such as `'abc…' 'SKIP')`; None when there is anything else on it."""
    body = line.strip()
    body = body.removesuffix(")")
    matches = [_SUM.fullmatch(word) for word in body.split()]
    return [match["value"] for match in matches if match] if all(matches) else None


def _same_statement(old: str, new: str, before: _Literals, after: _Literals, *, continued: bool) -> bool:
    """Whether two lines are equal, or set the same version variable to a literal each."""
    old_set, new_set = _ASSIGNMENT.fullmatch(old), _ASSIGNMENT.fullmatch(new)
    if old_set and new_set and old_set["key"] == new_set["key"] and not continued:
        before.variables[old_set["key"]] = old_set["value"]
        after.variables[new_set["key"]] = new_set["value"]
        return True
    return old == new


def _allowed(old: str, new: str, patterns: Sequence[re.Pattern[str]]) -> bool:
    if max(len(old), len(new)) > _LONGEST_LINE:
        return False
    return any(pattern.search(old) and pattern.search(new) for pattern in patterns)


def _said(number: int, old: str, new: str) -> str:
    return f"PKGBUILD line {number}: {old.strip()[:80]!r} becomes {new.strip()[:80]!r}"


def _version_steps(before: _Literals, after: _Literals) -> list[str]:
    found: list[str] = []
    step = {key: compare_versions(after.variables[key], before.variables[key]) for key in before.variables}
    same_version = step.get("pkgver", 0) == 0
    found += [
        f"{key} goes down from {before.variables[key]} to {after.variables[key]}"
        for key in ("pkgver", "_pkgver")
        if step.get(key, 0) < 0
    ]
    if same_version and step.get("pkgrel", 0) < 0:
        found.append(f"pkgrel goes down from {before.variables['pkgrel']} to {after.variables['pkgrel']}")
    if same_version and before.sums != after.sums:
        found.append("checksums change although the version does not")
    return found


def _srcinfo_findings(
    old: SrcInfo | None,
    new: SrcInfo | None,
    before: _Literals,
    after: _Literals,
    replaced: Sequence[tuple[str, str]],
) -> list[str]:
    """A `.SRCINFO` is never believed: it may only follow what is known to have changed in PKGBUILD."""
    if new is None or old is None:
        return [".SRCINFO is missing or cannot be read"]
    found = []
    if "pkgver" in after.variables and new.pkgver != after.variables["pkgver"]:
        found.append(f".SRCINFO says version {new.pkgver}, PKGBUILD {after.variables['pkgver']}")
    if "pkgrel" in after.variables and new.pkgrel != after.variables["pkgrel"]:
        found.append(f".SRCINFO says release {new.pkgrel}, PKGBUILD {after.variables['pkgrel']}")
    found += [
        f".SRCINFO has other {key} than PKGBUILD"
        for key, sums in after.sums.items()
        if new.base.values(key) != tuple(sums)
    ]
    if (old.pkgbase, old.names) != (new.pkgbase, new.names):
        return [*found, ".SRCINFO names other packages"]
    steps = [(before.variables[key], after.variables[key]) for key in before.variables if key != "pkgrel"]
    steps += [(old.pkgver, new.pkgver), *replaced]
    steps.append((old.version, new.version))
    for old_part, new_part in zip((old.base, *old.packages), (new.base, *new.packages), strict=True):
        for key in dict.fromkeys((*old_part.keys(), *new_part.keys())):
            if not _follows(key, old_part.values(key), new_part.values(key), steps):
                found.append(f".SRCINFO: {key} of {new_part.name} changes")
    return found


def _follows(key: str, old: tuple[str, ...], new: tuple[str, ...], steps: Sequence[tuple[str, str]]) -> bool:
    if key in ("pkgver", "pkgrel"):
        return len(old) == len(new) == 1
    if _SUMS_KEY.fullmatch(key):
        return [_kind(value) for value in old] == [_kind(value) for value in new]
    return len(old) == len(new) and all(_is_step(a, b, steps) for a, b in zip(old, new, strict=True))


def _kind(checksum: str) -> tuple[bool, int]:
    return checksum == "SKIP", len(checksum)


def _is_step(old: str, new: str, steps: Sequence[tuple[str, str]]) -> bool:
    """Whether `new` is `old` with one of the versions in `steps` replaced."""
    return old == new or any(old.replace(before, after) == new for before, after in steps)


def _with_replaced(text: str, replaced: Sequence[tuple[str, str]]) -> str:
    for before, after in replaced:
        text = text.replace(before, after)
    return text
