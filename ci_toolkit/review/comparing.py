"""Two versions of a package folder compared by meaning: what a person has to know about the step between them.

Harmless is an allow-list: see modules variables, sums and urls. Everything else, and everything that is not
understood, is a finding above `MINOR`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ci_toolkit.review import characters, dangerous, hunks, other_files, pkgbuilds, sums, urls, variables
from ci_toolkit.review.rules import CANNOT_TELL, PKGBUILD, Place, found

if TYPE_CHECKING:
    import re
    from collections.abc import Mapping, Sequence

    from ci_toolkit.model.finding import Finding, Rule
    from ci_toolkit.model.observation import UpstreamFile

RULES: tuple[Rule, ...] = (
    *(*pkgbuilds.RULES, *variables.RULES, *sums.RULES, *urls.RULES, *hunks.RULES),
    *(*dangerous.RULES, *other_files.RULES, *characters.RULES),
)
"""All rules that a comparison may name."""


def compare_folders(
    old: Mapping[str, UpstreamFile], new: Mapping[str, UpstreamFile], allowed: Sequence[re.Pattern[str]] = ()
) -> tuple[Finding, ...]:
    """All findings about the step from `old` to `new`, the worst first; `.SRCINFO` is judged elsewhere.

    Without any finding above `MINOR` the change is harmless. An empty `old` means that the package is new.
    `allowed` are the owner's patterns for changed lines: see module allowing. A folder that never had a PKGBUILD is one
    that its owner describes; no change of it is known to be harmless.
    """
    before, after = old.get(PKGBUILD), new.get(PKGBUILD)
    is_described = bool(old) and before is None and after is None
    result = other_files.refusals(new, is_described=is_described) if new else []
    result += other_files.compare_others(old, new)
    if is_described:
        result.append(found(CANNOT_TELL, Place(file="."), "What builds this folder is not understood here."))
    elif after is None:
        result.append(found(pkgbuilds.REMOVED, Place(), pkgbuilds.REMOVED.meaning))
    elif before is None:
        result += pkgbuilds.assess_pkgbuild(after.content)
    else:
        result += pkgbuilds.compare_pkgbuilds(before.content, after.content, allowed)
    return tuple(sorted(result, key=lambda finding: -finding.severity))
