"""Names in a Nix store, `/nix/store/HASH-NAME`: 32 digits that say what it is made of, and a name for people.

Source: the Nix manual 2.8, "Store Path"; `nix-store --add` and `nix-store --query`.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from ci_toolkit.errors import FormatError
from ci_toolkit.formats.nix_base32 import ALPHABET, format_base32
from ci_toolkit.formats.nix_hash import format_nix_sha256

if TYPE_CHECKING:
    from collections.abc import Iterable

NIX_STORE = "/nix/store"
"""Where nearly every Nix keeps what it made."""
HASH_LENGTH = 32
"""Digits before the name."""

_LONGEST_NAME = 211
_LONGEST = 4096
_BASE_NAME = re.compile(rf"([{ALPHABET}]{{{HASH_LENGTH}}})-([A-Za-z0-9+_?=-][A-Za-z0-9+._?=-]*)")
_NAME = re.compile(rf"[A-Za-z0-9+_?=-][A-Za-z0-9+._?=-]{{0,{_LONGEST_NAME - 1}}}")
_DIRECTORY = re.compile(r"(/(?!\.{1,2}(?:/|$))[^/\0-\x1f\x7f]+)+")


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class StorePath:
    """One path; as text it is the whole of it."""

    directory: str
    hash_part: str
    name: str

    @property
    def base_name(self) -> str:
        """`HASH-NAME`."""
        return f"{self.hash_part}-{self.name}"

    def __str__(self) -> str:
        return f"{self.directory}/{self.base_name}"


@lru_cache(maxsize=4096)
def parse_store_path(text: str, *, directory: str | None = None) -> StorePath:
    """A whole path; FormatError for what no Nix would have there, or for another `directory` where one is demanded."""
    there, slash, base_name = text.rpartition("/")
    if not slash or len(text) > _LONGEST or _DIRECTORY.fullmatch(there) is None:
        raise FormatError("is no path in a store", got=text, hint="it is written /nix/store/HASH-NAME")
    if directory is not None and there != directory:
        raise FormatError(f"is not in the store {directory}", got=text)
    return parse_base_name(base_name, directory=there)


def parse_base_name(text: str, *, directory: str = NIX_STORE) -> StorePath:
    """A path of which only `HASH-NAME` is written; FormatError as above."""
    match = _BASE_NAME.fullmatch(text)
    if match is None or len(match[2]) > _LONGEST_NAME:
        raise FormatError("is no name in a store", got=text, hint="it is written HASH-NAME, with 32 digits")
    return StorePath(directory=directory, hash_part=match[1], name=match[2])


def source_path(
    name: str, *, nar_sha256: str, directory: str = NIX_STORE, references: Iterable[StorePath] = ()
) -> StorePath:
    """The path that `nix-store --add` gives content with this NAR hash (64 hexadecimal digits).

    What refers to others is part of the name where references are known, as for `nix store make-content-addressed`.

    FormatError for a name that nothing in a store can have.
    """
    if _NAME.fullmatch(name) is None:
        hint = "letters, digits and +-._?= can be in it, and no dot at the beginning"
        raise FormatError("cannot be the name of something in a store", got=name, hint=hint)
    kind = ":".join(("source", *map(str, sorted(references))))
    what = f"{kind}:sha256:{nar_sha256}:{directory}:{name}"
    hash_part = format_base32(_folded(hashlib.sha256(what.encode()).digest()))
    return StorePath(directory=directory, hash_part=hash_part, name=name)


def fingerprint(path: StorePath, *, nar_sha256: str, nar_size_bytes: int, references: Iterable[StorePath]) -> str:
    """What is signed of a path: `1;PATH;HASH;SIZE;REFERENCES`, these sorted and joined by commas."""
    listed = ",".join(map(str, sorted(references)))
    return f"1;{path};{format_nix_sha256(nar_sha256)};{nar_size_bytes};{listed}"


def _folded(digest: bytes) -> bytes:
    """The 20 bytes of a store path: those that are too many are laid over the first ones."""
    folded = bytearray(20)
    for place, byte in enumerate(digest):
        folded[place % 20] ^= byte
    return bytes(folded)
