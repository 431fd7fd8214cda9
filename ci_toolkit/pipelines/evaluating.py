"""What makepkg says about new PKGBUILDs, where a review could not believe their `.SRCINFO` otherwise."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING

from ci_toolkit.errors import ToolkitError
from ci_toolkit.model.observation import Moved
from ci_toolkit.review.srcinfo import needs_evaluation

if TYPE_CHECKING:
    from collections.abc import Mapping
    from concurrent.futures import Executor

    from ci_toolkit.model.names import Pkgbase
    from ci_toolkit.model.observation import SourceOutcome
    from ci_toolkit.recipes.makepkg.program import Makepkg

log = logging.getLogger(__name__)

Before = tuple[bytes, bytes]
"""PKGBUILD and `.SRCINFO` as they are in the repository; empty where there is none."""


def with_evaluations(
    outcomes: Mapping[Pkgbase, SourceOutcome], before: Mapping[Pkgbase, Before], makepkg: Makepkg, heavy: Executor
) -> dict[Pkgbase, SourceOutcome]:
    """The outcomes, with what makepkg prints in the sandbox for those that text alone leaves open.

    Each is run once. One that cannot be run stays as it is, and the log says why.
    """
    open_ones = {pkgbase: moved for pkgbase, moved in _moved(outcomes).items() if _is_open(moved, before.get(pkgbase))}
    if not open_ones or not _can_run(makepkg, len(open_ones)):
        return dict(outcomes)
    results = heavy.map(lambda pkgbase: _evaluated(pkgbase, open_ones[pkgbase], makepkg), open_ones)
    return {**outcomes, **dict(zip(open_ones, results, strict=True))}


def _moved(outcomes: Mapping[Pkgbase, SourceOutcome]) -> dict[Pkgbase, Moved]:
    return {pkgbase: outcome for pkgbase, outcome in outcomes.items() if isinstance(outcome, Moved)}


def _is_open(moved: Moved, before: Before | None) -> bool:
    pkgbuild, srcinfo = moved.files.get("PKGBUILD"), moved.files.get(".SRCINFO")
    if pkgbuild is None or srcinfo is None or moved.evaluated is not None:
        return False
    return needs_evaluation(pkgbuild.content, srcinfo.content, before)


def _can_run(makepkg: Makepkg, count: int) -> bool:
    """Whether there is anything to run them with; said once, not for every package."""
    try:
        makepkg.check()
    except ToolkitError as error:
        packages = "1 package" if count == 1 else f"{count} packages"
        log.warning("%s; .SRCINFO of %s cannot be confirmed", error.what, packages)
        return False
    return True


def _evaluated(pkgbase: Pkgbase, moved: Moved, makepkg: Makepkg) -> Moved:
    try:
        return replace(moved, evaluated=makepkg.srcinfo(moved.files))
    except ToolkitError as error:
        log.warning("%s: .SRCINFO cannot be confirmed: %s", pkgbase, error.what)
        return moved
