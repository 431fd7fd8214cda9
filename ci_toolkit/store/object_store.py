"""Files kept once by their content, `objects/ab/cdef…`, and the index that says what they are.

A file is moved into place before its row is written and removed after its row is gone, so what a killed process leaves
is a file without a row: `check` finds it. What is read is compared with its checksum first.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import threading
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING

from ci_toolkit.effects.files import sha256_of
from ci_toolkit.store.index import StoredBuild, StoredPackage, StoreIndex

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_OBJECT = re.compile(r"[0-9a-f]{2}/[0-9a-f]{62}")


class FaultKind(Enum):
    """What can be wrong with an object."""

    MISSING = "its file is gone"
    DAMAGED = "its file has another content"
    UNKNOWN = "no build is known to have made it"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreFault:
    """One object that is not as it should be; `size_bytes` is that of its file or, without one, of its row."""

    sha256: str
    kind: FaultKind
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """A package file that a build made, to be taken into the store, and what it says about itself."""

    path: Path
    name: str
    version: str
    arch: str
    provides: tuple[str, ...] = ()
    depends: tuple[str, ...] = ()


class ObjectStore:
    """One store, which several threads may use; open it with `open_store`."""

    def __init__(self, folder: Path, index: StoreIndex) -> None:
        self._objects = folder / "objects"
        self._index = index
        # An object that one thread finds there and refers to is not removed by another before it has done so.
        self._changing = threading.Lock()

    def add(self, outputs: Iterable[Output], made: StoredBuild) -> StoredBuild:
        """Take what a build made; gives `made` with the packages.

        Files are linked, not copied, where that is possible, and stay where they are.
        """
        with self._changing:
            return self._added(outputs, made)

    def build(self, identity: str) -> StoredBuild | None:
        """A build whose packages are all there with the content that they had; None otherwise.

        A build that has lost something is forgotten, so that it is made again.
        """
        found = self._index.build(identity)
        if found is None:
            return None
        if found.packages and all(self._is_whole(one.sha256) for one in found.packages):
            return found
        with self._changing:  # another thread may have added it again meanwhile
            self._drop([one.sha256 for one in found.packages if not self._is_whole(one.sha256)])
        return None

    def known(self, identity: str) -> StoredBuild | None:
        """What the index says of a build; nothing is compared, so this is for telling and not for using."""
        return self._index.build(identity)

    def sizes(self) -> dict[str, int]:
        """The bytes of every object, by its checksum."""
        return {sha256: one.size_bytes for sha256, one in self._index.objects().items()}

    def size_of(self, identity: str) -> int:
        """The bytes of everything that a build made, 0 for an unknown one."""
        return self._index.size_of(identity)

    def lay_out(self, build: StoredBuild, folder: Path) -> tuple[Path, ...]:
        """The packages of a build under their own names in a new folder; nothing is copied where links will do."""
        folder.mkdir(parents=True, exist_ok=True)
        paths = []
        for package in build.packages:
            path = folder / package.file
            path.unlink(missing_ok=True)
            link(self.path(package.sha256), path)
            paths.append(path)
        return tuple(paths)

    def origins(self, sha256: str) -> frozenset[str]:
        """What owners put into the builds that made an object; empty when none is known."""
        return self._index.origins(sha256)

    def path(self, sha256: str) -> Path:
        """Where an object is, under no name that means anything; whoever reads it compares its content."""
        return self._objects / sha256[:2] / sha256[2:]

    def check(self) -> tuple[StoreFault, ...]:
        """Everything that differs between the files, their contents and the index."""
        known = self._index.objects()
        on_disk = dict(self._on_disk())
        faults = [
            StoreFault(sha256=sha256, kind=FaultKind.MISSING, size_bytes=row.size_bytes)
            for sha256, row in known.items()
            if sha256 not in on_disk
        ]
        for sha256, path in sorted(on_disk.items()):
            size = path.lstat().st_size
            if sha256 not in known:
                faults.append(StoreFault(sha256=sha256, kind=FaultKind.UNKNOWN, size_bytes=size))
            elif not self._is_whole(sha256):
                faults.append(StoreFault(sha256=sha256, kind=FaultKind.DAMAGED, size_bytes=size))
        return tuple(faults)

    def mend(self, faults: Iterable[StoreFault]) -> None:
        """Make files and index agree: what is wrong is removed, and the builds that made it are made again."""
        with self._changing:
            self._drop([fault.sha256 for fault in faults])
            self._sweep()

    def collect(self, *, before_s: float, referenced: Iterable[str]) -> tuple[int, int]:
        """Remove objects of builds that were made before and of which nothing is referred to; how many, and bytes."""
        with self._changing:
            gone = self._index.unreferenced(before_s=before_s, referenced=referenced)
            self._drop([one.sha256 for one in gone])
            self._sweep()
        return len(gone), sum(one.size_bytes for one in gone)

    def size(self) -> tuple[int, int]:
        """How many objects there are, and their bytes."""
        objects = self._index.objects().values()
        return len(objects), sum(one.size_bytes for one in objects)

    def _added(self, outputs: Iterable[Output], made: StoredBuild) -> StoredBuild:
        sizes, packages = {}, []
        for output in outputs:
            sha256, size = self._take(output.path)
            sizes[sha256] = size
            packages.append(
                StoredPackage(
                    file=output.path.name,
                    sha256=sha256,
                    name=output.name,
                    version=output.version,
                    arch=output.arch,
                    provides=output.provides,
                    depends=output.depends,
                )
            )
        build = replace(made, packages=tuple(packages))
        self._index.add(build, sizes)
        return build

    def _take(self, source: Path) -> tuple[str, int]:
        sha256 = sha256_of(source)
        target = self.path(sha256)
        if not self._is_whole(sha256):
            target.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=target.parent, prefix=".new-") as name:
                partial = Path(name) / "object"
                link(source, partial)
                with partial.open("rb") as file:
                    os.fsync(file.fileno())
                partial.chmod(0o444)
                partial.replace(target)
        return sha256, target.stat().st_size

    def _is_whole(self, sha256: str) -> bool:
        path = self.path(sha256)
        return path.is_file() and sha256_of(path) == sha256

    def _drop(self, objects: list[str]) -> None:
        self._index.forget(objects)
        for sha256 in objects:
            path = self.path(sha256)
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)

    def _sweep(self) -> None:
        """Remove what killed processes were about to move into place."""
        for leftover in self._objects.glob("*/.new-*"):
            shutil.rmtree(leftover)

    def _on_disk(self) -> Iterator[tuple[str, Path]]:
        for path in self._objects.glob("*/*"):
            place = f"{path.parent.name}/{path.name}"
            if _OBJECT.fullmatch(place):
                yield place.replace("/", ""), path


@contextmanager
def open_store(folder: Path) -> Iterator[ObjectStore]:
    """The store in a folder, made where there is none."""
    with closing(StoreIndex(folder / "index.sqlite")) as index:
        yield ObjectStore(folder, index)


def link(source: Path, target: Path) -> None:
    """A second name for a file, or a copy on file systems that have no such thing."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
