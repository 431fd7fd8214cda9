"""An image on its way into a registry: it has a tag only once the registry has shown that it has the right one."""

from __future__ import annotations

import hashlib
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING

from ci_toolkit.errors import PublishError, RefusedError
from ci_toolkit.formats.image_layout import INDEX_TYPES, MANIFEST_TYPES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ci_toolkit.effects.registry_http import RegistryHttp
    from ci_toolkit.formats.oci_reference import OciRegistry
    from ci_toolkit.publishers.oci.archive import Document, OciImage

LATEST = "latest"
_LATER = "the next run tries it again"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageRepository:
    """All versions of one image in one registry."""

    registry: OciRegistry
    image: str
    http: RegistryHttp

    def push(self, image: OciImage, *, tag: str) -> None:
        """Send an image and make `tag`, and then `latest`, mean it.

        Before a tag is moved the image is read back by its digest, so a registry that keeps something else than it was
        sent leaves every tag as it was: RefusedError. The errors of RegistryHttp otherwise.
        """
        path = self._path
        for blob in image.blobs:
            self.http.push_blob(path, blob.digest, blob.size_bytes, blob.opened)
        for digest, content in image.contents.items():
            self.http.push_blob(path, digest, len(content), lambda content=content: _opened(content))  # type: ignore[misc]  # bound now
        for document in image.documents:
            self.http.put_manifest(path, document.digest, document.content, media_type=document.media_type)
        self._compare(image.top, image.top.digest)
        for name in (tag, LATEST):
            self.http.put_manifest(path, name, image.top.content, media_type=image.top.media_type)
            self._compare(image.top, name)

    def digest(self, reference: str) -> str | None:
        """The digest of what a tag or digest means there, computed of what the registry gives; None for nothing."""
        found = self.http.manifest(self._path, reference, media_types=(*MANIFEST_TYPES, *INDEX_TYPES))
        return None if found is None else f"sha256:{hashlib.sha256(found.content).hexdigest()}"

    def remove(self, reference: str) -> str | None:
        """Remove a manifest with all its tags, or a tag alone; None when it is gone, or else why that is not done."""
        return self.http.delete(self._path, reference)

    def _compare(self, document: Document, reference: str) -> None:
        found = self.http.manifest(self._path, reference, media_types=(document.media_type,))
        if found is None:  # it may need a while, or another machine of its own has been asked
            raise PublishError(f"{self.registry} took {self.image}:{reference} and has no such thing", hint=_LATER)
        given = f"sha256:{hashlib.sha256(found.content).hexdigest()}"
        said = found.said_digest or given
        if (given, said) != (document.digest, document.digest):
            wrong = said if given == document.digest else given
            raise RefusedError(
                f"{self.registry} was sent {document.digest} and gives {wrong} as {self.image}:{reference}",
                hint="nobody should use that image: look at the registry, or at what lies before it",
            )

    @property
    def _path(self) -> str:
        return self.registry.repository(self.image)


@contextmanager
def _opened(content: bytes) -> Iterator[BytesIO]:
    yield BytesIO(content)
