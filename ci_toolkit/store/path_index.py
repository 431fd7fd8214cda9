"""Names in a store: which archive each stands for, what it refers to, and who signed it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ci_toolkit.formats.nix_signatures import parse_signature
from ci_toolkit.formats.store_path import StorePath, fingerprint, parse_store_path

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Mapping

    from ci_toolkit.formats.nix_signatures import NixSignature
    from ci_toolkit.store.index_file import IndexFile

_QUESTION = """
SELECT path, sha256, size_bytes, deriver, paths.stored_at AS stored_at,
  (SELECT group_concat(reference, char(10)) FROM path_references WHERE path = paths.path) AS refers,
  (SELECT group_concat(signature, char(10)) FROM path_signatures WHERE path = paths.path) AS signed
FROM paths JOIN objects USING (sha256)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredPath:
    """A store path whose archive (NAR) is kept as an object; `sha256` and `size_bytes` are of the archive.

    `references` are sorted and may have the path itself.
    """

    path: StorePath
    sha256: str
    size_bytes: int
    stored_at_s: float
    references: tuple[StorePath, ...] = ()
    deriver: StorePath | None = None
    signatures: tuple[NixSignature, ...] = ()

    @property
    def fingerprint(self) -> str:
        """What is signed of it."""
        return fingerprint(
            self.path, nar_sha256=self.sha256, nar_size_bytes=self.size_bytes, references=self.references
        )

    def is_same(self, other: StoredPath) -> bool:
        """Whether both have the same content and refer to the same."""
        return (self.path, self.sha256, self.references) == (other.path, other.sha256, other.references)


class PathIndex:
    """The paths of an index; every method is one transaction, and any thread may call it."""

    def __init__(self, file: IndexFile) -> None:
        self._file = file

    def add(self, entries: Iterable[StoredPath]) -> None:
        """Note paths whose archives are there, and what they refer to among them or in the index."""
        with self._file.writing() as connection:
            for entry in entries:
                path = str(entry.path)
                row = (entry.sha256, entry.size_bytes, entry.stored_at_s)
                connection.execute("INSERT OR IGNORE INTO objects VALUES (?, ?, ?)", row)
                deriver = str(entry.deriver) if entry.deriver else None
                row_of_path = (path, entry.sha256, deriver, entry.stored_at_s)
                connection.execute("INSERT INTO paths VALUES (?, ?, ?, ?)", row_of_path)
                connection.executemany(
                    "INSERT INTO path_references VALUES (?, ?)", [(path, str(one)) for one in entry.references]
                )
                _sign(connection, path, entry.signatures)
                connection.execute("DELETE FROM changing WHERE sha256 = ?", (entry.sha256,))

    def sign(self, signed: Iterable[tuple[StorePath, Iterable[NixSignature]]]) -> None:
        """Note more signatures of paths."""
        found = [(str(path), tuple(signatures)) for path, signatures in signed]
        if any(signatures for _, signatures in found):
            with self._file.writing() as connection:
                for path, signatures in found:
                    _sign(connection, path, signatures)

    def path(self, path: StorePath) -> StoredPath | None:
        """One of them, if it is there."""
        found = self._read("WHERE path = ?", str(path))
        return found[0] if found else None

    def paths(self) -> tuple[StoredPath, ...]:
        """All of them, sorted by their text."""
        return self._read("ORDER BY path")

    def paths_of(self, sha256: str) -> tuple[StoredPath, ...]:
        """Those that stand for an object."""
        return self._read("WHERE sha256 = ? ORDER BY path", sha256)

    def names(self, base_name: str) -> tuple[StorePath, ...]:
        """The paths, in whatever store, whose text ends so: with a slash and this name, or any path of this text."""
        rows = self._file.read("SELECT path FROM paths WHERE path = ? OR path LIKE ?", base_name, f"%/{base_name}")
        return tuple(sorted(parse_store_path(row["path"]) for row in rows if _ends(row["path"], base_name)))

    def references(self) -> dict[str, frozenset[str]]:
        """What each path refers to, itself left out."""
        found: dict[str, set[str]] = {row["path"]: set() for row in self._file.read("SELECT path FROM paths")}
        for row in self._file.read("SELECT path, reference FROM path_references WHERE path != reference"):
            found[row["path"]].add(row["reference"])
        return {path: frozenset(references) for path, references in found.items()}

    def referrers(self, path: StorePath) -> tuple[str, ...]:
        """The paths that refer to one, itself left out, sorted."""
        question = "SELECT path FROM path_references WHERE reference = ? AND path != reference ORDER BY path"
        return tuple(row["path"] for row in self._file.read(question, str(path)))

    def contents(self) -> dict[str, tuple[str, float]]:
        """The object of each path, and when it was stored."""
        rows = self._file.read("SELECT path, sha256, stored_at FROM paths")
        return {row["path"]: (row["sha256"], row["stored_at"]) for row in rows}

    def _read(self, rest: str, *values: str) -> tuple[StoredPath, ...]:
        return tuple(_path(row) for row in self._file.read(f"{_QUESTION} {rest}", *values))


def reachable(from_: Iterable[str], edges: Mapping[str, Iterable[str]]) -> set[str]:
    """Everything that can be reached along edges, the beginning included."""
    found, left = set[str](), list(from_)
    while left:
        one = left.pop()
        if one not in found:
            found.add(one)
            left.extend(edges.get(one, ()))
    return found


def in_order(paths: Iterable[str], references: Mapping[str, Iterable[str]]) -> list[str]:
    """These paths, each behind everything among them that it refers to."""
    wanted, done, ordered = set(paths), set[str](), list[str]()
    for first in sorted(wanted):
        left = [(first, False)]
        while left:
            path, is_due = left.pop()
            if is_due:
                ordered.append(path)
            elif path not in done:
                done.add(path)
                left.append((path, True))
                left.extend((one, False) for one in sorted(references.get(path, ()), reverse=True) if one in wanted)
    return ordered


def _sign(connection: sqlite3.Connection, path: str, signatures: Iterable[NixSignature]) -> None:
    rows = [(path, str(signature)) for signature in signatures]
    connection.executemany("INSERT OR IGNORE INTO path_signatures VALUES (?, ?)", rows)


def _ends(path: str, base_name: str) -> bool:
    """LIKE knows neither capital letters nor a plain `_`."""
    return path == base_name or path.endswith(f"/{base_name}")


def _path(row: sqlite3.Row) -> StoredPath:
    return StoredPath(
        path=parse_store_path(row["path"]),
        sha256=row["sha256"],
        size_bytes=row["size_bytes"],
        stored_at_s=row["stored_at"],
        references=tuple(sorted(parse_store_path(one) for one in _lines(row["refers"]))),
        deriver=parse_store_path(row["deriver"]) if row["deriver"] else None,
        signatures=tuple(parse_signature(one) for one in sorted(_lines(row["signed"]))),
    )


def _lines(text: str | None) -> list[str]:
    return text.split("\n") if text else []
