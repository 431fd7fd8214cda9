"""Images in OCI archives: a tar file of an OCI layout, read where it lies and judged before anything of it is sent.

Source: the OCI image specification 1.1 (layout, index, manifest, descriptor) and its guidance for artifacts.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any

from ci_toolkit.errors import FormatError
from ci_toolkit.formats.image_layout import (
    INDEX_TYPES,
    LARGEST_DOCUMENT_BYTES,
    MANIFEST_TYPE,
    MANIFEST_TYPES,
    digest_of,
)
from ci_toolkit.formats.image_reference import is_digest
from ci_toolkit.formats.tar_blocks import BLOCK, ZEROS, header_path, header_size, padded, pax_path, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from ci_toolkit.publishers.kept_ledger import KeptPackage

SUFFIX = ".oci.tar"
_EMPTY = b"{}"
_ARTIFACT_TYPE = "application/vnd.ci-toolkit.file.v1"
_BLOB = re.compile(rb"(?:\./)?blobs/sha256/([0-9a-f]{64})")
_INDEX = re.compile(rb"(?:\./)?index\.json")
_LARGEST_EXTENSION_BYTES = 1 << 16
_MOST_MEMBERS = 20_000
_MOST_DOCUMENTS = 500
_DEEPEST = 3
_PIECE = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Blob:
    """A part of an image: where its bytes are in a file."""

    digest: str
    path: Path
    offset: int
    size_bytes: int

    @contextmanager
    def opened(self) -> Iterator[BlobStream]:
        """Its bytes, from the first."""
        with self.path.open("rb") as file:
            file.seek(self.offset)
            yield BlobStream(file, self.size_bytes)


class BlobStream:
    """A file's next so many bytes, to be read; it has a length, so that whoever sends it can say that first."""

    def __init__(self, file: IO[bytes], size_bytes: int) -> None:
        self._file, self._size, self._left = file, size_bytes, size_bytes

    def __len__(self) -> int:
        return self._size

    def read(self, size: int = -1) -> bytes:
        """At most `size` bytes, none at the end."""
        taken = self._file.read(self._left if size < 0 else min(size, self._left))
        self._left -= len(taken)
        return taken


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A manifest or an index, which registries keep apart from blobs."""

    digest: str
    media_type: str
    content: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class OciImage:
    """What is to be pushed: blobs, then documents, of which the last is what the image's name means."""

    blobs: tuple[Blob, ...]
    contents: Mapping[str, bytes]
    documents: tuple[Document, ...]

    @property
    def top(self) -> Document:
        """The document that tags point at."""
        return self.documents[-1]


def read_oci_archive(path: Path, *, file: str) -> OciImage:
    """The one image, or index of images, of an archive whose every part has the digest that it is called by.

    FormatError, naming `file`, for anything else.
    """
    try:
        return _Reader(path).image()
    except FormatError as error:
        raise error.located(file=file) from error.__cause__


def file_artifact(package: KeptPackage, path: Path) -> OciImage:
    """Any file as an image of one layer that no engine runs; the same bytes for the same file."""
    digest, empty = f"sha256:{package.sha256}", digest_of(_EMPTY)
    title = {"org.opencontainers.image.title": package.file}
    layer = {"mediaType": "application/octet-stream", "digest": digest, "size": package.size_bytes}
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "artifactType": _ARTIFACT_TYPE,
        "config": {"mediaType": "application/vnd.oci.empty.v1+json", "digest": empty, "size": len(_EMPTY)},
        "layers": [{**layer, "annotations": title}],
        "annotations": {"org.opencontainers.image.version": package.version},
    }
    content = json.dumps(manifest, separators=(",", ":"), sort_keys=True).encode()
    return OciImage(
        blobs=(Blob(digest=digest, path=path, offset=0, size_bytes=package.size_bytes),),
        contents={empty: _EMPTY},
        documents=(Document(digest=digest_of(content), media_type=MANIFEST_TYPE, content=content),),
    )


