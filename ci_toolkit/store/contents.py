"""What is in a store, and all that is known of one thing in it, as values for reports."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ci_toolkit.store.store_reader import FaultKind

if TYPE_CHECKING:
    from ci_toolkit.store.index import StoredBuild
    from ci_toolkit.store.path_index import StoredPath
    from ci_toolkit.store.store_reader import StoreFault, StoreReader


@dataclass(frozen=True, slots=True, kw_only=True)
class Thing:
    """A file that a build made, or a store path; `job` is that of the build."""

    name: str
    sha256: str
    size_bytes: int
    at_s: float
    job: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildFacts:
    """A build with the sizes of what it made, in its order."""

    build: StoredBuild
    sizes: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PathFacts:
    """A store path with what it needs, itself included, and what refers to it directly."""

    entry: StoredPath
    closure: tuple[str, ...]
    closure_bytes: int
    referrers: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultFacts:
    """A fault with the names of everything that is lost with the object."""

    fault: StoreFault
    names: tuple[str, ...]


def things_in(store: StoreReader, limit: int | None = None) -> tuple[Thing, ...]:
    """The newest files of builds and store paths, or all of them."""
    sizes = store.sizes()
    files = (
        Thing(name=one.file, sha256=one.sha256, size_bytes=sizes[one.sha256], at_s=build.built_at_s, job=build.job)
        for build in store.recent_builds(limit)
        for one in build.packages
    )
    paths = (
        Thing(name=str(entry.path), sha256=entry.sha256, size_bytes=entry.size_bytes, at_s=entry.stored_at_s)
        for entry in store.entries()
    )
    found = sorted((*files, *paths), key=lambda thing: (-thing.at_s, thing.name))
    return tuple(found[:limit])


def build_facts(build: StoredBuild, store: StoreReader) -> BuildFacts:
    """All that is known of a build."""
    sizes = store.sizes()
    return BuildFacts(build=build, sizes=tuple(sizes.get(one.sha256, 0) for one in build.packages))


def build_labels(store: StoreReader) -> dict[str, str]:
    """What people are told of each build, by its identity."""
    return {build.identity: f"{build.pkgbase} (job {build.job})" for build in store.recent_builds()}


def path_facts(entry: StoredPath, store: StoreReader) -> PathFacts:
    """All that is known of a store path."""
    needed = {str(one.path): one.size_bytes for one in store.entries()}
    closure = store.closure([entry.path])
    return PathFacts(
        entry=entry,
        closure=closure,
        closure_bytes=sum(needed[path] for path in closure),
        referrers=store.direct_referrers(entry.path),
    )


def fault_facts(fault: StoreFault, store: StoreReader) -> FaultFacts:
    """What is lost with an object."""
    if fault.kind is FaultKind.UNKNOWN:
        return FaultFacts(fault=fault, names=())
    files = [one.file for build in store.makers(fault.sha256) for one in build.packages if one.sha256 == fault.sha256]
    paths = [entry.path for entry in store.entries_of(fault.sha256)]
    names = (*sorted(set(files)), *map(str, paths), *store.referrers(paths))
    return FaultFacts(fault=fault, names=names)
