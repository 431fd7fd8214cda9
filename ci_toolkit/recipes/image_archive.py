"""Images that a build left, or that another machine sent: looked at as if an enemy had made them, and packed anew.

What is published is one file of the form that skopeo calls `oci-archive`: an OCI image layout in a tar archive, whose
index names the image. The same images always become the same bytes.
"""

from __future__ import annotations

import hashlib
import os
import tarfile
from dataclasses import dataclass, replace
from io import BytesIO
from typing import TYPE_CHECKING

from ci_toolkit.effects.strange_files import opened_inside
from ci_toolkit.errors import FormatError, UpstreamError
from ci_toolkit.formats.image_layout import (
    BLOBS,
    INDEX_FILE,
    INDEX_TYPE,
    LARGEST_DOCUMENT_BYTES,
    LAYOUT,
    LAYOUT_FILE,
    Descriptor,
    digest_of,
    format_index,
    parse_config_platform,
    parse_index,
    parse_manifest,
)
from ci_toolkit.formats.tar_blocks import BLOCK, ZEROS, header_path, header_size, padded

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from typing import BinaryIO

    from ci_toolkit.formats.image_platform import ImagePlatform

EXTENSION = ".oci.tar"
_CHUNK = 1 << 20
_MOST_BLOBS = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class LaidImage:
    """One image of the layout at `place` in a folder: its manifest's descriptor and all blobs, the manifest first."""

    folder: Path
    place: str
    descriptor: Descriptor
    blobs: tuple[Descriptor, ...]


def archive_name(name: str, version: str, architecture: str) -> str:
    """What the file of an image is called."""
    return f"{name}-{version}-{architecture}{EXTENSION}"


def laid_image(folder: Path, place: str, platform: ImagePlatform) -> LaidImage:
    """The one image of a layout; FormatError or UpstreamError when it is not what it says, or for something else."""
    listed = parse_index(_read(folder, f"{place}/{INDEX_FILE}"), file=INDEX_FILE)
    if len(listed) != 1 or listed[0].is_index:
        raise UpstreamError("it left no single image")
    descriptor = listed[0]
    content = _read(folder, f"{place}/{_blob_path(descriptor)}")
    _check_blob(content, descriptor)
    manifest = parse_manifest(content, file="manifest")
    config = _read(folder, f"{place}/{_blob_path(manifest.config)}")
    _check_platform(config, platform)
    said = ("linux", platform.architecture, platform.variant)
    return LaidImage(
        folder=folder,
        place=place,
        descriptor=replace(descriptor, platform=said, name=None),
        blobs=(descriptor, *manifest.blobs),
    )


def pack_images(images: Sequence[LaidImage], target: Path, *, name: str) -> int:
    """Write them as one archive, with an index of all where there are several; how many bytes it has.

    Every blob is compared with its digest while it is copied, and nothing is left at `target` when one differs.
    """
    documents: dict[str, bytes] = {}
    if len(images) == 1:
        top = replace(images[0].descriptor, name=name)
    else:
        index = format_index(image.descriptor for image in images)
        top = Descriptor(media_type=INDEX_TYPE, digest=digest_of(index), size_bytes=len(index), name=name)
        documents[top.hexadecimal] = index
    blobs = {blob.hexadecimal: (image, blob) for image in images for blob in image.blobs}
    partial = target.with_name(f".{target.name}.part")
    try:
        with tarfile.open(partial, "w", format=tarfile.USTAR_FORMAT) as archive:
            for folder in ("blobs", BLOBS):
                archive.addfile(_entry(f"{folder}/", 0, tarfile.DIRTYPE))
            for digits in sorted({*blobs, *documents}):
                if digits in documents:
                    _add(archive, f"{BLOBS}/{digits}", documents[digits])
                else:
                    _add_blob(archive, *blobs[digits])
            _add(archive, INDEX_FILE, format_index([top]))
            _add(archive, LAYOUT_FILE, LAYOUT)
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)
    return target.stat().st_size


def check_archive(path: Path, platforms: Sequence[ImagePlatform], *, name: str) -> None:
    """Nothing; UpstreamError or FormatError when a file is no archive of just these images under this name."""
    try:
        with opened_inside(path.parent, path.name) as file:
            _Archive(file).check(platforms, name)
    except OSError as error:
        raise UpstreamError(f"{path.name} cannot be read: {error.strerror}") from error


def archived_platforms(path: Path) -> list[tuple[str, str, str]]:
    """What the images of an archive are for; UpstreamError or FormatError when it is none."""
    with opened_inside(path.parent, path.name) as file:
        return _Archive(file).platforms()


