"""Manifests and indexes of container images, read as if an enemy had written them, and written reproducibly.

Source: the OCI image format specification 1.1 (descriptor, manifest, index, layout); Docker's own types of version 2,
which registries still send, have the same members.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ci_toolkit.errors import FormatError
from ci_toolkit.formats.image_reference import is_digest

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ci_toolkit.formats.image_platform import ImagePlatform

MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
INDEX_TYPE = "application/vnd.oci.image.index.v1+json"
CONFIG_TYPE = "application/vnd.oci.image.config.v1+json"
LAYOUT_FILE, INDEX_FILE, BLOBS = "oci-layout", "index.json", "blobs/sha256"
LAYOUT = b'{"imageLayoutVersion":"1.0.0"}'
NAME_KEY = "org.opencontainers.image.ref.name"
LARGEST_DOCUMENT_BYTES = 4 << 20
_DOCKER = "application/vnd.docker."
MANIFEST_TYPES = (MANIFEST_TYPE, f"{_DOCKER}distribution.manifest.v2+json")
INDEX_TYPES = (INDEX_TYPE, f"{_DOCKER}distribution.manifest.list.v2+json")
_CONFIG_TYPES = (CONFIG_TYPE, f"{_DOCKER}container.image.v1+json")
_LAYER = "application/vnd.oci.image.layer.v1.tar"
_LAYER_TYPES = (_LAYER, f"{_LAYER}+gzip", f"{_LAYER}+zstd", f"{_DOCKER}image.rootfs.diff.tar.gzip")
_MOST_LAYERS, _MOST_MANIFESTS = 500, 500
_LARGEST_BLOB_BYTES = 1 << 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Descriptor:
    """What points at a blob; `platform` is `(os, architecture, variant)` where one is said, `name` the image's."""

    media_type: str
    digest: str
    size_bytes: int
    platform: tuple[str, str, str] | None = None
    name: str | None = None

    @property
    def hexadecimal(self) -> str:
        """The digest's digits, which are the name of the blob's file."""
        return self.digest.partition(":")[2]

    @property
    def is_index(self) -> bool:
        """Whether it points at a list of images rather than at one."""
        return self.media_type in INDEX_TYPES

    def to_json(self) -> dict[str, Any]:
        """The members that are set."""
        found: dict[str, Any] = {"mediaType": self.media_type, "digest": self.digest, "size": self.size_bytes}
        if self.platform is not None:
            system, architecture, variant = self.platform
            found["platform"] = {"architecture": architecture, "os": system}
            if variant:
                found["platform"]["variant"] = variant
        if self.name is not None:
            found["annotations"] = {NAME_KEY: self.name}
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageManifest:
    """One image for one platform."""

    config: Descriptor
    layers: tuple[Descriptor, ...]

    @property
    def blobs(self) -> tuple[Descriptor, ...]:
        """All that it points at."""
        return (self.config, *self.layers)