class _Reader:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._blobs: dict[str, Blob] = {}
        self._documents: dict[str, Document] = {}
        self._wanted: dict[str, Blob] = {}
        self._index: Blob | None = None

    def image(self) -> OciImage:
        """See `read_oci_archive`."""
        with self._path.open("rb") as file:
            for name, offset, size in _members(file):
                self._note(name, offset, size)
        if self._index is None:
            raise FormatError("is no OCI archive: it has no index.json")
        tops = _listed(_object(self._content(self._index)), "manifests")
        if len(tops) != 1:
            raise FormatError(f"has {len(tops)} images, and one is pushed", hint="put them into one index")
        self._walk(*_descriptor(tops[0]), depth=0)
        for blob in self._wanted.values():
            self._check(blob)
        return OciImage(blobs=tuple(self._wanted.values()), contents={}, documents=tuple(self._documents.values()))

    def _note(self, name: bytes, offset: int, size: int) -> None:
        if found := _BLOB.fullmatch(name):
            digest = f"sha256:{found[1].decode()}"
            self._blobs[digest] = Blob(digest=digest, path=self._path, offset=offset, size_bytes=size)
        elif _INDEX.fullmatch(name):
            self._index = Blob(digest="", path=self._path, offset=offset, size_bytes=size)

    def _walk(self, digest: str, size: int, media_type: str, *, depth: int) -> None:
        """Take up a document, after all that it names."""
        if digest in self._documents:
            return
        if depth > _DEEPEST or len(self._documents) >= _MOST_DOCUMENTS:
            raise FormatError("has too many indexes in one another, or images")
        if media_type not in (*MANIFEST_TYPES, *INDEX_TYPES):
            raise FormatError("has a manifest of an unknown kind", got=media_type)
        content = self._content(self._blob(digest, size))
        if digest_of(content) != digest:
            raise FormatError("is damaged: a part has another content than its name says", got=digest)
        value = _object(content)
        if media_type in INDEX_TYPES:
            for entry in _listed(value, "manifests"):
                self._walk(*_descriptor(entry), depth=depth + 1)
        else:
            for entry in (value.get("config"), *_listed(value, "layers")):
                part, part_size, _ = _descriptor(entry)
                self._wanted[part] = self._blob(part, part_size)
        self._documents[digest] = Document(digest=digest, media_type=media_type, content=content)

    def _blob(self, digest: str, size: int) -> Blob:
        blob = self._blobs.get(digest)
        if blob is None:
            raise FormatError("lacks a part that it names", got=digest)
        if blob.size_bytes != size:
            raise FormatError(f"has a part of {blob.size_bytes} bytes that is said to have {size}", got=digest)
        return blob

    @staticmethod
    def _content(blob: Blob) -> bytes:
        if blob.size_bytes > LARGEST_DOCUMENT_BYTES:
            raise FormatError(f"has a manifest of more than {LARGEST_DOCUMENT_BYTES} bytes")
        with blob.opened() as stream:
            return stream.read()

    @staticmethod
    def _check(blob: Blob) -> None:
        found = hashlib.sha256()
        with blob.opened() as stream:
            while piece := stream.read(_PIECE):
                found.update(piece)
        if f"sha256:{found.hexdigest()}" != blob.digest:
            raise FormatError("is damaged: a part has another content than its name says", got=blob.digest)


def _members(file: IO[bytes]) -> Iterator[tuple[bytes, int, int]]:
    """Name, place and size of every regular file of a tar archive; its contents are not read."""
    end = os.fstat(file.fileno()).st_size
    long_name: bytes | None = None
    for _ in range(_MOST_MEMBERS):
        header = file.read(BLOCK)
        if header in (b"", ZEROS):
            return
        if len(header) < BLOCK:
            break
        size, kind, offset = header_size(header), header[156:157], file.tell()
        if offset + padded(size) > end:
            break
        if kind in (b"x", b"g", b"L"):
            if size > _LARGEST_EXTENSION_BYTES:
                raise FormatError("is damaged: it has an extended header that is too long")
            record = file.read(size)
            if kind != b"g":
                long_name = text_of(record) if kind == b"L" else _path_in(record) or long_name
        elif kind in (b"0", b"\0"):
            yield long_name or header_path(header), offset, size
            long_name = None
        elif kind == b"5":
            long_name = None
        else:
            raise FormatError("has something else than files and folders in it", got=repr(kind))
        file.seek(offset + padded(size))
    raise FormatError("is cut off, or has too many parts")


def _path_in(record: bytes) -> bytes | None:
    try:
        return pax_path(record)
    except FormatError as error:
        raise FormatError("has a part of more than 8 GiB, or a damaged extended header") from error


def _object(content: bytes) -> dict[str, Any]:
    try:
        value = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise FormatError("has a manifest that is no JSON") from error
    if not isinstance(value, dict):
        raise FormatError("has a manifest that is no JSON object")
    return value


def _listed(value: Mapping[str, Any], key: str) -> list[Any]:
    found = value.get(key)
    if not isinstance(found, list) or len(found) > _MOST_DOCUMENTS:
        raise FormatError(f"has a manifest whose {key} are no list of up to {_MOST_DOCUMENTS}")
    return found


def _descriptor(value: object) -> tuple[str, int, str]:
    match value:
        case {"digest": str(digest), "size": int(size), "mediaType": str(media_type)} if is_digest(digest):
            return digest, size, media_type
    raise FormatError("has a part without a sha256 digest, size and media type")
