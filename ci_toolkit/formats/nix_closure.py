"""Closures of store paths as `nix-store --export` writes them, judged as a whole: nothing twice, nothing left out."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ci_toolkit.errors import FormatError
from ci_toolkit.formats.nix_export import ExportReader
from ci_toolkit.formats.store_path import NIX_STORE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from ci_toolkit.formats.nar import NarLimits
    from ci_toolkit.formats.store_path import StorePath

_MOST_PATHS = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ClosurePath:
    """A path with what it refers to, itself perhaps among it; `nar_sha256` has 64 hexadecimal digits."""

    path: StorePath
    references: tuple[StorePath, ...]
    deriver: StorePath | None
    nar_sha256: str
    nar_size_bytes: int


def read_closure(
    pieces: Iterable[bytes],
    take: Callable[[bytes], object] = lambda _: None,
    *,
    limits: NarLimits | None = None,
) -> Iterator[ClosurePath]:
    """The paths of an export, each after its archive was given to `take`.

    FormatError for what is no export of /nix/store, for a path that is there twice, and for a reference to one that is
    not before it. What came until then has been given already.
    """
    reader = ExportReader(pieces, directory=NIX_STORE, limits=limits)
    known: set[StorePath] = set()
    while True:
        measured = _Measured(take)
        exported = reader.next(measured.take)
        if exported is None:
            break
        if exported.path in known:
            raise FormatError("is there twice", key=str(exported.path))
        known.add(exported.path)
        if len(known) > _MOST_PATHS:
            raise FormatError(f"has more than {_MOST_PATHS:,} paths")
        for reference in exported.references:
            if reference not in known:
                raise FormatError(f"refers to {reference}, which is not before it", key=str(exported.path))
        yield ClosurePath(
            path=exported.path,
            references=exported.references,
            deriver=exported.deriver,
            nar_sha256=measured.digest.hexdigest(),
            nar_size_bytes=measured.size_bytes,
        )
    if not known:
        raise FormatError("has no paths")


def top_paths(paths: Iterable[ClosurePath]) -> tuple[ClosurePath, ...]:
    """Those that no other refers to, which is what somebody wanted; the others came along."""
    closure = tuple(paths)
    used = {reference for one in closure for reference in one.references if reference != one.path}
    return tuple(one for one in closure if one.path not in used)


class _Measured:
    """Gives pieces on, with their digest and size."""

    def __init__(self, take: Callable[[bytes], object]) -> None:
        self._take = take
        self.digest = hashlib.sha256()
        self.size_bytes = 0

    def take(self, piece: bytes) -> None:
        self.digest.update(piece)
        self.size_bytes += len(piece)
        self._take(piece)
