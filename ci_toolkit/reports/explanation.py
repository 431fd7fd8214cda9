"""Why a package did or did not get updated, in a few lines."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from ci_toolkit.formats.dates import format_time
from ci_toolkit.formats.state import ORPHANED
from ci_toolkit.formats.verdicts import verdict_fields
from ci_toolkit.model.names import Pkgbase, review_branch
from ci_toolkit.reports.plain_text import one_line

if TYPE_CHECKING:
    from ci_toolkit.formats.state import PackageState, RepositoryState, ReviewRecord
    from ci_toolkit.model.verdict import Verdict


def explain_text(pkgbase: Pkgbase, verdict: Verdict | None, state: RepositoryState, review: ReviewRecord | None) -> str:
    """The last verdict, then everything that is remembered."""
    lines = list(_verdict_lines(pkgbase, verdict))
    lines += [f"  {name:<21} {value}" for name, value in _remembered(state.package(pkgbase)).items()]
    if review is not None:
        by = "the bot only" if review.author == "bot" else "people too"
        lines.append(f"  {'review branch':<21} {review_branch(pkgbase)} at {review.head[:10]}, committed to by {by}")
    if state.base:
        lines.append(f"  {'as of':<21} run {state.counter}, which left the default branch at {state.base[:10]}")
    return "".join(f"{line}\n" for line in lines)


def explain_json(pkgbase: Pkgbase, verdict: Verdict | None, state: RepositoryState, review: ReviewRecord | None) -> str:
    """The same facts for machines."""
    value = {
        "package": pkgbase,
        "verdict": verdict_fields(verdict) if verdict else None,
        "remembered": _remembered(state.package(pkgbase)),
        "review": {"branch": review_branch(pkgbase), "head": review.head, "author": review.author} if review else None,
        "run": state.counter,
        "base": state.base,
    }
    return json.dumps(value, indent=2) + "\n"


def _verdict_lines(pkgbase: Pkgbase, verdict: Verdict | None) -> list[str]:
    if verdict is None:
        return [f"{pkgbase}: no on-schedule run has recorded anything of it yet"]
    step = f", {one_line(verdict.old)} → {one_line(verdict.new)}" if verdict.old and verdict.new else ""
    lines = [f"{pkgbase}: {verdict.code.word}{step} [{verdict.code.code}]", f"  because {one_line(verdict.why)}"]
    if verdict.now:
        lines.append(f"  now it {one_line(verdict.now)}" if verdict.builds else f"  next: {one_line(verdict.now)}")
    return lines + [f"  problem: {one_line(problem)}" for problem in verdict.problems]


def _remembered(state: PackageState) -> dict[str, str]:
    found = {
        "upstream revision": state.upstream_revision,
        "upstream time": None if state.pkgbuild_timestamp is None else format_time(state.pkgbuild_timestamp),
        "VCS head": state.git_commit,
        "content in review": state.review_content,
        "maintainers": _people(state.maintainers),
        "maintainers in review": _people(state.review_maintainers),
    }
    return {name: value for name, value in found.items() if value}


def _people(names: frozenset[str] | None) -> str:
    return ", ".join("nobody" if name == ORPHANED else name for name in sorted(names or ()))
