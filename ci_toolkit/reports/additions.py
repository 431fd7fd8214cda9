"""Packages that are to be added: what has to come with them, as a tree, and what was found in each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ci_toolkit.reports.plain_text import one_line
from ci_toolkit.reports.review_text import review_fields, review_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ci_toolkit.model.additions import DependencyTree
    from ci_toolkit.model.names import Pkgbase
    from ci_toolkit.pipelines.outcome import Outcome
    from ci_toolkit.reports.surroundings import Surroundings

_MOST_LINES = 400


def additions_text(outcome: Outcome, surroundings: Surroundings) -> str:
    """The tree first, then a review of each new package; empty where nothing is added."""
    lines = [] if outcome.tree is None else list(tree_lines(outcome.tree))
    shown = [*lines[:_MOST_LINES], *(["…"] if len(lines) > _MOST_LINES else [])]
    parts = ["".join(f"{line}\n" for line in shown), *(review_text(subject, surroundings) for subject in outcome.new)]
    return "".join(f"{part}\n" for part in parts if part)


def additions_fields(outcome: Outcome) -> dict[str, Any]:
    """The same as plain JSON values."""
    fields: dict[str, Any] = {"findings": [review_fields(subject) for subject in outcome.new]}
    if outcome.tree is not None:
        fields["tree"] = [_branch(outcome.tree, root) for root in dict.fromkeys(_all(outcome.tree))]
    return fields


def _all(tree: DependencyTree) -> Iterator[Pkgbase]:
    for root in tree.roots:
        yield from tree.below(root)


def _branch(tree: DependencyTree, pkgbase: Pkgbase) -> dict[str, Any]:
    return {
        "package": pkgbase,
        "asked_for": pkgbase in tree.roots,
        "needs": [{"name": need.name, "package": need.pkgbase} for need in tree.needs.get(pkgbase, ())],
        "unknown": list(tree.unknown.get(pkgbase, ())),
    }


def tree_lines(tree: DependencyTree) -> Iterator[str]:
    """Every package that was asked for with what has to come below it; what was shown above is not shown again."""
    shown: set[Pkgbase] = set()
    for root in tree.roots:
        yield one_line(root)
        if root not in shown:
            yield from _below(tree, root, "", shown)


def _below(tree: DependencyTree, pkgbase: Pkgbase, indent: str, shown: set[Pkgbase]) -> Iterator[str]:
    shown.add(pkgbase)
    by_package: dict[Pkgbase, list[str]] = {}
    for need in tree.needs.get(pkgbase, ()):
        by_package.setdefault(need.pkgbase, []).append(need.name)
    for number, (child, names) in enumerate(by_package.items(), 1):
        is_last = number == len(by_package)
        wanted = [name for name in names if name != child]
        note = f" for {', '.join(wanted)}" if wanted else ""
        again = " (see above)" if child in shown and tree.needs.get(child) else ""
        yield one_line(f"{indent}{'└─' if is_last else '├─'} {child}{note}{again}")
        if child not in shown:
            yield from _below(tree, child, f"{indent}{'   ' if is_last else '│  '}", shown)
