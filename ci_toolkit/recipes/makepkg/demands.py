"""What makepkg demands to be installed before it builds."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ci_toolkit.effects.build_root import BuildRoot
    from ci_toolkit.formats.srcinfo import Section, SrcInfo

_DEPENDENCY = re.compile(
    r"(?P<name>[A-Za-z0-9@_+][A-Za-z0-9@._+-]*)(?:(?P<how>[<>]=?|=)(?P<version>[A-Za-z0-9][A-Za-z0-9._+:~^-]*))?"
)
_OF_BUILDING = ("depends", "makedepends", "checkdepends")


def parse_dependency(text: str) -> re.Match[str] | None:
    """`name`, `how` and `version` of a dependency; None when it is none."""
    return _DEPENDENCY.fullmatch(text)


def written(srcinfo: SrcInfo, architecture: str) -> list[str]:
    """What the base and every package depend on."""
    return [value for section in (srcinfo.base, *srcinfo.packages) for value in _values(section, architecture)]


def demanded(srcinfo: SrcInfo, architecture: str) -> list[str]:
    """What has to be there for building, each once; what is no dependency at all is left out."""
    return list(dict.fromkeys(filter(parse_dependency, _values(srcinfo.base, architecture))))


def lacking(root: BuildRoot, names: Sequence[str], *, timeout_s: float) -> list[str]:
    """Which of these dependencies pacman does not find in the root."""
    if not names:
        return []
    done = root.capture(("pacman", "--deptest", *names), variables={}, timeout_s=timeout_s)
    said = done.stdout.decode(errors="replace").splitlines()
    return [text for text in names if text in said]


def _values(section: Section, architecture: str) -> Iterator[str]:
    for kind in _OF_BUILDING:
        for key in (kind, f"{kind}_{architecture}"):
            yield from section.values(key)
