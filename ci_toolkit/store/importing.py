"""Ways into a store: exports of nix-store, archives of a binary cache, and trees on disk."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ci_toolkit.effects.tree_archive import tree_entries
from ci_toolkit.errors import FormatError, RefusedError, ToolkitError
from ci_toolkit.formats.byte_stream import ByteStream
from ci_toolkit.formats.nar import format_nar, nar_entries
from ci_toolkit.formats.nix_export import ExportReader
from ci_toolkit.formats.nix_signatures import signing_key
from ci_toolkit.formats.reference_scan import ReferenceScanner
from ci_toolkit.formats.store_path import NIX_STORE, source_path
from ci_toolkit.store.object_store import Arrival

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from ci_toolkit.formats.nar import NarLimits
    from ci_toolkit.formats.narinfo import NarInfo
    from ci_toolkit.formats.nix_signatures import PublicKey
    from ci_toolkit.formats.store_path import StorePath
    from ci_toolkit.store.object_store import ObjectStore

# Registered one by one, small paths take longer than anything else about them.
_MOST_AT_ONCE = 128
_ENOUGH_BYTES = 64 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """A path that is in the store now; `is_new` is False for one that was there already."""

    path: StorePath
    is_new: bool


def import_export(
    store: ObjectStore, pieces: Iterable[bytes], *, directory: str | None = None, limits: NarLimits | None = None
) -> Iterator[Imported]:
    """Import what `nix-store --export` writes, path by path: each is in the store when it is given.

    FormatError for what is damaged or cut off, RefusedError as of `ObjectStore.register`; what was given before stays.
    """
    reader = ExportReader(pieces, directory=directory, limits=limits)
    while True:
        with ExitStack() as held:
            arrivals, broken, is_over = _batch(reader, store, held)
            done = store.register_all(arrivals)
        for arrival, is_new in zip(arrivals, done.is_new, strict=False):
            yield Imported(path=arrival.path, is_new=is_new)
        if done.refused or broken:
            raise done.refused or broken  # type: ignore[misc]  # one of them is there
        if is_over:
            return


def _batch(
    reader: ExportReader, store: ObjectStore, held: ExitStack
) -> tuple[list[Arrival], ToolkitError | OSError | None, bool]:
    """What comes next, as far as something did not break it, and whether that was all."""
    arrivals: list[Arrival] = []
    size_bytes = 0
    try:
        while len(arrivals) < _MOST_AT_ONCE and size_bytes < _ENOUGH_BYTES:
            receiving = held.enter_context(store.receiving())
            exported = reader.next(receiving.writer.write)
            if exported is None:
                return arrivals, None, True
            arrivals.append(
                Arrival(
                    path=exported.path,
                    archive=receiving.complete(),
                    references=exported.references,
                    deriver=exported.deriver,
                )
            )
            size_bytes += arrivals[-1].archive.size_bytes
    except (ToolkitError, OSError) as error:
        return arrivals, error, True
    return arrivals, None, False


def import_archive(
    store: ObjectStore,
    info: NarInfo,
    pieces: Iterable[bytes],
    *,
    keys: Sequence[PublicKey] | None = None,
    limits: NarLimits | None = None,
) -> Imported:
    """Import the unpacked archive of a path that a binary cache tells of.

    RefusedError when `keys` are demanded and none of them has signed it (before anything is read), and as of
    `ObjectStore.register`; FormatError when the archive is not the one that was told of.
    """
    if keys is not None:
        check_signed(info, keys)
    with store.receiving() as receiving:
        _copy(pieces, receiving.writer.write, limits)
        archive = receiving.complete()
        if (archive.sha256, archive.size_bytes) != (info.nar_sha256, info.nar_size_bytes):
            raise FormatError("has another archive than its .narinfo says", key=str(info.path))
        is_new = store.register(
            Arrival(
                path=info.path,
                archive=archive,
                references=info.references,
                deriver=info.deriver,
                signatures=info.signatures,
            )
        )
    return Imported(path=info.path, is_new=is_new)


def add_tree(store: ObjectStore, tree: Path, *, name: str | None = None, directory: str = NIX_STORE) -> Imported:
    """Keep a file or folder as the path that `nix-store --add` gives it; what it refers to is found in its content.

    MachineError or FormatError for what cannot be read or kept, such as a socket.
    """
    known = {entry.path.hash_part: entry.path for entry in store.entries() if entry.path.directory == directory}
    scanner = ReferenceScanner(known)
    with store.receiving() as receiving:
        write = receiving.writer.write
        for piece in format_nar(tree_entries(tree)):
            write(piece)
            scanner.take(piece)
        archive = receiving.complete()
        references = tuple(sorted(known[part] for part in scanner.found))
        path = source_path(name or tree.name, nar_sha256=archive.sha256, directory=directory, references=references)
        is_new = store.register(Arrival(path=path, archive=archive, references=references))
    return Imported(path=path, is_new=is_new)


def check_signed(info: NarInfo, keys: Sequence[PublicKey]) -> None:
    """RefusedError unless one of these keys has signed what a cache says of a path."""
    if signing_key(info.fingerprint, info.signatures, keys) is None:
        trusted = ", ".join(sorted(key.name for key in keys)) or "none"
        signed = ", ".join(sorted({one.key_name for one in info.signatures}))
        problem = f"has no good signature of a trusted key ({trusted}), but of {signed}" if signed else "is not signed"
        hint = "a key is trusted with --trusted-key NAME:BASE64"
        raise RefusedError(problem, key=str(info.path), hint=hint)


def _copy(pieces: Iterable[bytes], write: Callable[[bytes], object], limits: NarLimits | None) -> None:
    """Hand on an archive that is alone, and look at it on the way."""
    stream = ByteStream(pieces)
    stream.hand_on(write)
    for _ in nar_entries(stream, limits=limits):
        pass
    stream.end()
