"""The opt-in rule `official-dependency`: new dependencies on what the distribution or this repository has are minor.

Whoever maintains a package can make it pull in any other package, so a change of dependencies is a review. Packages of
the official repositories have maintainers of their own, and those of this repository have been reviewed.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from ci_toolkit.model.finding import Finding, Severity

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from ci_toolkit.formats.srcinfo import SrcInfo

DEPENDENCY_RULES: Mapping[str, str] = {
    "depends-changed": "depends",
    "makedepends-changed": "makedepends",
    "checkdepends-changed": "checkdepends",
}
"""The rules this is about, and what they say has changed. Optional dependencies are never installed by themselves."""

_DEPENDENCY = re.compile(r"([A-Za-z0-9@_+][A-Za-z0-9@._+:-]*)(?:(?:[<>]=?|=)[A-Za-z0-9._+:~-]+)?")
_MOST_NAMED = 10


def official_dependency(
    findings: Iterable[Finding],
    *,
    old_srcinfo: SrcInfo | None,
    new_srcinfo: SrcInfo | None,
    official: Collection[str],
    own: Collection[str],
) -> tuple[Finding, ...]:
    """The findings, with changes of dependencies made minor where nothing else is to be judged.

    It asks for findings that have the owner's severities already. Everything stays as it is when some other rule found
    something, when a finding is one that refuses, when an added name is neither `official` nor `own` or none is
    official at all, and when `.SRCINFO` does not show the change that a finding is about.
    """
    given = tuple(findings)
    above = [one for one in given if one.severity > Severity.MINOR]
    if not above or not official or old_srcinfo is None or new_srcinfo is None:
        return given
    if any(one.rule not in DEPENDENCY_RULES or one.severity is Severity.REFUSE for one in above):
        return given
    added: set[str] = set()
    for key in {DEPENDENCY_RULES[one.rule] for one in above}:
        before, after = _dependencies(old_srcinfo, key), _dependencies(new_srcinfo, key)
        if before == after:
            return given
        # What is no plain dependency has no name, and was never there before.
        added |= {_name(text) for _, _, text in after - before} - ({_name(text) for _, _, text in before} - {""})
    if any(not name or (name not in official and name not in own) for name in added):
        return given
    said = f"official-dependency: {_said(added)}"
    return tuple(
        replace(one, severity=Severity.MINOR, text=f"{one.text} ({said})") if one in above else one for one in given
    )


def offered_names(srcinfos: Iterable[SrcInfo]) -> frozenset[str]:
    """The names of these packages and of everything they provide."""
    found: set[str] = set()
    for srcinfo in srcinfos:
        found.update(srcinfo.names)
        for section in (srcinfo.base, *srcinfo.packages):
            found.update(_name(text) for _, text in section.values_all_arch("provides"))
    return frozenset(found)


def _dependencies(srcinfo: SrcInfo, key: str) -> frozenset[tuple[str, str, str]]:
    """Where, under which key (one of an architecture, perhaps) and on what the packages depend."""
    return frozenset(
        (str(number), entry, text)
        for number, section in enumerate((srcinfo.base, *srcinfo.packages))
        for entry, text in section.values_all_arch(key)
    )


def _name(text: str) -> str:
    """The name alone; empty for what is no dependency that makepkg would take."""
    found = _DEPENDENCY.fullmatch(text)
    return found[1] if found else ""


def _said(added: Collection[str]) -> str:
    if not added:
        return "nothing is added"
    names = sorted(added)
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return f"the official repositories or this one have {', '.join(names[:_MOST_NAMED])}{more}"
