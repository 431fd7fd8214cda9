"""Tiny container images as OCI archives, the same bytes every time."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"


@dataclass(frozen=True, kw_only=True)
class OciArchive:
    """An archive, and the digest (`sha256:…`) of what its index names: a manifest, or an index of several."""

    path: Path
    digest: str
    blobs: Mapping[str, bytes]


class _Blobs(dict[str, bytes]):
    def add(self, content: bytes, media_type: str, **more: Any) -> dict[str, Any]:
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        self[digest] = content
        return {"mediaType": media_type, "digest": digest, "size": len(content), **more}


def oci_archive(path: Path, *, text: str = "hello", platforms: Sequence[str] = ("amd64",)) -> OciArchive:
    """An image with one file, which holds `text`; with more than one platform, an index of an image for each."""
    blobs = _Blobs()
    images = [_image(blobs, text, platform) for platform in platforms]
    top = images[0]
    if len(images) > 1:
        top = blobs.add(_json({"schemaVersion": 2, "mediaType": INDEX, "manifests": images}), INDEX)
    write_archive(path, blobs, [top])
    return OciArchive(path=path, digest=top["digest"], blobs=blobs)


def write_archive(path: Path, blobs: Mapping[str, bytes], manifests: Sequence[Mapping[str, Any]]) -> None:
    """An archive of an OCI layout with these blobs, whose index names these descriptors."""
    index = _json({"schemaVersion": 2, "mediaType": INDEX, "manifests": list(manifests)})
    files = {"oci-layout": b'{"imageLayoutVersion":"1.0.0"}', "index.json": index}
    files |= {f"blobs/{digest.replace(':', '/')}": content for digest, content in sorted(blobs.items())}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(_tar(files))


def _image(blobs: _Blobs, text: str, architecture: str) -> dict[str, Any]:
    layer = _tar({"message": f"{text}\n".encode()})
    config = {
        "architecture": architecture,
        "os": "linux",
        "config": {"Cmd": ["/bin/cat", "/message"]},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"]},
    }
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": blobs.add(_json(config), CONFIG),
        "layers": [blobs.add(gzip.compress(layer, mtime=0), LAYER)],
    }
    return blobs.add(_json(manifest), MANIFEST, platform={"os": "linux", "architecture": architecture})


def _tar(files: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(content), 0o644
            tar.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def _json(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
