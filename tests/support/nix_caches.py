"""What a client would find in a binary cache, held against what a cache has to be."""

from __future__ import annotations

import hashlib
import lzma
from typing import TYPE_CHECKING

import zstandard

from ci_toolkit.formats.nar import parse_nar
from ci_toolkit.formats.narinfo import parse_narinfo
from ci_toolkit.formats.nix_signatures import signing_key
from tests.support.nix_exports import KEY

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from ci_toolkit.formats.narinfo import NarInfo
    from ci_toolkit.formats.nix_signatures import PublicKey


def files_of(folder: Path) -> dict[str, bytes]:
    """What a web server would serve: all but what is being written."""
    found = {str(path.relative_to(folder)): path for path in folder.rglob("*") if path.is_file()}
    return {name: path.read_bytes() for name, path in found.items() if not path.name.startswith(".")}


def infos(files: Mapping[str, bytes]) -> dict[str, NarInfo]:
    """The paths that clients find, by the names of store paths."""
    return {info.path.name: info for info in _infos(files)}


def _infos(files: Mapping[str, bytes]) -> list[NarInfo]:
    return [parse_narinfo(content.decode()) for name, content in files.items() if name.endswith(".narinfo")]


def check_cache(files: Mapping[str, bytes], key: PublicKey | None = None) -> dict[str, NarInfo]:
    """The paths, each whole: signed, with its archive, and with all that it refers to."""
    found = _infos(files)
    there = {info.path for info in found}
    for info in found:
        assert signing_key(info.fingerprint, info.signatures, [key or KEY.public]) is not None
        packed = files[info.url]
        assert (len(packed), hashlib.sha256(packed).hexdigest()) == (info.file_size_bytes, info.file_sha256)
        plain = unpacked(packed, info.compression)
        assert (len(plain), hashlib.sha256(plain).hexdigest()) == (info.nar_size_bytes, info.nar_sha256)
        assert list(parse_nar([plain]))
        assert set(info.references) <= there
    return {info.path.name: info for info in found}


def unpacked(packed: bytes, compression: str) -> bytes:
    """An archive as it was."""
    if compression == "zstd":
        return zstandard.ZstdDecompressor().decompressobj().decompress(packed)
    return lzma.decompress(packed) if compression == "xz" else packed
