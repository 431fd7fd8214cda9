"""What machines an image is for, in the words of the OCI image specification (those of the language Go)."""

from __future__ import annotations

from dataclasses import dataclass

from ci_toolkit.errors import FormatError
from ci_toolkit.model.names import nearest

# platform: what uname(2) calls such a machine, and what QEMU calls its emulation
_KNOWN = {
    "linux/amd64": ("x86_64", "x86_64"),
    "linux/arm64": ("aarch64", "aarch64"),
    "linux/arm/v7": ("armv7l", "arm"),
    "linux/arm/v6": ("armv6l", "arm"),
    "linux/386": ("i686", "i386"),
    "linux/ppc64le": ("ppc64le", "ppc64le"),
    "linux/s390x": ("s390x", "s390x"),
    "linux/riscv64": ("riscv64", "riscv64"),
    "linux/loong64": ("loongarch64", "loongarch64"),
    "linux/mips64le": ("mips64el", "mips64el"),
}
_ALIASES = {
    "linux/x86_64": "linux/amd64",
    "linux/aarch64": "linux/arm64",
    "linux/arm64/v8": "linux/arm64",
    "linux/arm": "linux/arm/v7",
    "linux/i386": "linux/386",
}
# Machines that run the programs of others without any help.
_ALSO_RUN = {"x86_64": ("i686",)}


@dataclass(frozen=True, slots=True, order=True)
class ImagePlatform:
    """One kind of machine, such as `linux/arm64`."""

    text: str

    @property
    def architecture(self) -> str:
        """The second part, such as `arm64`."""
        return self.text.split("/")[1]

    @property
    def variant(self) -> str:
        """The third part, such as `v7`; often empty."""
        return self.text.partition("/")[2].partition("/")[2]

    @property
    def machine(self) -> str:
        """What uname calls such a machine."""
        return _KNOWN[self.text][0]

    @property
    def emulation(self) -> str:
        """What QEMU calls it."""
        return _KNOWN[self.text][1]

    def runs_on(self, machine: str) -> bool:
        """Whether a machine runs its programs by itself."""
        return machine == self.machine or self.machine in _ALSO_RUN.get(machine, ())

    def __str__(self) -> str:
        return self.text


def parse_platform(text: str) -> ImagePlatform:
    """The typed form; FormatError for one that is not known here."""
    found = _ALIASES.get(text.lower(), text.lower())
    if found not in _KNOWN:
        hint = nearest(found, _KNOWN) or f"there are {', '.join(_KNOWN)}"
        raise FormatError("is no platform that is known here", got=text, hint=hint)
    return ImagePlatform(found)


def platform_of(machine: str) -> ImagePlatform:
    """The platform of a machine by its name in uname; FormatError for one that is not known here."""
    for text, (known, _) in _KNOWN.items():
        if machine == known:
            return ImagePlatform(text)
    raise FormatError("is no machine that images are built for here", got=machine)
