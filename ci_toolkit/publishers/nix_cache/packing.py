"""Archives of store paths on their way into a binary cache: packed, and described in what clients read first."""

from __future__ import annotations

import hashlib
import lzma
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

import zstandard

from ci_toolkit.formats.byte_stream import pieces_of
from ci_toolkit.formats.narinfo import NarInfo, format_narinfo
from ci_toolkit.formats.nix_closure import read_closure

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path
    from typing import BinaryIO

    from ci_toolkit.formats.nix_closure import ClosurePath
    from ci_toolkit.formats.nix_signatures import SecretKey

_ZSTD_LEVEL = 9


class _Packer(Protocol):
    """What makes bytes fewer."""

    def compress(self, data: bytes, /) -> bytes:
        """What is ready of them."""

    def flush(self) -> bytes:
        """The rest."""


class _Plain:
    def compress(self, data: bytes, /) -> bytes:
        return data

    def flush(self) -> bytes:
        return b""


_PACKERS: dict[str, Callable[[], _Packer]] = {
    "zstd": lambda: zstandard.ZstdCompressor(level=_ZSTD_LEVEL).compressobj(),
    "xz": lzma.LZMACompressor,
    "none": _Plain,
}


class _Archive:
    """A packed archive that is being written."""

    def __init__(self, file: BinaryIO, compression: str) -> None:
        self._file = file
        self._packer = _PACKERS[compression]()
        self.digest = hashlib.sha256()
        self.size_bytes = 0

    def take(self, piece: bytes) -> None:
        self._put(self._packer.compress(piece))

    def finish(self) -> None:
        self._put(self._packer.flush())

    def _put(self, piece: bytes) -> None:
        self.digest.update(piece)
        self.size_bytes += len(piece)
        self._file.write(piece)


class _Taking:
    """Gives the pieces of an export to the archive that is wanted just now, if any."""

    archive: _Archive | None = None

    def take(self, piece: bytes) -> None:
        if self.archive is not None:
            self.archive.take(piece)


def packed(
    export: Path, closure: Sequence[ClosurePath], wanted: Mapping[str, str], scratch: Path
) -> Iterator[tuple[ClosurePath, str, int]]:
    """Those paths of an export, which holds this closure, that are wanted: each while its archive lies at `scratch`.

    `wanted` says how each is packed. With each come SHA-256 and size of what lies there.
    """
    taking = _Taking()
    with export.open("rb") as file:
        paths = read_closure(pieces_of(file), taking.take)
        for expected in closure:
            if str(expected.path) not in wanted:
                taking.archive = None
                next(paths)
                continue
            with scratch.open("wb") as target:
                taking.archive = archive = _Archive(target, wanted[str(expected.path)])
                next(paths)
                archive.finish()
            yield expected, archive.digest.hexdigest(), archive.size_bytes
    scratch.unlink(missing_ok=True)


def described(
    one: ClosurePath, *, archive: str, compression: str, file_sha256: str, file_size_bytes: int, key: SecretKey
) -> str:
    """The narinfo of a path, signed."""
    info = NarInfo(
        path=one.path,
        url=archive,
        compression=compression,
        nar_sha256=one.nar_sha256,
        nar_size_bytes=one.nar_size_bytes,
        file_sha256=file_sha256,
        file_size_bytes=file_size_bytes,
        references=tuple(sorted(one.references)),
        deriver=one.deriver,
    )
    return signed(info, key)


def signed(info: NarInfo, key: SecretKey) -> str:
    """A narinfo with the signature of this key and no other."""
    return format_narinfo(replace(info, signatures=(key.sign(info.fingerprint),)))
