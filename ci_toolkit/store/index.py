"""Which build made which file, and which files are about to appear or to vanish."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable

    from ci_toolkit.store.index_file import IndexFile


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredObject:
    """One object of the index."""

    sha256: str
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredPackage:
    """A package that a build made: what its file is called, its content, and what it says about itself."""

    file: str
    sha256: str
    name: str
    version: str
    arch: str
    provides: tuple[str, ...] = ()
    depends: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredBuild:
    """A build by its identity: the job that made it, and when.

    `own` is what the package's owner put into it (`BuildInputs.own`, empty where nobody can tell), `built_with` what
    was installed for it, as package base, name and version; the base of packages that are not ours is empty.
    """

    identity: str
    pkgbase: str
    job: int
    built_at_s: float
    own: str
    built_with: tuple[tuple[str, str, str], ...]
    packages: tuple[StoredPackage, ...]


class StoreIndex:
    """Objects and builds of an index; every method is one transaction, and any thread may call it."""

    def __init__(self, file: IndexFile) -> None:
        self._file = file

    def begin(self, objects: Iterable[str]) -> None:
        """Note that files of these objects are about to appear that have no rows yet."""
        with self._file.writing() as connection:
            connection.executemany("INSERT OR IGNORE INTO changing VALUES (?)", [(sha256,) for sha256 in objects])

    def settle(self, objects: Iterable[str]) -> None:
        """Note that files and rows of these objects agree."""
        with self._file.writing() as connection:
            connection.executemany("DELETE FROM changing WHERE sha256 = ?", [(sha256,) for sha256 in objects])

    def changing(self) -> dict[str, bool]:
        """The objects whose files may be there without a row, and whether they have one."""
        question = "SELECT changing.sha256, size_bytes FROM changing LEFT JOIN objects USING (sha256)"
        return {row["sha256"]: row["size_bytes"] is not None for row in self._file.read(question)}

    def add(self, build: StoredBuild, sizes: dict[str, int]) -> None:
        """Note a build, in place of an earlier one of the same identity, whose objects are all there."""
        with self._file.writing() as connection:
            connection.executemany(
                "INSERT OR IGNORE INTO objects VALUES (?, ?, ?)",
                [(sha256, size, build.built_at_s) for sha256, size in sizes.items()],
            )
            connection.executemany("DELETE FROM changing WHERE sha256 = ?", [(sha256,) for sha256 in sizes])
            connection.execute("DELETE FROM builds WHERE identity = ?", (build.identity,))
            row = (build.identity, build.pkgbase, build.job, build.built_at_s, build.own, json.dumps(build.built_with))
            connection.execute("INSERT INTO builds VALUES (?, ?, ?, ?, ?, ?)", row)
            connection.executemany(
                "INSERT INTO outputs VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                [
                    (
                        build.identity,
                        one.file,
                        one.sha256,
                        one.name,
                        one.version,
                        one.arch,
                        json.dumps(one.provides),
                        json.dumps(one.depends),
                    )
                    for one in build.packages
                ],
            )

    def build(self, identity: str) -> StoredBuild | None:
        """The build of an identity, if there was one."""
        rows = self._file.read("SELECT * FROM builds WHERE identity = ?", identity)
        return self._built(rows[0]) if rows else None

    def recent_builds(self, limit: int | None) -> tuple[StoredBuild, ...]:
        """The builds that were made last, the newest first; None: all of them."""
        question = "SELECT * FROM builds ORDER BY built_at DESC, identity LIMIT ?"
        rows = self._file.read(question, -1 if limit is None else limit)
        if limit is not None:
            return tuple(self._built(row) for row in rows)
        outputs: dict[str, list[sqlite3.Row]] = {}
        for row in self._file.read("SELECT * FROM outputs ORDER BY identity, file"):
            outputs.setdefault(row["identity"], []).append(row)
        return tuple(_build(row, outputs.get(row["identity"], [])) for row in rows)

    def makers(self, sha256: str) -> tuple[str, ...]:
        """The identities of the builds that made an object."""
        rows = self._file.read("SELECT DISTINCT identity FROM outputs WHERE sha256 = ? ORDER BY identity", sha256)
        return tuple(row["identity"] for row in rows)

    def builds_called(self, name: str) -> tuple[str, ...]:
        """The identities of the builds of a package base, or that made a file of this name, the newest first."""
        question = (
            "SELECT DISTINCT identity, built_at FROM builds LEFT JOIN outputs USING (identity)"
            " WHERE pkgbase = ? OR file = ? ORDER BY built_at DESC, identity"
        )
        return tuple(row["identity"] for row in self._file.read(question, name, name))

    def _built(self, row: sqlite3.Row) -> StoredBuild:
        question = "SELECT * FROM outputs WHERE identity = ? ORDER BY file"
        return _build(row, self._file.read(question, row["identity"]))

    def size_of(self, identity: str) -> int:
        """The bytes of the objects that a build made, together."""
        question = "SELECT total(size_bytes) AS size FROM outputs JOIN objects USING (sha256) WHERE identity = ?"
        return int(self._file.read(question, identity)[0]["size"])

    def origins(self, sha256: str) -> frozenset[str]:
        """What owners put into the builds that made an object (`StoredBuild.own`)."""
        rows = self._file.read("SELECT own FROM outputs JOIN builds USING (identity) WHERE sha256 = ?", sha256)
        return frozenset(row["own"] for row in rows)

    def objects(self) -> dict[str, StoredObject]:
        """Every object by its checksum."""
        rows = self._file.read("SELECT sha256, size_bytes FROM objects ORDER BY sha256")
        return {row["sha256"]: StoredObject(sha256=row["sha256"], size_bytes=row["size_bytes"]) for row in rows}

    def object(self, sha256: str) -> StoredObject | None:
        """One of them, if it has a row."""
        rows = self._file.read("SELECT sha256, size_bytes FROM objects WHERE sha256 = ?", sha256)
        return StoredObject(sha256=rows[0]["sha256"], size_bytes=rows[0]["size_bytes"]) if rows else None

    def objects_like(self, beginning: str) -> tuple[str, ...]:
        """The first two objects whose checksums begin in this way."""
        question = "SELECT sha256 FROM objects WHERE substr(sha256, 1, ?) = ? ORDER BY sha256 LIMIT 2"
        return tuple(row["sha256"] for row in self._file.read(question, len(beginning), beginning))

    def made(self) -> tuple[tuple[str, str, float], ...]:
        """Every build (identity) with each object that it made, and when."""
        rows = self._file.read("SELECT identity, sha256, built_at FROM outputs JOIN builds USING (identity)")
        return tuple((row["identity"], row["sha256"], row["built_at"]) for row in rows)

    def stored_before(self, before_s: float) -> tuple[StoredObject, ...]:
        """The objects that were first stored before a moment."""
        rows = self._file.read("SELECT sha256, size_bytes FROM objects WHERE stored_at < ? ORDER BY sha256", before_s)
        return tuple(StoredObject(sha256=row["sha256"], size_bytes=row["size_bytes"]) for row in rows)

    def forget(self, objects: Iterable[str], *, builds: Iterable[str] = (), paths: Iterable[str] = ()) -> None:
        """Forget objects, every build that made one of them, and these builds and paths; files are to vanish next."""
        rows = [(sha256,) for sha256 in objects]
        with self._file.writing() as connection:
            connection.executemany("DELETE FROM builds WHERE identity = ?", [(one,) for one in builds])
            connection.executemany("DELETE FROM paths WHERE path = ?", [(one,) for one in paths])
            connection.executemany(
                "DELETE FROM builds WHERE identity IN (SELECT identity FROM outputs WHERE sha256 = ?)", rows
            )
            connection.executemany("DELETE FROM objects WHERE sha256 = ?", rows)
            connection.executemany("INSERT OR IGNORE INTO changing VALUES (?)", rows)


def _build(row: sqlite3.Row, outputs: Iterable[sqlite3.Row]) -> StoredBuild:
    packages = tuple(
        StoredPackage(
            file=one["file"],
            sha256=one["sha256"],
            name=one["name"],
            version=one["version"],
            arch=one["arch"],
            provides=tuple(json.loads(one["provides"])),
            depends=tuple(json.loads(one["depends"])),
        )
        for one in outputs
    )
    return StoredBuild(
        identity=row["identity"],
        pkgbase=row["pkgbase"],
        job=row["job"],
        built_at_s=row["built_at"],
        own=row["own"],
        built_with=tuple((base, name, version) for base, name, version in json.loads(row["built_with"])),
        packages=packages,
    )