class _Archive:
    """Somebody's archive of images, of plain files in the form that is written here: all else is refused."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._members: dict[str, tuple[int, int]] = {}
        end = os.fstat(file.fileno()).st_size
        while (header := file.read(BLOCK)) != ZEROS:
            if len(header) < BLOCK:
                raise UpstreamError("it is cut off: the archive has no end mark")
            size, path = header_size(header), header_path(header).decode(errors="replace")
            if header[156:157] == tarfile.DIRTYPE and path in ("blobs/", f"{BLOBS}/") and not size:
                continue
            if header[156:157] != tarfile.REGTYPE or path in self._members or len(self._members) > _MOST_BLOBS:
                raise UpstreamError(f"{path!r} is no file, or there twice")
            start = file.tell()
            if start + padded(size) > end:
                raise UpstreamError(f"it is cut off: {path} is not whole")
            self._members[path] = (start, size)
            file.seek(start + padded(size))
        self._unused = set(self._members)

    def check(self, platforms: Sequence[ImagePlatform], name: str) -> None:
        if self._document(LAYOUT_FILE) != LAYOUT:
            raise UpstreamError("it is no image layout that is known")
        top = parse_index(self._document(INDEX_FILE), file=INDEX_FILE)
        if len(top) != 1 or top[0].name != name:
            raise UpstreamError(f"it names {[entry.name for entry in top]}, and not {name} alone")
        listed = self._images()
        if len(listed) != len(platforms):
            raise UpstreamError(f"it has {len(listed)} images, and {len(platforms)} were to be made")
        for descriptor, platform in zip(listed, platforms, strict=True):
            manifest = parse_manifest(self._blob(descriptor), file="manifest")
            _check_platform(self._blob(manifest.config), platform)
            for layer in manifest.layers:
                self._check_layer(layer)
        if self._unused:
            raise UpstreamError(f"it has {min(self._unused)}, which nothing in it needs")

    def platforms(self) -> list[tuple[str, str, str]]:
        configs = [parse_manifest(self._blob(image), file="manifest").config for image in self._images()]
        return [parse_config_platform(self._blob(config), file="configuration") for config in configs]

    def _images(self) -> tuple[Descriptor, ...]:
        top = parse_index(self._document(INDEX_FILE), file=INDEX_FILE)
        return parse_index(self._blob(top[0]), file="index") if top and top[0].is_index else top

    def _document(self, path: str) -> bytes:
        start, size = self._members.get(path, (0, LARGEST_DOCUMENT_BYTES + 1))
        if size > LARGEST_DOCUMENT_BYTES:
            raise UpstreamError(f"it has no {path} that can be read")
        self._unused.discard(path)
        self._file.seek(start)
        return self._file.read(size)

    def _blob(self, descriptor: Descriptor) -> bytes:
        content = self._document(_blob_path(descriptor))
        _check_blob(content, descriptor)
        return content

    def _check_layer(self, layer: Descriptor) -> None:
        start, size = self._members.get(_blob_path(layer), (0, -1))
        self._file.seek(start)
        if size != layer.size_bytes or _digest(self._file, size) != layer.hexadecimal:
            raise UpstreamError(f"it has no blob {layer.digest} as it should be")
        self._unused.discard(_blob_path(layer))


def _blob_path(descriptor: Descriptor) -> str:
    return f"{BLOBS}/{descriptor.hexadecimal}"


def _check_blob(content: bytes, descriptor: Descriptor) -> None:
    if len(content) != descriptor.size_bytes or digest_of(content) != descriptor.digest:
        raise UpstreamError(f"what it says is {descriptor.digest} is {digest_of(content)}")


def _check_platform(config: bytes, platform: ImagePlatform) -> None:
    found = parse_config_platform(config, file="configuration")
    if found[:2] != ("linux", platform.architecture):
        raise UpstreamError(
            f"the image is for {'/'.join(part for part in found if part)}, and {platform} was asked for",
            hint="a FROM whose image is for one platform alone makes images for that one",
        )


def _digest(file: BinaryIO, size: int) -> str:
    """The digest of a file's next so many bytes."""
    digest = hashlib.sha256()
    while size and (chunk := file.read(min(size, _CHUNK))):
        digest.update(chunk)
        size -= len(chunk)
    return digest.hexdigest()


def _entry(name: str, size: int, kind: bytes = tarfile.REGTYPE) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.type, entry.size, entry.mode = kind, size, 0o755 if kind == tarfile.DIRTYPE else 0o644
    return entry


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    archive.addfile(_entry(name, len(content)), BytesIO(content))


def _add_blob(archive: tarfile.TarFile, image: LaidImage, blob: Descriptor) -> None:
    with opened_inside(image.folder, f"{image.place}/{_blob_path(blob)}") as file:
        if os.fstat(file.fileno()).st_size != blob.size_bytes:
            raise UpstreamError(f"it left another blob than {blob.digest}")
        summing = _Summing(file)
        archive.addfile(_entry(_blob_path(blob), blob.size_bytes), summing)
        if summing.digest.hexdigest() != blob.hexadecimal:
            raise UpstreamError(f"it left another blob than {blob.digest}")


class _Summing:
    """A file that is read once, and the digest of what was read."""

    def __init__(self, file: BinaryIO) -> None:
        self.digest = hashlib.sha256()
        self._file = file

    def read(self, size: int = -1) -> bytes:
        chunk = self._file.read(size)
        self.digest.update(chunk)
        return chunk


def _read(folder: Path, path: str) -> bytes:
    with opened_inside(folder, path) as file:
        content = file.read(LARGEST_DOCUMENT_BYTES + 1)
    if len(content) > LARGEST_DOCUMENT_BYTES:
        raise FormatError(f"is larger than {LARGEST_DOCUMENT_BYTES} bytes", file=path)
    return content
