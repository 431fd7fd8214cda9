"""Identifiers that must not be mixed up, and the grammar that makes outside text one of them."""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING, NewType

from ci_toolkit.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable

Pkgbase = NewType("Pkgbase", str)
"""The name of a package folder: `[A-Za-z0-9@._+-]+`, never starting with `-` or `.`."""

Oid = NewType("Oid", str)
"""The full hexadecimal name of a git object: 40 (SHA-1) or 64 (SHA-256) lower-case digits."""

_PKGBASE = re.compile(r"[A-Za-z0-9@_+][A-Za-z0-9@._+-]*")
_OID = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_MAINTAINER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9@._+-]{0,63}")
REVIEW_PREFIX = "update-"
NAME_MAX = 255  # what a file name may have, and so a package folder


def is_pkgbase(text: str) -> bool:
    """Whether `text` may name a package folder."""
    # A review branch is called `update-<pkgbase>`, and git refuses these three in a branch name.
    usable_as_ref = ".." not in text and not text.endswith((".", ".lock"))
    return len(text) <= NAME_MAX and _PKGBASE.fullmatch(text) is not None and usable_as_ref


def parse_pkgbase(text: str) -> Pkgbase:
    """`text` as a package name; ConfigError when no package can be called that."""
    if not is_pkgbase(text):
        raise ConfigError(
            "is no possible package name",
            key=repr(text),
            hint="letters, digits and @ . _ + - are allowed; no - or . at the start, no .., no . or .lock at the end",
        )
    return Pkgbase(text)


def review_branch(pkgbase: Pkgbase) -> str:
    """The branch that holds a package's open review."""
    return f"{REVIEW_PREFIX}{pkgbase}"


def is_oid(text: str) -> bool:
    """Whether `text` is a full object name."""
    return _OID.fullmatch(text) is not None


def is_maintainer(text: str) -> bool:
    """Whether an account can be called `text`: what the AUR allows today, and the few signs more it may once allow."""
    return _MAINTAINER.fullmatch(text) is not None


def nearest(name: str, known: Iterable[str]) -> str:
    """A hint such as `did you mean paru, paru-bin?`, empty when nothing known looks like `name`."""
    close = difflib.get_close_matches(name, list(known), n=3, cutoff=0.6)
    return f"did you mean {', '.join(close)}?" if close else ""
