"""Closures as images for containers: an OCI layout in one archive, the same bytes for the same closure.

Each store path is a layer, so that images share what they have in common; of very many paths the last layer has the
rest. Source: the OCI image format specification 1.1 (layout, manifest, configuration, layers).
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import tarfile
import tempfile
import zlib
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING, cast

from ci_toolkit.errors import ConfigError
from ci_toolkit.formats.byte_stream import pieces_of
from ci_toolkit.formats.image_layout import (
    BLOBS,
    CONFIG_TYPE,
    INDEX_FILE,
    MANIFEST_TYPE,
    Descriptor,
    digest_of,
    format_index,
)
from ci_toolkit.formats.image_platform import platform_of
from ci_toolkit.formats.nar import NarFile, NarLink, parse_nar
from ci_toolkit.formats.nix_closure import read_closure, top_paths
from ci_toolkit.recipes.image_archive import laid_image, pack_images

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from ci_toolkit.formats.nar import NarEntry
    from ci_toolkit.formats.nix_closure import ClosurePath
    from ci_toolkit.recipes.nix.keys import ImageWish

_MOST_LAYERS = 100  # programs that run containers know 127 at most
_LEVEL, _GZIP = 6, 31
_STORE = ("nix", "nix/store")
_LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar+gzip"
_PLACE = "image"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Layer:
    """A layer; `plain_sha256` is its digest before it was packed."""

    descriptor: Descriptor
    plain_sha256: str


def write_image(
    export: Path, closure: Sequence[ClosurePath], wish: ImageWish, target: Path, *, name: str, created_s: int
) -> None:
    """Make the image of an export that holds this closure; ConfigError for an entrypoint in no single output."""
    entrypoint = _entrypoint(wish, closure)
    architecture = platform_of(platform.machine())
    with tempfile.TemporaryDirectory(prefix=".image-", dir=target.parent) as folder:
        place = Path(folder) / _PLACE
        (place / BLOBS).mkdir(parents=True)
        layers = _write_layers(export, place / BLOBS)
        created = datetime.fromtimestamp(created_s, tz=UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        config = {
            "created": created,
            "architecture": architecture.architecture,
            **({"variant": architecture.variant} if architecture.variant else {}),
            "os": "linux",
            "config": _configuration(closure, entrypoint, wish.command),
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{layer.plain_sha256}" for layer in layers]},
        }
        manifest = {
            "schemaVersion": 2,
            "mediaType": MANIFEST_TYPE,
            "config": _write_json(place, CONFIG_TYPE, config).to_json(),
            "layers": [layer.descriptor.to_json() for layer in layers],
        }
        (place / INDEX_FILE).write_bytes(format_index([_write_json(place, MANIFEST_TYPE, manifest)]))
        pack_images([laid_image(Path(folder), _PLACE, architecture)], target, name=name)


def _entrypoint(wish: ImageWish, closure: Sequence[ClosurePath]) -> list[str]:
    if not wish.entrypoint or wish.entrypoint[0].startswith("/"):
        return list(wish.entrypoint)
    tops = top_paths(closure)
    if len(tops) != 1:
        hint = "attribute chooses one, or write the whole path"
        raise ConfigError(f"is a path in the output, and there are {len(tops)} outputs", key="entrypoint", hint=hint)
    return [f"{tops[0].path}/{wish.entrypoint[0]}", *wish.entrypoint[1:]]


def _configuration(
    closure: Sequence[ClosurePath], entrypoint: Sequence[str], command: Sequence[str]
) -> dict[str, object]:
    paths = ":".join(f"{top.path}/bin" for top in top_paths(closure))
    said = {"Entrypoint": list(entrypoint), "Cmd": list(command)}
    return {"Env": [f"PATH={paths}"], **{key: words for key, words in said.items() if words}}


def _write_layers(export: Path, folder: Path) -> list[_Layer]:
    """The layers of an export, each named after its digest."""
    waiting, layers = folder / "archive", list[_Layer]()
    layer = _LayerFile(folder)
    for number, one in enumerate(_spooled(export, waiting)):
        if 0 < number < _MOST_LAYERS:
            layers.append(layer.finished())
            layer = _LayerFile(folder)
        with waiting.open("rb") as archive:
            layer.add(one.path.base_name, parse_nar(pieces_of(archive)))
    waiting.unlink()
    return [*layers, layer.finished()]


def _spooled(export: Path, waiting: Path) -> Iterator[ClosurePath]:
    """The paths of an export, each while its archive lies at `waiting`."""
    with export.open("rb") as file, waiting.open("wb") as spool:
        for one in read_closure(pieces_of(file), spool.write):
            spool.flush()
            yield one
            spool.seek(0)
            spool.truncate()


class _LayerFile:
    """A packed archive that is written entry by entry."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path = folder / "layer"
        self._file = self._path.open("wb")
        self._packer = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP)
        self._plain, self._packed, self._size = hashlib.sha256(), hashlib.sha256(), 0
        self._tar = tarfile.TarFile.open(fileobj=cast("IO[bytes]", self), mode="w|", format=tarfile.GNU_FORMAT)
        for name in _STORE:
            self._tar.addfile(_member(name, tarfile.DIRTYPE, 0o755))

    def add(self, base_name: str, entries: Iterable[NarEntry]) -> None:
        """Put a path of the store into it."""
        top = f"nix/store/{base_name}"
        for entry in entries:
            name = f"{top}/{os.fsdecode(entry.path)}" if entry.path else top
            if isinstance(entry, NarFile):
                member = _member(name, tarfile.REGTYPE, 0o555 if entry.is_executable else 0o444)
                member.size = entry.size_bytes
                self._tar.addfile(member, cast("IO[bytes]", _Reading(entry.content)))
            elif isinstance(entry, NarLink):
                member = _member(name, tarfile.SYMTYPE, 0o777)
                member.linkname = os.fsdecode(entry.target)
                self._tar.addfile(member)
            else:
                self._tar.addfile(_member(name, tarfile.DIRTYPE, 0o555))

    def write(self, piece: bytes) -> int:
        """What `tarfile` calls."""
        self._plain.update(piece)
        self._put(self._packer.compress(piece))
        return len(piece)

    def finished(self) -> _Layer:
        """The layer, which has its name from now on."""
        self._tar.close()
        self._put(self._packer.flush())
        self._file.close()
        sha256 = self._packed.hexdigest()
        self._path.replace(self._folder / sha256)
        descriptor = Descriptor(media_type=_LAYER_TYPE, digest=f"sha256:{sha256}", size_bytes=self._size)
        return _Layer(descriptor=descriptor, plain_sha256=self._plain.hexdigest())

    def _put(self, piece: bytes) -> None:
        self._packed.update(piece)
        self._size += len(piece)
        self._file.write(piece)


class _Reading:
    """Pieces as a file that is read from."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = iter(pieces)
        self._left = b""

    def read(self, size: int) -> bytes:
        """As much as was asked for, less at the end alone."""
        parts, missing = [], size
        while missing > 0:
            if not self._left:
                self._left = next(self._pieces, b"")
                if not self._left:
                    break
            parts.append(self._left[:missing])
            self._left = self._left[missing:]
            missing -= len(parts[-1])
        return b"".join(parts)


def _member(name: str, kind: bytes, mode: int) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type = kind
    member.mode = mode
    member.mtime = 1  # as Nix has it
    return member


def _write_json(place: Path, kind: str, document: object) -> Descriptor:
    content = json.dumps(document, separators=(",", ":"), sort_keys=True).encode()
    found = Descriptor(media_type=kind, digest=digest_of(content), size_bytes=len(content))
    (place / BLOBS / found.hexadecimal).write_bytes(content)
    return found
