"""What a binary cache has of ours, as JSON on this machine: the cache itself cannot be asked for a list everywhere.

A path is written down before anything of it goes there, so whatever a killed run left can be found and removed. The
order is that of writing: what a path refers to is before it.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from ci_toolkit.errors import FormatError
from ci_toolkit.formats.narinfo import NarInfo, parse_narinfo
from ci_toolkit.formats.nix_hash import format_nix_sha256
from ci_toolkit.formats.store_path import NIX_STORE, parse_store_path

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ci_toolkit.formats.nix_closure import ClosurePath

_FORM = 1
SUFFIXES = {"zstd": ".zst", "xz": ".xz", "none": ""}
"""Ways of packing archives, each with what their names end with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CachedPath:
    """One path; `narinfo` is what clients read of it, empty until its archive is there; the checksum is of that."""

    path: str
    nar_sha256: str
    compression: str
    narinfo: str = ""

    @property
    def hash_part(self) -> str:
        """By which others name it."""
        return parse_store_path(self.path).hash_part

    @property
    def archive(self) -> str:
        """What its archive is called in the cache."""
        digits = format_nix_sha256(self.nar_sha256).removeprefix("sha256:")
        return f"nar/{digits}.nar{SUFFIXES[self.compression]}"

    @property
    def described(self) -> str:
        """What its narinfo is called there."""
        return f"{self.hash_part}.narinfo"

    @property
    def info(self) -> NarInfo:
        """The narinfo as a value; FormatError without one."""
        return parse_narinfo(self.narinfo, directory=NIX_STORE)


def planned(one: ClosurePath, compression: str) -> CachedPath:
    """A path that is to go there."""
    return CachedPath(path=str(one.path), nar_sha256=one.nar_sha256, compression=compression)


def format_index(place: str, paths: Iterable[CachedPath]) -> bytes:
    """One line a path, and which place they are at."""
    rows = ",\n".join(json.dumps(asdict(one)) for one in paths)
    return f'{{\n"form": {_FORM},\n"place": {json.dumps(place)},\n"paths": [\n{rows}\n]\n}}\n'.encode()


def parse_index(content: bytes, place: str, *, file: str) -> dict[str, CachedPath]:
    """What `format_index` wrote of this place, by path, nothing of another one; FormatError for anything else."""
    try:
        value = json.loads(content)
        if value["form"] != _FORM:
            raise FormatError("was written by a newer ci-toolkit", file=file, hint="use that one here, too")
        found = [_path(row) for row in value["paths"]]
        is_of_place = value["place"] == place
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        hint = "put it back from a copy, or remove it: everything is written there anew then"
        raise FormatError("is damaged: it is not what a publisher writes", file=file, hint=hint) from error
    return {one.path: one for one in found} if is_of_place else {}


def _path(row: Mapping[str, Any]) -> CachedPath:
    one = CachedPath(**row)
    parse_store_path(one.path, directory=NIX_STORE)
    if one.compression not in SUFFIXES or len(bytes.fromhex(one.nar_sha256)) != 32 or not isinstance(one.narinfo, str):
        raise ValueError(one.path)
    return one
