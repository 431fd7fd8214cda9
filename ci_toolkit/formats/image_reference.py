"""Names of container images, as Containerfiles and registries write them.

Grammar: the reference package of the distribution project (v3). A name without a host is one of Docker's own registry,
and one without a folder there one of its `library`, as every tool that builds images takes it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ci_toolkit.errors import FormatError

DEFAULT_HOST = "docker.io"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
_HOST = re.compile(rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[0-9a-fA-F:]+\])(?::[0-9]{{1,5}})?")
_PART = r"[a-z0-9]+(?:(?:\.|__?|-+)[a-z0-9]+)*"
_REPOSITORY = re.compile(rf"{_PART}(?:/{_PART})*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_LONGEST = 255


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageReference:
    """An image in a registry: by its digest where that is said, else by its tag.

    >>> str(parse_image_reference("debian:12"))
    'docker.io/library/debian:12'
    """

    host: str
    repository: str
    tag: str | None = None
    digest: str | None = None

    @property
    def name(self) -> str:
        """Host and repository."""
        return f"{self.host}/{self.repository}"

    @property
    def host_name(self) -> str:
        """The host without its port."""
        return self.host if self.host.endswith("]") else re.sub(r":[0-9]+$", "", self.host)

    @property
    def port(self) -> int:
        """The port where the registry listens."""
        found = re.search(r"(?<!:):([0-9]+)$", self.host) if not self.host.endswith("]") else None
        return int(found[1]) if found else 443

    def at(self, digest: str) -> str:
        """The same image, pinned."""
        return f"{self.name}@{digest}"

    def __str__(self) -> str:
        return self.at(self.digest) if self.digest else f"{self.name}:{self.tag or 'latest'}"


def parse_image_reference(text: str) -> ImageReference:
    """The typed form; FormatError when `text` is no name of an image in a registry."""
    rest, at, digest = text.partition("@")
    first, slash, behind = rest.partition("/")
    if slash and (re.search(r"[.:]", first) or first == "localhost"):
        host, rest = first, behind
    else:
        host = DEFAULT_HOST
    repository, colon, tag = rest.partition(":")
    if host == "index.docker.io":
        host = DEFAULT_HOST
    if host == DEFAULT_HOST and "/" not in repository:
        repository = f"library/{repository}"
    is_fine = (
        len(text) <= _LONGEST
        and _HOST.fullmatch(host)
        and _REPOSITORY.fullmatch(repository)
        and (not colon or _TAG.fullmatch(tag))
        and (not at or _DIGEST.fullmatch(digest))
    )
    if not is_fine:
        raise FormatError("is no name of an image", got=text, hint="HOST/NAME:TAG or HOST/NAME@sha256:DIGEST")
    return ImageReference(host=host, repository=repository, tag=tag or None, digest=digest or None)


def is_digest(text: str) -> bool:
    """Whether `text` is a sha256 digest as images have them."""
    return _DIGEST.fullmatch(text) is not None
