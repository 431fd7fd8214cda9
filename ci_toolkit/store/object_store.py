"""A store to read and to change: files kept once by their content, and the index that says what they are.

    lock               held by the one process that changes it
    index.sqlite       what made each object, and which store path it is the archive of
    objects/ab/cdef…   objects by SHA-256, which nobody can change by accident
    incoming/          what is being brought at this moment

An object is there if and only if it has a row. Before a file appears or vanishes the index says so, and whoever opens
the store next removes what was left without a row, so that this holds after a process was killed at any moment. What is
read is compared with its checksum first.
"""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ci_toolkit.effects.clock import SystemClock
from ci_toolkit.effects.exclusive_lock import exclusive
from ci_toolkit.effects.files import link_or_copy
from ci_toolkit.errors import RefusedError
from ci_toolkit.store.index import StoredPackage
from ci_toolkit.store.index_file import IndexFile
from ci_toolkit.store.path_index import StoredPath, in_order, reachable
from ci_toolkit.store.store_reader import INDEX, StoreReader

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from ci_toolkit.effects.clock import Clock
    from ci_toolkit.formats.nix_signatures import NixSignature
    from ci_toolkit.formats.store_path import StorePath
    from ci_toolkit.store.index import StoredBuild
    from ci_toolkit.store.object_files import Incoming, Receiving
    from ci_toolkit.store.store_reader import StoreFault

