"""What clients get of a published repository, file by file and entry by entry, to be compared with another's."""

from __future__ import annotations

import hashlib
import io
import tarfile
from dataclasses import dataclass
from typing import TYPE_CHECKING

import zstandard

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """Digests by name, for each kind of thing that is compared."""

    kinds: Mapping[str, Mapping[str, str]]


def read_published(folder: Path, name: str) -> Published:
    """Everything in a folder that is served as the repository `name`."""
    return Published(
        kinds={
            "package files": _files(folder, "*.pkg.tar.zst"),
            "signatures of packages": _files(folder, "*.pkg.tar.zst.sig"),
            f"entries of {name}.db": dict(_entries(folder / f"{name}.db")),
            f"entries of {name}.files": dict(_entries(folder / f"{name}.files")),
            "the public key": _files(folder, f"{name}.gpg"),
        }
    )


def compare(one: Published, other: Published) -> Iterator[tuple[str, int, list[str]]]:
    """For each kind: what it is, how many there are, and the names of those that differ or that only one has."""
    for kind, digests in one.kinds.items():
        others = other.kinds[kind]
        names = sorted(digests.keys() | others.keys())
        yield kind, len(names), [name for name in names if digests.get(name) != others.get(name)]


def _files(folder: Path, pattern: str) -> dict[str, str]:
    return {path.name: _digest(path.read_bytes()) for path in folder.glob(pattern)}


def _entries(path: Path) -> Iterator[tuple[str, str]]:
    """The archive notes when each of its files was written, so that its files are compared and not itself."""
    with zstandard.ZstdDecompressor().stream_reader(path.read_bytes()) as stream:
        unpacked = stream.read()
    with tarfile.open(fileobj=io.BytesIO(unpacked)) as archive:
        for member in archive.getmembers():
            file = archive.extractfile(member)
            if file is not None:
                yield member.name, _digest(file.read())


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
