"""Who depends on whom in the repository, and an order in which dependencies come first."""

from __future__ import annotations

import re
from collections import deque
from typing import TYPE_CHECKING

from ci_toolkit.formats.deptree import DeptreeRecord

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from ci_toolkit.formats.srcinfo import SrcInfo
    from ci_toolkit.model.names import Pkgbase
    from ci_toolkit.model.package import Package

# `name`, `name>=1.2`, `libx.so=1-64`, `name: description`
_CONSTRAINT = re.compile(r"[<>=:]")
_NEEDS = ("depends", "makedepends")
# A name that could not be written between the separators of the artifact.
_UNWRITABLE = re.compile(r"[,:;\s]")


def dependency_name(text: str) -> str:
    """What a dependency names, without version and description: `libx.so` for `libx.so=1-64`."""
    return _CONSTRAINT.split(text, maxsplit=1)[0].strip()


def deptree_records(packages: Iterable[Package]) -> tuple[DeptreeRecord, ...]:
    """One record for every package; one whose `.SRCINFO` cannot be read provides its own name and needs nothing."""
    return tuple(deptree_record(package.pkgbase, package.srcinfo) for package in packages)


def deptree_record(pkgbase: Pkgbase, srcinfo: SrcInfo | None) -> DeptreeRecord:
    """What a package provides and needs by its `.SRCINFO`; without one it provides its own name and needs nothing."""
    if srcinfo is None:
        return DeptreeRecord(pkgbase=pkgbase, names=(pkgbase,), dependencies=())
    provided = {pkgbase, *srcinfo.names} | _names(srcinfo, ("provides",))
    needed = _names(srcinfo, _NEEDS) - provided
    return DeptreeRecord(pkgbase=pkgbase, names=tuple(sorted(provided)), dependencies=tuple(sorted(needed)))


def _names(srcinfo: SrcInfo, keys: Iterable[str]) -> set[str]:
    # A repository has thousands of these files, and all of them are read for one question.
    starts = tuple(keys)
    variants = tuple(f"{key}_" for key in starts)
    values = {
        value
        for section in (srcinfo.base, *srcinfo.packages)
        for key, value in section.entries
        if key.startswith(starts) and (key in starts or key.startswith(variants))
    }
    found = {dependency_name(value) for value in values}
    return {name for name in found if name and not _UNWRITABLE.search(name)}


def dependants_of(library: str, records: Iterable[DeptreeRecord]) -> tuple[Pkgbase, ...]:
    """Packages that need `library`: the name of anything, or of a package here and so of all that it provides."""
    listed = tuple(records)
    name = dependency_name(library)
    meant = {name}.union(*(record.names for record in listed if record.pkgbase == name))
    return tuple(
        sorted(record.pkgbase for record in listed if record.pkgbase != name and meant & set(record.dependencies))
    )


def edges(records: Iterable[DeptreeRecord]) -> dict[Pkgbase, frozenset[Pkgbase]]:
    """For each package the others of the repository that it needs."""
    listed = tuple(records)
    providers: dict[str, set[Pkgbase]] = {}
    for record in listed:
        for name in record.names:
            providers.setdefault(name, set()).add(record.pkgbase)
    return {
        record.pkgbase: frozenset().union(*(providers.get(name, set()) for name in record.dependencies))
        - {record.pkgbase}
        for record in listed
    }


def build_order(wanted: Collection[Pkgbase], needs: Mapping[Pkgbase, frozenset[Pkgbase]]) -> tuple[Pkgbase, ...]:
    """`wanted`, dependencies before dependants (also those that depend through packages not wanted), else by name.

    Packages that depend on each other in a circle come last, by name.
    """
    chosen = set(wanted)
    before = {pkgbase: _reachable(pkgbase, needs) & chosen - {pkgbase} for pkgbase in chosen}
    waiting = {pkgbase: len(others) for pkgbase, others in before.items()}
    dependants: dict[Pkgbase, list[Pkgbase]] = {}
    for pkgbase, others in before.items():
        for other in others:
            dependants.setdefault(other, []).append(pkgbase)
    ready = deque(sorted(pkgbase for pkgbase, count in waiting.items() if not count))
    order: list[Pkgbase] = []
    while ready:
        pkgbase = ready.popleft()
        order.append(pkgbase)
        freed = []
        for dependant in dependants.get(pkgbase, ()):
            waiting[dependant] -= 1
            if not waiting[dependant]:
                freed.append(dependant)
        ready.extend(sorted(freed))
    return (*order, *sorted(chosen - set(order)))


def _reachable(start: Pkgbase, needs: Mapping[Pkgbase, frozenset[Pkgbase]]) -> set[Pkgbase]:
    found: set[Pkgbase] = set()
    stack = list(needs.get(start, ()))
    while stack:
        pkgbase = stack.pop()
        if pkgbase not in found:
            found.add(pkgbase)
            stack.extend(needs.get(pkgbase, ()))
    return found


def in_circles(wanted: Iterable[Pkgbase], needs: Mapping[Pkgbase, frozenset[Pkgbase]]) -> Iterator[Pkgbase]:
    """Those packages that need themselves through others."""
    return (pkgbase for pkgbase in wanted if pkgbase in _reachable(pkgbase, needs))


def circles(needs: Mapping[Pkgbase, frozenset[Pkgbase]]) -> tuple[tuple[Pkgbase, ...], ...]:
    """Packages that need each other, grouped: each group is one way around, and begins with its first name."""
    left = set(in_circles(needs, needs))
    found = []
    while left:
        start = min(left)
        around = {other for other in _reachable(start, needs) if start in _reachable(other, needs)}
        found.append(_way_back(start, needs))
        left -= around
    return tuple(found)


def _way_back(start: Pkgbase, needs: Mapping[Pkgbase, frozenset[Pkgbase]]) -> tuple[Pkgbase, ...]:
    """The shortest way from a package to itself."""
    waiting: deque[tuple[Pkgbase, ...]] = deque([(start,)])
    seen: set[Pkgbase] = set()
    while waiting:
        way = waiting.popleft()
        for other in sorted(needs.get(way[-1], ())):
            if other == start:
                return way
            if other not in seen:
                seen.add(other)
                waiting.append((*way, other))
    raise ValueError(f"{start} does not need itself")