_CLOCK = SystemClock()
_WAIT_S = 2.0  # a process that is about to end is waited for
_SYNCHRONIZING = 16
_BATCH = 200  # of objects that are removed at once: each of them is open meanwhile


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """A package file that a build made, to be taken into the store, and what it says about itself."""

    path: Path
    name: str
    version: str
    arch: str
    provides: tuple[str, ...] = ()
    depends: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """An archive that is to be kept as a path, and what is known of it."""

    path: StorePath
    archive: Incoming
    references: tuple[StorePath, ...] = ()
    deriver: StorePath | None = None
    signatures: tuple[NixSignature, ...] = ()

    def entry(self, at_s: float) -> StoredPath:
        """What the index will say."""
        return StoredPath(
            path=self.path,
            sha256=self.archive.sha256,
            size_bytes=self.archive.size_bytes,
            stored_at_s=at_s,
            references=tuple(sorted(set(self.references))),
            deriver=self.deriver,
            signatures=self.signatures,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Registered:
    """Of the first arrivals, whether each was new; and why the next one is refused, if it is."""

    is_new: tuple[bool, ...]
    refused: RefusedError | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Removal:
    """What is to be removed, or was: builds by identity, store paths (referrers first), and objects with all bytes."""

    builds: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    objects: tuple[str, ...] = ()
    size_bytes: int = 0


class ObjectStore(StoreReader):
    """One store to change, for several threads; open it with `open_store`."""

    def __init__(self, folder: Path, index_file: IndexFile, clock: Clock) -> None:
        super().__init__(folder, index_file)
        self._clock = clock
        # An object that one thread finds there and refers to is not removed by another before it has done so.
        self._changing = threading.Lock()
        self._settle()
        self._files.sweep()

    # builds

    def add(self, outputs: Iterable[Output], made: StoredBuild) -> StoredBuild:
        """Take what a build made; gives `made` with the packages.

        Files are linked, not copied, where that is possible, and stay where they are. An earlier build of the same
        identity is replaced.
        """
        with self._changing, ExitStack() as held:
            taken = [(output, self._files.linked(output.path, held)) for output in outputs]
            build = replace(made, packages=tuple(_package(output, incoming.sha256) for output, incoming in taken))
            with self._bringing({incoming.sha256: incoming for _, incoming in taken}):
                self._index.add(build, {incoming.sha256: incoming.size_bytes for _, incoming in taken})
        return build

    def build(self, identity: str) -> StoredBuild | None:
        """A build whose packages are all there with the content that they had; None otherwise.

        A build that has lost something is forgotten, so that it is made again.
        """
        found = self._index.build(identity)
        if found is None:
            return None
        if found.packages and all(self._files.is_whole(one.sha256) for one in found.packages):
            return found
        with self._changing:  # another thread may have added it again meanwhile
            self._drop([one.sha256 for one in found.packages if not self._files.is_whole(one.sha256)])
        return None

    def lay_out(self, build: StoredBuild, folder: Path) -> tuple[Path, ...]:
        """The packages of a build under their own names in a new folder; nothing is copied where links will do."""
        folder.mkdir(parents=True, exist_ok=True)
        paths = []
        for package in build.packages:
            path = folder / package.file
            path.unlink(missing_ok=True)
            with self._files.reading(package.sha256):
                link_or_copy(self.path(package.sha256), path)
            paths.append(path)
        return tuple(paths)

    # store paths

    @contextmanager
    def receiving(self) -> Iterator[Receiving]:
        """A file for an archive, to be written and given to `register`; without that nothing of it stays."""
        with self._files.receiving() as receiving:
            yield receiving

    def register(self, arrival: Arrival) -> bool:
        """Keep an archive as a path; False when the very same was here already, and then only signatures are added.

        RefusedError when it has another content or other references here, or refers to what is not here.
        """
        done = self.register_all([arrival])
        if done.refused is not None:
            raise done.refused
        return done.is_new[0]

    def register_all(self, arrivals: Sequence[Arrival]) -> Registered:
        """The same for several at once, which takes less time; those behind the first that is refused are not kept."""
        with self._changing:
            known: dict[StorePath, StoredPath] = {}
            is_new: list[bool] = []
            refused: RefusedError | None = None
            for arrival in arrivals:
                entry = arrival.entry(self._clock.now())
                try:
                    there = known.get(entry.path) or self._paths.path(entry.path)
                    self._judge(entry, there, known)
                except RefusedError as error:
                    refused = error
                    break
                is_new.append(there is None)
                known[entry.path] = entry
            accepted = list(zip(arrivals, is_new, strict=False))
            with self._bringing({one.archive.sha256: one.archive for one, _ in accepted}):
                self._paths.add([known[one.path] for one, new in accepted if new])
                self._paths.sign((one.path, one.signatures) for one, new in accepted if not new)
            self._settle()
        return Registered(is_new=tuple(is_new), refused=refused)

    # removing

    def unneeded(self, *, before_s: float, referenced: Iterable[str]) -> Removal:
        """What is older and of no use any more: nothing of it is among the objects that are referenced elsewhere.

        A build is kept whole, and a store path with all that it refers to.
        """
        kept = frozenset(referenced)
        made, contents, references = self._index.made(), self._paths.contents(), self._paths.references()
        kept_builds = {identity for identity, sha256, built_at_s in made if built_at_s >= before_s or sha256 in kept}
        roots = (path for path, (sha256, at_s) in contents.items() if at_s >= before_s or sha256 in kept)
        kept_paths = reachable(roots, references)
        kept |= {sha256 for identity, sha256, _ in made if identity in kept_builds}
        kept |= {contents[path][0] for path in kept_paths}
        objects = [one for one in self._index.stored_before(before_s) if one.sha256 not in kept]
        return Removal(
            builds=tuple(sorted({identity for identity, _, _ in made} - kept_builds)),
            paths=tuple(reversed(in_order(contents.keys() - kept_paths, references))),
            objects=tuple(one.sha256 for one in objects),
            size_bytes=sum(one.size_bytes for one in objects),
        )

    def collect(self, *, before_s: float, referenced: Iterable[str]) -> Removal:
        """Remove what is not needed any more; gives what was removed, which an object that somebody reads is not."""
        with self._changing:
            return self._remove(self.unneeded(before_s=before_s, referenced=referenced))

    def deletion(
        self, *, builds: Iterable[str] = (), paths: Iterable[StorePath] = (), with_referrers: bool = False
    ) -> Removal:
        """What goes when these builds and paths do: the objects, too, that nothing else stands for.

        RefusedError, which names them, when other paths refer to these ones, unless they are to go as well.
        """
        chosen, named = frozenset(builds), tuple(paths)
        referrers = self.referrers(named)
        if referrers and not with_referrers:
            raise _referred(named, referrers)
        going = (*referrers, *reversed(in_order(map(str, named), self._paths.references())))
        contents, made = self._paths.contents(), self._index.made()
        touched = {contents[path][0] for path in going} | {sha256 for one, sha256, _ in made if one in chosen}
        touched -= {sha256 for path, (sha256, _) in contents.items() if path not in set(going)}
        touched -= {sha256 for one, sha256, _ in made if one not in chosen}
        sizes = self.sizes()
        return Removal(
            builds=tuple(sorted(chosen)),
            paths=going,
            objects=tuple(sorted(touched)),
            size_bytes=sum(sizes[sha256] for sha256 in touched),
        )

    def delete(
        self, *, builds: Iterable[str] = (), paths: Iterable[StorePath] = (), with_referrers: bool = False
    ) -> Removal:
        """Remove what `deletion` says, now; an object that somebody reads is left to the next collection."""
        with self._changing:
            return self._remove(self.deletion(builds=builds, paths=paths, with_referrers=with_referrers))

    def mend(self, faults: Iterable[StoreFault]) -> None:
        """Make files and index agree: what is wrong is removed, with everything that was made of it or refers to it."""
        with self._changing:
            self._drop([fault.sha256 for fault in faults])

    def _remove(self, removal: Removal) -> Removal:
        self._index.forget((), builds=removal.builds, paths=removal.paths)
        sizes = self.sizes()
        gone = self._vanish(removal.objects)
        return replace(removal, objects=gone, size_bytes=sum(sizes.get(sha256, 0) for sha256 in gone))

    def _drop(self, objects: list[str]) -> None:
        """Forget objects with all that was made of them, and whatever refers to that."""
        lost = [entry.path for sha256 in objects for entry in self._paths.paths_of(sha256)]
        orphans: tuple[str, ...] = ()
        if lost:
            removal = self.deletion(paths=lost, with_referrers=True)
            self._index.forget((), paths=removal.paths)
            orphans = removal.objects
        self._vanish(dict.fromkeys((*objects, *orphans)))

    def _vanish(self, objects: Iterable[str]) -> tuple[str, ...]:
        """Remove objects that no path stands for, but for those that somebody reads."""
        left, gone = list(objects), list[str]()
        while left:
            batch, left = left[:_BATCH], left[_BATCH:]
            with self._files.claimed(batch) as claimed:
                self._index.forget(claimed)
                for sha256 in claimed:
                    self._files.remove(sha256)
                self._index.settle(claimed)
                gone.extend(claimed)
        return tuple(sorted(gone))

    # what was begun

    @contextmanager
    def _bringing(self, incoming: dict[str, Incoming]) -> Iterator[None]:
        """Place files whose rows are written within; without those they are gone again."""
        new = [one for one in incoming.values() if not self._files.is_whole(one.sha256)]
        if new:
            _synchronize(new)
            self._index.begin(one.sha256 for one in new)
        try:
            for one in new:
                self._files.place(one)
            yield
        except BaseException:
            self._settle()
            raise

    def _settle(self) -> None:
        """Complete what was begun, by this process or by one that was killed: a file without a row is removed."""
        begun = self._index.changing()
        for sha256, has_row in begun.items():
            if not has_row:
                self._files.remove(sha256)
        if begun:
            self._index.settle(begun)

    def _judge(self, entry: StoredPath, there: StoredPath | None, known: Mapping[StorePath, StoredPath]) -> None:
        if there is not None and not there.is_same(entry):
            raise _conflict(there, entry)
        missing = [
            str(one)
            for one in entry.references
            if one != entry.path and one not in known and self._paths.path(one) is None
        ]
        if missing and there is None:
            hint = "bring it first, or with it: nix-store --export $(nix-store --query --requisites PATH)"
            raise RefusedError(
                f"refers to {listed(missing)}, which is not in the store", key=str(entry.path), hint=hint
            )


@contextmanager
def open_store(folder: Path, *, who: str = "a program", clock: Clock = _CLOCK) -> Iterator[ObjectStore]:
    """The store in a folder, made where there is none, for one process alone to change.

    NotReadyError while another process has it open in this way, which is named by the `who` that it gave; others may
    read meanwhile, with `read_store`.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    hint = "only one process at a time can change a store; try again when it is done"
    with (
        exclusive(folder / "lock", who=who, wait_s=_WAIT_S, clock=clock, hint=hint),
        closing(IndexFile(folder / INDEX)) as index_file,
    ):
        yield ObjectStore(folder, index_file, clock)


def listed(names: Sequence[str], most: int = 5) -> str:
    """Some names in a sentence, of many the first ones."""
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most:,} more"


def _synchronize(incoming: Sequence[Incoming]) -> None:
    """Wait until all are on the disk: at once, as a disk needs as long for a few as for one."""
    if len(incoming) == 1:
        incoming[0].synchronize()
        return
    with ThreadPoolExecutor(min(_SYNCHRONIZING, len(incoming)), thread_name_prefix="synchronize") as pool:
        list(pool.map(lambda one: one.synchronize(), incoming))


def _package(output: Output, sha256: str) -> StoredPackage:
    return StoredPackage(
        file=output.path.name,
        sha256=sha256,
        name=output.name,
        version=output.version,
        arch=output.arch,
        provides=output.provides,
        depends=output.depends,
    )


def _conflict(there: StoredPath, entry: StoredPath) -> RefusedError:
    differs = "other references" if there.sha256 == entry.sha256 else "another content"
    hint = f"ci-toolkit store info {entry.path.base_name} shows it; delete it first if this one is to be kept"
    return RefusedError(f"is in the store already with {differs}", key=str(entry.path), hint=hint)


def _referred(paths: Sequence[StorePath], referrers: Sequence[str]) -> RefusedError:
    what = str(paths[0]) if len(paths) == 1 else "one of them"
    hint = "--with-referrers deletes them as well"
    return RefusedError(f"is referred to by {listed(referrers)}", key=what, hint=hint)
