"""What can be read from a store, also while another process changes it."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from ci_toolkit.effects.hashed_writer import HashedWriter
from ci_toolkit.errors import MachineError, NotReadyError
from ci_toolkit.formats.nix_export import ExportedPath, format_export
from ci_toolkit.formats.store_path import parse_store_path
from ci_toolkit.store.index import StoreIndex
from ci_toolkit.store.index_file import IndexFile
from ci_toolkit.store.object_files import ObjectFiles
from ci_toolkit.store.path_index import PathIndex, in_order, reachable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from ci_toolkit.formats.store_path import StorePath
    from ci_toolkit.store.index import StoredBuild
    from ci_toolkit.store.path_index import StoredPath

INDEX = "index.sqlite"
"""The file of the index in the folder of a store."""

_PIECE = 1 << 18
_CHUNK = 50


class FaultKind(Enum):
    """What can be wrong with an object."""

    MISSING = "its file is gone"
    DAMAGED = "its file has another content"
    UNKNOWN = "nothing is known to have made it"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreFault:
    """One object that is not as it should be; `size_bytes` is that of its file or, without one, of its row."""

    sha256: str
    kind: FaultKind
    size_bytes: int


class StoreReader:
    """One store to read from, for several threads; open it with `read_store`."""

    def __init__(self, folder: Path, index_file: IndexFile) -> None:
        self._files = ObjectFiles(folder)
        self._index = StoreIndex(index_file)
        self._paths = PathIndex(index_file)

    # builds and objects

    def known(self, identity: str) -> StoredBuild | None:
        """What the index says of a build; nothing is compared, so this is for telling and not for using."""
        return self._index.build(identity)

    def recent_builds(self, limit: int | None = None) -> tuple[StoredBuild, ...]:
        """The builds that were made last, or all, the newest first; nothing is compared."""
        return self._index.recent_builds(limit)

    def makers(self, sha256: str) -> tuple[StoredBuild, ...]:
        """The builds that made an object."""
        return tuple(build for one in self._index.makers(sha256) if (build := self._index.build(one)) is not None)

    def builds_called(self, name: str) -> tuple[StoredBuild, ...]:
        """The builds of a package base, or that made a file of this name, the newest first."""
        return tuple(build for one in self._index.builds_called(name) if (build := self._index.build(one)) is not None)

    def sizes(self) -> dict[str, int]:
        """The bytes of every object, by its checksum."""
        return {sha256: one.size_bytes for sha256, one in self._index.objects().items()}

    def size_of(self, identity: str) -> int:
        """The bytes of everything that a build made, 0 for an unknown one."""
        return self._index.size_of(identity)

    def size(self) -> tuple[int, int]:
        """How many objects there are, and their bytes."""
        objects = self._index.objects().values()
        return len(objects), sum(one.size_bytes for one in objects)

    def objects_like(self, beginning: str) -> tuple[str, ...]:
        """The first two objects whose checksums begin in this way: with more than one it means none."""
        return self._index.objects_like(beginning)

    def origins(self, sha256: str) -> frozenset[str]:
        """What owners put into the builds that made an object; empty when none is known."""
        return self._index.origins(sha256)

    def path(self, sha256: str) -> Path:
        """Where an object is, under no name that means anything; whoever reads it compares its content."""
        return self._files.path(sha256)

    # paths

    def entries(self) -> tuple[StoredPath, ...]:
        """All store paths, sorted."""
        return self._paths.paths()

    def entry(self, path: StorePath) -> StoredPath | None:
        """A store path, if it is here."""
        return self._paths.path(path)

    def entries_of(self, sha256: str) -> tuple[StoredPath, ...]:
        """The store paths that stand for an object."""
        return self._paths.paths_of(sha256)

    def named(self, text: str) -> tuple[StorePath, ...]:
        """The store paths that a text means: a whole path, or HASH-NAME."""
        return self._paths.names(text)

    def closure(self, paths: Iterable[StorePath]) -> tuple[str, ...]:
        """These paths and all that they refer to, sorted, each behind what it refers to."""
        references = self._paths.references()
        return tuple(in_order(reachable(map(str, paths), references), references))

    def referrers(self, paths: Iterable[StorePath]) -> tuple[str, ...]:
        """What refers to one of these paths, also through others, itself left out; referrers first."""
        references = self._paths.references()
        wanted = {str(path) for path in paths}
        found = reachable(wanted, turned(references))
        return tuple(path for path in reversed(in_order(found, references)) if path not in wanted)

    def direct_referrers(self, path: StorePath) -> tuple[str, ...]:
        """The paths that themselves refer to this one, sorted."""
        return self._paths.referrers(path)

    def archive(self, entry: StoredPath) -> Iterator[bytes]:
        """The archive of a path, in pieces; MachineError, once it was read, when it has another content than it had."""
        with self._files.reading(entry.sha256) as descriptor:
            if descriptor is None:
                raise damaged_archive(entry)
            with HashedWriter() as seen, os.fdopen(os.dup(descriptor), "rb", buffering=0) as file:
                while piece := file.read(min(entry.size_bytes + 1, _PIECE)):
                    seen.write(piece)
                    yield piece
                if seen.finish() != entry.sha256:
                    raise damaged_archive(entry)

    def export(self, paths: Iterable[StorePath], *, closure: bool = True) -> Iterator[bytes]:
        """What `nix-store --import` reads: these paths and, unless it is not wished, all that they refer to.

        NotReadyError for a path that is not here, MachineError in the middle for one that is damaged.
        """
        wanted = tuple(paths)
        for path in wanted:
            self._entry(path)
        listed = self.closure(wanted) if closure else in_order(map(str, wanted), self._paths.references())
        return format_export(self._exported(self._entry(parse_store_path(path))) for path in listed)

    def _exported(self, entry: StoredPath) -> tuple[ExportedPath, Iterator[bytes]]:
        exported = ExportedPath(path=entry.path, references=entry.references, deriver=entry.deriver)
        return exported, self.archive(entry)

    def _entry(self, path: StorePath) -> StoredPath:
        entry = self._paths.path(path)
        if entry is None:
            raise NotReadyError("is not in the store", key=str(path), hint="ci-toolkit store ls shows what is")
        return entry

    # faults

    def check(self) -> tuple[StoreFault, ...]:
        """Everything that differs between the files, their contents and the index."""
        on_disk, known = self._files.on_disk().keys(), self._index.objects().keys()
        there = sorted(known & on_disk)
        chunks = [there[at : at + _CHUNK] for at in range(0, len(there), _CHUNK)]
        with ThreadPoolExecutor(os.cpu_count() or 1, thread_name_prefix="check") as pool:
            damaged = {sha256 for some in pool.map(self._not_whole, chunks) for sha256 in some}
        found = (self._fault(sha256) for sha256 in sorted(known ^ on_disk | damaged))
        return tuple(fault for fault in found if fault is not None)

    def _not_whole(self, objects: Iterable[str]) -> list[str]:
        return [sha256 for sha256 in objects if not self._files.is_whole(sha256)]

    def _fault(self, sha256: str) -> StoreFault | None:
        """What is wrong with an object, unless another process is bringing or removing it."""
        first = self._seen(sha256)
        return first if sha256 not in self._index.changing() and self._seen(sha256) == first else None

    def _seen(self, sha256: str) -> StoreFault | None:
        row, path = self._index.object(sha256), self._files.path(sha256)
        if not os.path.lexists(path):
            return StoreFault(sha256=sha256, kind=FaultKind.MISSING, size_bytes=row.size_bytes) if row else None
        size_bytes = path.lstat().st_size
        if row is None:
            return StoreFault(sha256=sha256, kind=FaultKind.UNKNOWN, size_bytes=size_bytes)
        if self._files.is_whole(sha256):
            return None
        return StoreFault(sha256=sha256, kind=FaultKind.DAMAGED, size_bytes=size_bytes)


@contextmanager
def read_store(folder: Path) -> Iterator[StoreReader]:
    """The store in a folder, to read from, an empty one where there is none; other processes may have it open."""
    with closing(IndexFile(folder / INDEX)) as index_file:
        yield StoreReader(folder, index_file)


def turned(references: Mapping[str, Iterable[str]]) -> dict[str, set[str]]:
    """What refers to each path, of what each refers to."""
    found: dict[str, set[str]] = {path: set() for path in references}
    for path, them in references.items():
        for one in them:
            found[one].add(path)
    return found


def damaged_archive(entry: StoredPath) -> MachineError:
    """What is raised for a path whose archive is not what it was."""
    hint = "ci-toolkit store verify --mend removes it, and it can be imported again"
    return MachineError(f"the archive of {entry.path} is damaged in the store", hint=hint)
