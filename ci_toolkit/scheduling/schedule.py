"""A schedule: what is to be built, on which class of builder, in which order."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ci_toolkit.formats.state import PendingBuild
from ci_toolkit.scheduling.dependencies import build_order, deptree_records, edges, in_circles

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from ci_toolkit.formats.deptree import DeptreeRecord
    from ci_toolkit.model.names import Oid, Pkgbase
    from ci_toolkit.model.package import Snapshot


INTERACTIVE = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """What a backend is handed.

    `request` identifies the schedule: handing over the same one twice must build nothing twice. `remaining` is set when
    packages were removed, to every package that is still there. `concerns` are remarks on the order. What somebody
    asked for has a higher `priority` than what pipelines found, and is built first.
    """

    request: str
    commit: Oid
    builds: tuple[PendingBuild, ...]
    deptree: tuple[DeptreeRecord, ...]
    remaining: tuple[Pkgbase, ...] | None = None
    concerns: tuple[str, ...] = ()
    priority: int = 0

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to hand over."""
        return not self.builds and self.remaining is None


def make_schedule(
    snapshot: Snapshot,
    wanted: Mapping[Pkgbase, str | None],
    *,
    commit: Oid,
    removed: bool = False,
    occasion: str = "",
    keeps_order: bool = True,
) -> Schedule:
    """The schedule for packages of a snapshot, given with the builder class to use (None: the configured one).

    With an `occasion`, which somebody had, it is another one than all before, although the packages may be the same.
    `keeps_order` is the backend's.
    """
    records = deptree_records(snapshot.packages.values())
    needs = edges(records)
    order = build_order(wanted.keys(), needs)
    builds = tuple(
        PendingBuild(pkgbase=pkgbase, builder_class=wanted[pkgbase] or configured_class(snapshot, pkgbase))
        for pkgbase in order
    )
    lost = () if keeps_order else lost_order(builds, needs)
    return Schedule(
        request=request_id(commit, snapshot.state.counter, builds, occasion),
        commit=commit,
        builds=builds,
        deptree=records,
        remaining=tuple(sorted(snapshot.packages)) if removed else None,
        concerns=(*lost, *order_circles(order, needs)),
        priority=INTERACTIVE if occasion else 0,
    )


def configured_class(snapshot: Snapshot, pkgbase: Pkgbase) -> str | None:
    """BUILDER_CLASS of the package, else CI_DEFAULT_CLASS of the repository."""
    return snapshot.packages[pkgbase].config.builder_class or snapshot.settings.default_class


def request_id(commit: str, counter: int, builds: Iterable[PendingBuild], occasion: str = "") -> str:
    """The same for the same schedule of the same state: 16 hexadecimal digits."""
    text = "\n".join([commit, str(counter) + occasion, *(f"{build.pkgbase}/{build.builder_class}" for build in builds)])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def lost_order(builds: Iterable[PendingBuild], needs: Mapping[Pkgbase, frozenset[Pkgbase]]) -> tuple[str, ...]:
    """What a backend that does not keep the order may build before what it depends on, a sentence each."""
    classes = {build.pkgbase: build.builder_class or "1" for build in builds}
    return tuple(
        f"{pkgbase} (class {classes[pkgbase]}) needs {other} (class {classes[other]}) and may be built before it"
        for pkgbase, other in built_too_early(classes, needs)
    )


def built_too_early(
    classes: Mapping[Pkgbase, str], needs: Mapping[Pkgbase, frozenset[Pkgbase]]
) -> Iterator[tuple[Pkgbase, Pkgbase]]:
    """Packages with what they need and may overtake, by the builder class of each."""
    for pkgbase, own in classes.items():
        for other in sorted(needs.get(pkgbase, ())):
            if _may_overtake(own, classes.get(other, own)):
                yield pkgbase, other


def _may_overtake(own: str, other: str) -> bool:
    """Whether some builder takes class `own` and not `other`, and so does not see that it should wait.

    A builder takes every class up to its own, and what names it. One that is named may be of any class, or be there for
    what names it alone. Source: chaotic-manager, May 2026.
    """
    if own.isdecimal() and other.isdecimal():
        return int(own) < int(other)
    return own != other


def order_circles(order: Iterable[Pkgbase], needs: Mapping[Pkgbase, frozenset[Pkgbase]]) -> tuple[str, ...]:
    """A remark on packages of `order` that need themselves through others."""
    circle = sorted(in_circles(order, needs))
    return (f"{', '.join(circle)} depend on each other in a circle",) if circle else ()
