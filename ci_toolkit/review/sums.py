"""Checksums: as many of the same kinds, for a new version only."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ci_toolkit.model.finding import Rule, Severity
from ci_toolkit.review.rules import found

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ci_toolkit.model.finding import Finding
    from ci_toolkit.review.rules import Place
    from ci_toolkit.review.steps import Steps

NEW = Rule(id="checksum-changed", severity=Severity.MINOR, meaning="A new version has new checksums.")
SAME_VERSION = Rule(
    id="checksum-same-version", severity=Severity.HIGH, meaning="Other files are expected under the same version."
)
SKIPPED = Rule(id="checksum-skipped", severity=Severity.HIGH, meaning="A source is no longer checked.")
WEAKER = Rule(id="checksum-weaker", severity=Severity.HIGH, meaning="A source is checked less well.")
FEWER = Rule(id="checksum-fewer", severity=Severity.HIGH, meaning="There are fewer checksums.")
MORE = Rule(id="checksum-added", severity=Severity.LOW, meaning="There are more checksums.")
KIND = Rule(id="checksum-kind", severity=Severity.LOW, meaning="A source is checked in another way.")
COMPUTED = Rule(id="checksum-computed", severity=Severity.HIGH, meaning="A checksum is not written out as one.")
RULES = (NEW, SAME_VERSION, SKIPPED, WEAKER, FEWER, MORE, KIND, COMPUTED)

_DIGITS = {"md5": 32, "sha1": 40, "sha224": 56, "sha256": 64, "sha384": 96, "sha512": 128, "b2": 128}
_ARRAY = re.compile(r"(ck|md5|sha1|sha224|sha256|sha384|sha512|b2)sums(_[A-Za-z0-9_]+)?")
_STRENGTH = {"ck": 0, "md5": 1, "sha1": 2, "sha224": 3, "sha256": 4, "sha384": 5, "sha512": 6, "b2": 6}
_SKIP = "SKIP"


def is_sums(name: str) -> bool:
    """Whether this is the name of an array of checksums."""
    return _ARRAY.fullmatch(name) is not None


def judge_sums(
    name: str, old: Sequence[str | None], new: Sequence[str | None], steps: Steps, place: Place
) -> list[Finding]:
    """What to say of an array of checksums that changed; None stands for an element that is not literal."""
    if len(new) < len(old):
        return [found(FEWER, place, f"{name} has {len(new)} checksums and had {len(old)}.")]
    if len(new) > len(old):
        worst = SKIPPED if _SKIP in new[len(old) :] else MORE
        return [found(worst, place, f"{name} has {len(new)} checksums and had {len(old)}.", Severity.LOW)]
    changed = [(before, after) for before, after in zip(old, new, strict=True) if before != after or after is None]
    if any(before is None or after is None for before, after in changed):
        return [found(COMPUTED, place, f"{name} has an element that is no literal checksum.")]
    if any(after == _SKIP for _, after in changed):
        return [found(SKIPPED, place, f"{name} has SKIP where a checksum was.")]
    digits = _DIGITS.get(name.partition("sums")[0])
    if not all(_is_digest(after or "", digits) for _, after in changed):
        return [found(COMPUTED, place, f"{name} has an element that is no checksum of its kind.")]
    if any(before == _SKIP for before, _ in changed):
        return [found(KIND, place, f"{name} has a checksum where SKIP was.")]
    if changed and not steps.is_new_version:
        return [found(SAME_VERSION, place, f"{name} changes although the version does not go up.")]
    return [found(NEW, place, f"{name} has new checksums for the new version.")] if changed else []


def judge_removed_sums(name: str, others: Sequence[str], place: Place) -> Finding:
    """What to say of an array that is gone, given the names of those that are new."""
    kind, architecture = _split(name)
    kinds = [other_kind for other_kind, suffix in map(_split, others) if suffix == architecture]
    if not kinds:
        return found(FEWER, place, f"{name} is gone.")
    if max(_STRENGTH[other] for other in kinds) < _STRENGTH[kind]:
        return found(WEAKER, place, f"{name} gives way to a weaker kind.")
    return found(KIND, place, f"{name} gives way to another kind that is as strong.")


def _split(name: str) -> tuple[str, str]:
    parts = _ARRAY.fullmatch(name)
    return (parts[1], parts[2] or "") if parts else ("ck", "")


def _is_digest(text: str, digits: int | None) -> bool:
    if digits is None:
        return re.fullmatch(r"[0-9]{1,10}", text) is not None
    return re.fullmatch(r"[0-9a-fA-F]*", text) is not None and len(text) == digits
