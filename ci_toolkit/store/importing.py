"""Ways into a store: exports of nix-store, archives of a binary cache, and trees on disk."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ci_toolkit.effects.tree_archive import tree_entries
from ci_toolkit.errors import FormatError, RefusedError
from ci_toolkit.formats.byte_stream import ByteStream
from ci_toolkit.formats.nar import format_nar, nar_entries
from ci_toolkit.formats.nix_export import ExportReader
from ci_toolkit.formats.nix_signatures import signing_key
from ci_toolkit.formats.reference_scan import ReferenceScanner
from ci_toolkit.formats.store_path import NIX_STORE, source_path

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from ci_toolkit.formats.nar import NarLimits
    from ci_toolkit.formats.narinfo import NarInfo
    from ci_toolkit.formats.nix_signatures import PublicKey
    from ci_toolkit.formats.store_path import StorePath
    from ci_toolkit.store.object_store import ObjectStore


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
        with store.receiving() as receiving:
            exported = reader.next(receiving.writer.write)
            if exported is None:
                return
            is_new = store.register(
                exported.path, receiving.complete(), references=exported.references, deriver=exported.deriver
            )
        yield Imported(path=exported.path, is_new=is_new)


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
            info.path,
            archive,
            references=info.references,
            deriver=info.deriver,
            signatures=info.signatures,
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
        is_new = store.register(path, archive, references=references)
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
