"""What `nix-store --export` writes: store paths, each an archive and what the store knows of it, one after the other.

For each path: the number 1, its archive, the number `NIXE`, the path, how many references there are and each of them,
the deriver or an empty text, and 0. After the last one: 0. What is referred to comes first.

Source: `nix-store --export` and `--import` 2.8.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ci_toolkit.errors import FormatError
from ci_toolkit.formats.byte_stream import ByteStream, padded_text
from ci_toolkit.formats.nar import nar_entries
from ci_toolkit.formats.store_path import StorePath, parse_store_path

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from ci_toolkit.formats.nar import NarLimits

_MORE = (1).to_bytes(8, "little")
_END = bytes(8)
_MAGIC = b"NIXE".ljust(8, b"\0")
_LONGEST_PATH = 4096
_MOST_REFERENCES = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportedPath:
    """What stands behind an archive; `references` are sorted and may have the path itself."""

    path: StorePath
    references: tuple[StorePath, ...]
    deriver: StorePath | None


def format_export(paths: Iterable[tuple[ExportedPath, Iterable[bytes]]]) -> Iterator[bytes]:
    """The stream, in pieces, of paths with the bytes of their archives."""
    for exported, archive in paths:
        yield _MORE
        yield from archive
        yield b"".join(
            (
                _MAGIC,
                padded_text(str(exported.path).encode()),
                len(exported.references).to_bytes(8, "little"),
                *(padded_text(str(reference).encode()) for reference in sorted(exported.references)),
                padded_text(str(exported.deriver or "").encode()),
                _END,
            )
        )
    yield _END


class ExportReader:
    """A stream that is read path by path; FormatError for what `nix-store --export` does not write.

    All its paths are in one store, which is `directory` if that is given.
    """

    def __init__(
        self, pieces: Iterable[bytes], *, directory: str | None = None, limits: NarLimits | None = None
    ) -> None:
        self._stream = ByteStream(pieces)
        self._directory = directory
        self._limits = limits

    def next(self, take: Callable[[bytes], object]) -> ExportedPath | None:
        """Give the next archive to `take`, in pieces, and then what is known of it; None at the end of the stream.

        The name of an archive comes behind it, so nothing is known of one that is cut off.
        """
        stream = self._stream
        if stream.begins_with(_END):
            stream.end()
            return None
        if not stream.begins_with(_MORE):
            raise FormatError("is no export of a Nix store, or damaged")
        stream.hand_on(take)
        for _ in nar_entries(stream, limits=self._limits):
            pass
        stream.hand_on(None)
        if not stream.begins_with(_MAGIC):
            raise FormatError("is damaged: an archive is not followed by its name")
        return self._described()

    def _described(self) -> ExportedPath:
        path = self._path()
        self._directory = path.directory
        count = self._stream.number()
        if count > _MOST_REFERENCES:
            raise FormatError(f"has {count:,} references", key=str(path))
        references = tuple(self._path() for _ in range(count))
        if len(set(references)) != count:
            raise FormatError("has the same reference twice", key=str(path))
        deriver = self._stream.text(longest=_LONGEST_PATH, what="a deriver")
        if not self._stream.begins_with(_END):  # Nix before 2.0 could write a signature here
            raise FormatError("has a signature of a kind that is not used any more", key=str(path))
        return ExportedPath(
            path=path, references=tuple(sorted(references)), deriver=self._parsed(deriver) if deriver else None
        )

    def _path(self) -> StorePath:
        return self._parsed(self._stream.text(longest=_LONGEST_PATH, what="a path"))

    def _parsed(self, text: bytes) -> StorePath:
        return parse_store_path(text.decode(errors="replace"), directory=self._directory)