def digest_of(content: bytes) -> str:
    """The digest of a document or blob."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def is_index(content: bytes, *, file: str) -> bool:
    """Whether a document lists images rather than being one; FormatError when it is neither."""
    document = _object(content, file)
    kind = document.get("mediaType")
    if kind in INDEX_TYPES or (kind is None and "manifests" in document):
        return True
    if kind in MANIFEST_TYPES or (kind is None and "config" in document):
        return False
    raise FormatError("is no manifest that is understood", file=file, got=repr(kind))


def parse_manifest(content: bytes, *, file: str) -> ImageManifest:
    """The typed form; FormatError for anything that is no image."""
    if is_index(content, file=file):
        raise FormatError("is an index, and no manifest", file=file)
    document = _object(content, file)
    layers = _list(document, "layers", _MOST_LAYERS, file)
    return ImageManifest(
        config=_descriptor(document.get("config"), _CONFIG_TYPES, file),
        layers=tuple(_descriptor(layer, _LAYER_TYPES, file) for layer in layers),
    )


def parse_index(content: bytes, *, file: str) -> tuple[Descriptor, ...]:
    """What an index lists; FormatError for what is none. Other things than images, such as signatures, are left out."""
    document = _object(content, file)
    if document.get("mediaType") not in (None, *INDEX_TYPES):
        raise FormatError("is no index", file=file, got=repr(document.get("mediaType")))
    listed = _list(document, "manifests", _MOST_MANIFESTS, file)
    kinds = (*MANIFEST_TYPES, *INDEX_TYPES)
    images = [entry for entry in listed if isinstance(entry, dict) and entry.get("mediaType") in kinds]
    return tuple(_descriptor(entry, kinds, file) for entry in images)


def image_for(listed: Iterable[Descriptor], platform: ImagePlatform, *, file: str) -> Descriptor:
    """The image for a platform, one without a variant where there is none of the very same; FormatError without."""
    found = [
        entry
        for entry in listed
        if entry.platform is not None and entry.platform[:2] == ("linux", platform.architecture)
    ]
    wanted = {"": ("", "v8")}.get(platform.variant, (platform.variant, ""))
    for variant in wanted:
        for entry in found:
            if entry.platform is not None and entry.platform[2] == variant:
                return entry
    raise FormatError(f"has no image for {platform}", file=file)


def parse_config_platform(content: bytes, *, file: str) -> tuple[str, str, str]:
    """What an image's configuration says that it is for."""
    document = _object(content, file)
    found = tuple(document.get(key, "") for key in ("os", "architecture", "variant"))
    if not all(isinstance(part, str) and part.isprintable() for part in found):
        raise FormatError("has a platform that is no text", file=file)
    system, architecture, variant = found
    return system, architecture, variant


def format_index(listed: Iterable[Descriptor], annotations: Mapping[str, str] | None = None) -> bytes:
    """An index, always the same bytes for the same images."""
    document: dict[str, Any] = {
        "schemaVersion": 2,
        "mediaType": INDEX_TYPE,
        "manifests": [entry.to_json() for entry in listed],
    }
    if annotations:
        document["annotations"] = dict(sorted(annotations.items()))
    return json.dumps(document, separators=(",", ":")).encode()


def _object(content: bytes, file: str) -> dict[str, Any]:
    if len(content) > LARGEST_DOCUMENT_BYTES:
        raise FormatError(f"is larger than {LARGEST_DOCUMENT_BYTES} bytes", file=file)
    try:
        document = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise FormatError("is no JSON", file=file) from error
    if not isinstance(document, dict):
        raise FormatError("is no JSON object", file=file)
    return document


def _list(document: Mapping[str, Any], key: str, most: int, file: str) -> list[Any]:
    found = document.get(key)
    if not isinstance(found, list) or len(found) > most:
        raise FormatError(f"is no list of up to {most}", file=file, key=key)
    return found


def _descriptor(value: object, kinds: tuple[str, ...], file: str) -> Descriptor:
    match value:
        case {"mediaType": str(kind), "digest": str(digest), "size": int(size), **rest}:
            pass
        case _:
            raise FormatError("has a descriptor that is none", file=file, got=repr(value))
    if kind not in kinds:
        raise FormatError("has a blob of a kind that is not taken", file=file, got=kind)
    if not is_digest(digest) or isinstance(size, bool) or not 0 <= size <= _LARGEST_BLOB_BYTES:
        raise FormatError("has a blob without a sha256 digest and a size", file=file, got=repr(digest))
    if rest.get("urls"):
        raise FormatError("has a blob that lies elsewhere", file=file, got=digest)
    annotations = rest.get("annotations")
    name = annotations.get(NAME_KEY) if isinstance(annotations, dict) else None
    return Descriptor(
        media_type=kind,
        digest=digest,
        size_bytes=size,
        platform=_platform(rest.get("platform")),
        name=name if isinstance(name, str) else None,
    )


def _platform(value: object) -> tuple[str, str, str] | None:
    match value:
        case {"os": str(system), "architecture": str(architecture), **rest}:
            variant = rest.get("variant", "")
            return system, architecture, variant if isinstance(variant, str) else ""
    return None
