"""Which build made which file: an SQLite file beside the objects."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ci_toolkit.effects.sqlite_file import open_sqlite, transaction

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Iterator
    from pathlib import Path

_FORM = 1
_SCHEMA = """
CREATE TABLE objects (sha256 TEXT PRIMARY KEY, size_bytes INTEGER NOT NULL, stored_at REAL NOT NULL) WITHOUT ROWID;;
CREATE TABLE builds (
  identity TEXT PRIMARY KEY,
  pkgbase TEXT NOT NULL,
  job INTEGER NOT NULL,
  built_at REAL NOT NULL,
  own TEXT NOT NULL,
  built_with TEXT NOT NULL
) WITHOUT ROWID;;
CREATE TABLE outputs (
  identity TEXT NOT NULL REFERENCES builds ON DELETE CASCADE,
  file TEXT NOT NULL,
  sha256 TEXT NOT NULL REFERENCES objects,
  name TEXT NOT NULL,
  version TEXT NOT NULL,
  arch TEXT NOT NULL,
  provides TEXT NOT NULL,
  depends TEXT NOT NULL,
  PRIMARY KEY (identity, file)
) WITHOUT ROWID;;
CREATE INDEX outputs_by_content ON outputs (sha256)
"""


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
    """One open index; every method is one transaction, and any thread may call it."""

    def __init__(self, path: Path) -> None:
        """Open or make it."""
        self._open = open_sqlite(path, schema=_SCHEMA, form=_FORM)
        self._lock = threading.Lock()

    def close(self) -> None:
        """Let go of the file."""
        self._open.close()

    def add(self, build: StoredBuild, sizes: dict[str, int]) -> None:
        """Note a build, in place of an earlier one of the same identity, whose objects are all there."""
        with self._writing() as connection:
            connection.executemany(
                "INSERT OR IGNORE INTO objects VALUES (?, ?, ?)",
                [(sha256, size, build.built_at_s) for sha256, size in sizes.items()],
            )
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
        with self._lock:
            row = self._open.execute("SELECT * FROM builds WHERE identity = ?", (identity,)).fetchone()
            outputs = self._open.execute(
                "SELECT * FROM outputs WHERE identity = ? ORDER BY file", (identity,)
            ).fetchall()
        if row is None:
            return None
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
            identity=identity,
            pkgbase=row["pkgbase"],
            job=row["job"],
            built_at_s=row["built_at"],
            own=row["own"],
            built_with=tuple((base, name, version) for base, name, version in json.loads(row["built_with"])),
            packages=packages,
        )

    def size_of(self, identity: str) -> int:
        """The bytes of the objects that a build made, together."""
        question = "SELECT total(size_bytes) AS size FROM outputs JOIN objects USING (sha256) WHERE identity = ?"
        return int(self._read(question, identity)[0]["size"])

    def origins(self, sha256: str) -> frozenset[str]:
        """What owners put into the builds that made an object (`StoredBuild.own`)."""
        rows = self._read("SELECT own FROM outputs JOIN builds USING (identity) WHERE sha256 = ?", sha256)
        return frozenset(row["own"] for row in rows)

    def objects(self) -> dict[str, StoredObject]:
        """Every object by its checksum."""
        rows = self._read("SELECT sha256, size_bytes FROM objects ORDER BY sha256")
        return {row["sha256"]: StoredObject(sha256=row["sha256"], size_bytes=row["size_bytes"]) for row in rows}

    def unreferenced(self, *, before_s: float, referenced: Iterable[str]) -> tuple[StoredObject, ...]:
        """Objects that only builds before `before_s` made, of which nothing is among those referenced elsewhere."""
        kept_objects = frozenset(referenced)
        made = self._read("SELECT identity, sha256, built_at FROM outputs JOIN builds USING (identity)")
        # A build is kept whole: one that has lost something is forgotten, and with it what its objects are.
        kept_builds = {row["identity"] for row in made if row["built_at"] >= before_s or row["sha256"] in kept_objects}
        kept_objects |= {row["sha256"] for row in made if row["identity"] in kept_builds}
        rows = self._read("SELECT sha256, size_bytes FROM objects WHERE stored_at < ? ORDER BY sha256", before_s)
        return tuple(
            StoredObject(sha256=row["sha256"], size_bytes=row["size_bytes"])
            for row in rows
            if row["sha256"] not in kept_objects
        )

    def forget(self, objects: Iterable[str]) -> None:
        """Forget objects, and every build that made one of them."""
        rows = [(sha256,) for sha256 in objects]
        with self._writing() as connection:
            connection.executemany(
                "DELETE FROM builds WHERE identity IN (SELECT identity FROM outputs WHERE sha256 = ?)", rows
            )
            connection.executemany("DELETE FROM objects WHERE sha256 = ?", rows)

    def _read(self, question: str, *values: str | float) -> list[sqlite3.Row]:
        with self._lock:
            return self._open.execute(question, values).fetchall()

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._lock, transaction(self._open):
            yield self._open
