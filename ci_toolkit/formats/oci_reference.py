"""Where images are in a registry: `[http://]host[:port][/namespace]`, names of images, and tags.

Grammar of names and tags: the OCI distribution specification 1.1, "Pulling manifests".
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ci_toolkit.errors import ConfigError, RefusedError
from ci_toolkit.formats.service_url import is_loopback

_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_REGISTRY = re.compile(
    rf"(?:(https?)://)?((?:[A-Za-z0-9][A-Za-z0-9.-]*|\[[0-9A-Fa-f:.]+\])(?::[0-9]{{1,5}})?)((?:/{_COMPONENT})*)/?"
)
_NAME = re.compile(_COMPONENT)
_NO_SEPARATORS = re.compile(r"[^a-z0-9]*([._-])[^a-z0-9]*")
_LONGEST_NAME, _LONGEST_TAG = 128, 128
# What people call Docker's registry is not the host that speaks the protocol.
_SPEAKING = {"docker.io": "registry-1.docker.io", "index.docker.io": "registry-1.docker.io"}


@dataclass(frozen=True, slots=True, kw_only=True)
class OciRegistry:
    """A place for images: `place` is what stands before an image's name, `url` where it is asked."""

    place: str
    url: str
    namespace: str

    @property
    def is_encrypted(self) -> bool:
        """Whether nobody between can read what is sent."""
        return self.url.startswith("https://")

    def repository(self, image: str) -> str:
        """The path of an image there."""
        return f"{self.namespace}/{image}" if self.namespace else image

    def __str__(self) -> str:
        return self.place


def parse_oci_registry(text: str) -> OciRegistry:
    """The registry that a setting names; without `http://` only one on this machine is spoken to unencrypted."""
    found = _REGISTRY.fullmatch(text)
    if found is None or text.startswith("-"):
        shown = None if "@" in text else text  # what is before an @ may be a password
        raise ConfigError("is no registry", got=shown, hint="write HOST/NAMESPACE, such as registry.example.org/mine")
    scheme, host, path = found.groups()
    bare = host.rpartition(":")[0] if re.search(r":[0-9]+$", host) and not host.endswith("]") else host
    scheme = scheme or ("http" if is_loopback(bare.strip("[]")) else "https")
    return OciRegistry(
        place=f"{host}{path}", url=f"{scheme}://{_SPEAKING.get(host.lower(), host)}", namespace=path.strip("/")
    )


def image_name(name: str) -> str:
    """What a package is called in a registry, where names are small letters, digits and single separators.

    >>> image_name("libsigc++-2.0")
    'libsigc-plus-plus-2.0'
    """
    text = name.lower().replace("+", "-plus-").replace("@", "-at-")
    text = re.sub(r"[^a-z0-9._-]", "-", text)
    text = _NO_SEPARATORS.sub(r"\1", text).strip("._-")
    if _NAME.fullmatch(text) is None or len(text) > _LONGEST_NAME:
        raise RefusedError("is nothing that an image can be called", key=name, hint="give its folder another name")
    return text


def image_tag(version: str) -> str:
    """The tag of a version: what cannot be in one is an underscore there, as Helm has it for `+`.

    >>> image_tag("1:2.0+git-1")
    '1_2.0_git-1'
    """
    text = re.sub(r"[^A-Za-z0-9._-]", "_", version)
    text = f"_{text}" if text.startswith((".", "-")) else text
    if not 0 < len(text) <= _LONGEST_TAG or text == "latest":
        raise RefusedError("is no version that can be a tag", got=version, hint="give it another version")
    return text
