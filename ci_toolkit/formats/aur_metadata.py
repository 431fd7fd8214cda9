"""The AUR's metadata dump `packages-meta-ext-v1.json.gz`: a JSON array of some hundred thousand objects.

The AUR writes one object a line, and only the lines of wanted packages are decoded, while the rest is counted. Fields
used: `PackageBase`, `LastModified` (unix seconds), `Maintainer` (null: orphaned), `CoMaintainers` (may be missing); and
of packages that are looked for `Name`, `Provides`, `Depends`, `MakeDepends`, `CheckDepends` (each may be missing; with
versions, of all architectures).
"""

from __future__ import annotations

import json
import re
import zlib
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any, TypeGuard

from ci_toolkit.errors import FormatError
from ci_toolkit.model.names import Pkgbase

if TYPE_CHECKING:
    from collections.abc import Collection, Container, Iterator, Mapping

LARGEST_UNPACKED_BYTES = 1 << 30
LONGEST_LINE_BYTES = 1 << 20
_CHUNK = 1 << 18
_NEEDS = ("Depends", "MakeDepends", "CheckDepends")
_NAMES = re.compile(rb'"([A-Za-z0-9@_+][A-Za-z0-9@._+-]*)')
_PKGBASE = re.compile(rb'"PackageBase":\s*"([^"\\]+)"')


@dataclass(frozen=True, slots=True, kw_only=True)
class AurEntry:
    """What the dump says of one pkgbase: `modified_s` in unix seconds, maintainer first, then co-maintainers."""

    modified_s: int
    maintainers: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AurListing:
    """One package of the dump: the base it belongs to, what it provides and what it needs, as the AUR writes them."""

    name: str
    pkgbase: str
    provides: tuple[str, ...]
    needs: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AurMetadata:
    """The wanted entries, and how many packages the dump lists in all."""

    entries: Mapping[Pkgbase, AurEntry]
    count: int


def parse_aur_metadata(compressed: bytes, wanted: Container[str]) -> AurMetadata:
    """Decode a dump; FormatError when it is not gzip, truncated, too large or not of the AUR's shape."""
    entries: dict[Pkgbase, AurEntry] = {}
    count = 0
    for record in _records(compressed):
        count += 1
        found = _PKGBASE.search(record)
        if found is None:
            raise FormatError("an entry has no PackageBase", got=record[:80].decode(errors="replace"))
        if found[1].decode(errors="replace") not in wanted:
            continue
        pkgbase, entry = _entry(record)
        known = entries.get(pkgbase)
        # Several packages of one pkgbase repeat the same facts; the newest counts.
        if known is None or known.modified_s < entry.modified_s:
            entries[pkgbase] = entry
    return AurMetadata(entries=entries, count=count)


def find_listings(compressed: bytes, names: Collection[str]) -> Iterator[AurListing]:
    """The packages whose record has any of `names` at the start of a text; FormatError as above.

    That is where names of packages, of package bases and of what is provided are; whoever asks looks closer.
    """
    wanted = frozenset(name.encode() for name in names)
    for record in _records(compressed):
        # One search a record is the same work however many names are looked for.
        if not wanted.isdisjoint(_NAMES.findall(record)):
            yield _listing(record)


def base_names(compressed: bytes) -> Iterator[str]:
    """All package bases, some of them several times; FormatError as above."""
    for record in _records(compressed):
        found = _PKGBASE.search(record)
        if found is not None:
            yield found[1].decode(errors="replace")


def _records(compressed: bytes) -> Iterator[bytes]:
    """The objects of the array, one at a time, as text."""
    lines = _lines(compressed)
    first = next(lines, b"").strip()
    if not first.startswith(b"["):
        raise FormatError("it does not start as a JSON array", got=first[:80].decode(errors="replace"))
    record = first[1:]
    closed = False
    for line in lines:
        if record:
            yield _object(record)
        record = line.strip()
    if record.endswith(b"]"):
        closed = True
        record = record[:-1].rstrip()
    if record:
        yield _object(record)
    if not closed:
        raise FormatError("it ends before the JSON array is closed")


def _object(record: bytes) -> bytes:
    text = record.removesuffix(b",")
    if not (text.startswith(b"{") and text.endswith(b"}")):
        raise FormatError("a line is no JSON object", got=text[:80].decode(errors="replace"))
    return text


def _lines(compressed: bytes) -> Iterator[bytes]:
    rest = b""
    for piece in _unpacked(compressed):
        lines = (rest + piece).split(b"\n")
        rest = lines.pop()
        if len(rest) > LONGEST_LINE_BYTES:
            raise FormatError("it has a line of more than 1 MiB; the AUR writes one object a line")
        yield from (line for line in lines if line.strip())
    if rest.strip():
        yield rest


def _unpacked(compressed: bytes) -> Iterator[bytes]:
    unpacker = zlib.decompressobj(wbits=31)
    size = 0
    try:
        pending = compressed
        while pending and not unpacker.eof:
            piece = unpacker.decompress(pending, _CHUNK)
            pending = unpacker.unconsumed_tail
            size += len(piece)
            if size > LARGEST_UNPACKED_BYTES:
                raise FormatError("it unpacks to more than 1 GiB")
            yield piece
    except zlib.error as error:
        raise FormatError(f"it is not gzip, or damaged: {error}") from error
    if not unpacker.eof:
        raise FormatError("it is cut off")


def _entry(record: bytes) -> tuple[Pkgbase, AurEntry]:
    try:
        value: Any = json.loads(record)
    except ValueError as error:
        raise FormatError(f"an entry is no JSON: {error}") from error
    match value:
        case {"PackageBase": str(pkgbase), "LastModified": int(modified_s), **rest} if modified_s is not True:
            maintainer, others = rest.get("Maintainer"), rest.get("CoMaintainers") or []
            if isinstance(maintainer, (str, type(None))) and _are_names(others):
                names = (*((maintainer,) if maintainer else ()), *others)
                return Pkgbase(pkgbase), AurEntry(modified_s=modified_s, maintainers=names)
    raise FormatError("an entry's fields have wrong types", got=record[:120].decode(errors="replace"))


def _listing(record: bytes) -> AurListing:
    try:
        value: Any = json.loads(record)
    except ValueError as error:
        raise FormatError(f"an entry is no JSON: {error}") from error
    match value:
        case {"PackageBase": str(pkgbase), "Name": str(name), **rest}:
            provides = rest.get("Provides") or []
            lists = [names for key in _NEEDS if _are_names(names := rest.get(key) or [])]
            if _are_names(provides) and len(lists) == len(_NEEDS):
                needs = tuple(dict.fromkeys(chain.from_iterable(lists)))
                return AurListing(name=name, pkgbase=pkgbase, provides=tuple(provides), needs=needs)
    raise FormatError("an entry's fields have wrong types", got=record[:120].decode(errors="replace"))


def _are_names(value: object) -> TypeGuard[list[str]]:
    return isinstance(value, list) and all(isinstance(name, str) for name in value)
