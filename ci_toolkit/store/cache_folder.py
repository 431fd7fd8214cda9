"""A Nix binary cache in a folder, as `nix copy --to file://…` writes it, to be imported from."""

from __future__ import annotations

import bz2
import gzip
import lzma
import zlib
from typing import TYPE_CHECKING, BinaryIO, cast

import zstandard

from ci_toolkit.errors import FormatError, NotReadyError
from ci_toolkit.formats.byte_stream import pieces_of
from ci_toolkit.formats.nar import NarLimits
from ci_toolkit.formats.narinfo import LARGEST_CHARACTERS, parse_narinfo
from ci_toolkit.store.importing import Imported, check_signed, import_archive
from ci_toolkit.store.path_index import in_order, reachable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from ci_toolkit.formats.narinfo import NarInfo
    from ci_toolkit.formats.nix_signatures import PublicKey
    from ci_toolkit.store.object_store import ObjectStore

_SUFFIX = ".narinfo"
_LARGEST_WINDOW = 1 << 27


def _zstd(packed: BinaryIO) -> BinaryIO:
    unpacker = zstandard.ZstdDecompressor(max_window_size=_LARGEST_WINDOW)
    return cast("BinaryIO", unpacker.stream_reader(packed, read_across_frames=True))


_UNPACKED: dict[str, Callable[[BinaryIO], BinaryIO]] = {
    "none": lambda packed: packed,
    "xz": lambda packed: cast("BinaryIO", lzma.LZMAFile(packed)),  # noqa: SIM115 - what it reads is closed
    "zstd": _zstd,
    "bzip2": lambda packed: cast("BinaryIO", bz2.BZ2File(packed)),
    "gzip": lambda packed: cast("BinaryIO", gzip.GzipFile(fileobj=packed)),
}


def is_cache(folder: Path) -> bool:
    """Whether a folder is a binary cache."""
    return (folder / "nix-cache-info").is_file()


def import_cache(
    store: ObjectStore,
    folder: Path,
    *,
    names: Sequence[str] = (),
    keys: Sequence[PublicKey] | None = None,
) -> Iterator[Imported]:
    """Import what a cache has, or what these paths (whole, or HASH-NAME) need of it; each is in the store when given.

    RefusedError, before anything is imported, when `keys` are demanded and one of them has not signed everything;
    NotReadyError for a path that the cache has not, FormatError for what is damaged in it.
    """
    infos = {str(info.path): info for info in _infos(folder)}
    references = {path: {str(one) for one in info.references} - {path} for path, info in infos.items()}
    wanted = {_named(name, infos) for name in names} or infos.keys()
    paths = in_order(reachable(wanted, references) & infos.keys(), references)
    if keys is not None:
        for path in paths:
            check_signed(infos[path], keys)
    for path in paths:
        info = infos[path]
        try:
            limits = NarLimits(most_bytes=info.nar_size_bytes)
            imported = import_archive(store, info, _archive(folder, info), limits=limits)
        except FormatError as error:
            error.hint = error.hint or "remove it and its .narinfo from the cache, and copy the path there again"
            raise error.located(file=str(folder / info.url)) from error.__cause__
        yield imported


def _infos(folder: Path) -> Iterator[NarInfo]:
    for path in sorted(folder.glob(f"*{_SUFFIX}")):
        if path.stat().st_size > LARGEST_CHARACTERS:
            raise FormatError(f"has more than {LARGEST_CHARACTERS:,} bytes", file=str(path))
        try:
            info = parse_narinfo(path.read_text(encoding="ascii"))
        except UnicodeDecodeError as error:
            raise FormatError("has something else than ASCII in it", file=str(path)) from error
        except FormatError as error:
            raise error.located(file=str(path)) from error.__cause__
        if info.file_name != path.name:
            raise FormatError(f"tells of another path: {info.path}", file=str(path))
        yield info


def _named(name: str, infos: Iterable[str]) -> str:
    found = [path for path in infos if path == name or path.endswith(f"/{name}")]
    if not found:
        raise NotReadyError("is not in the cache", key=name)
    return found[0]


def _archive(folder: Path, info: NarInfo) -> Iterator[bytes]:
    """The unpacked archive of a path; what fails while it is written elsewhere is no fault of it."""
    unpack = _UNPACKED.get(info.compression)
    if unpack is None:
        raise FormatError(f"is packed with {info.compression}; known are {', '.join(_UNPACKED)}")
    try:
        packed = (folder / info.url).open("rb")
    except FileNotFoundError as error:
        raise FormatError("is missing") from error
    with packed:
        pieces = pieces_of(unpack(packed))
        while True:
            try:
                piece = next(pieces, b"")
            except (EOFError, OSError, zlib.error, lzma.LZMAError, zstandard.ZstdError) as error:
                raise FormatError(f"is damaged or cut off: {error}") from error
            if not piece:
                return
            yield piece
