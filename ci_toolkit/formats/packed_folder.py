"""A package folder as one piece of bytes, for keeping until it is built.

zstd with a checksum of: a line of JSON, `[[path, mode, size], …]` sorted by path, and the contents in that order, with
nothing between.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import zstandard

from ci_toolkit.errors import FormatError
from ci_toolkit.model.observation import UpstreamFile

if TYPE_CHECKING:
    from collections.abc import Mapping

MOST_BYTES = 512 << 20
"""What a folder may have unpacked; a few bytes can say that they are as many as one likes."""


def format_folder(files: Mapping[str, UpstreamFile]) -> bytes:
    """The packed form; the same for the same files."""
    contents = (file.content for _, file in sorted(files.items()))
    return zstandard.ZstdCompressor(write_checksum=True).compress(_head(files) + b"\n" + b"".join(contents))


def parse_folder(packed: bytes) -> dict[str, UpstreamFile]:
    """The files; FormatError for what `format_folder` did not write."""
    if unpacked_bytes(packed) > MOST_BYTES:
        raise _damaged()
    try:
        unpacked = zstandard.ZstdDecompressor().decompress(packed, allow_extra_data=False)
        head, end, contents = unpacked.partition(b"\n")
        files, position = {}, 0
        for path, mode, size in json.loads(head):
            files[path] = UpstreamFile(mode=mode, content=contents[position : position + size])
            position += size
        is_text = all(isinstance(part, str) for path, file in files.items() for part in (path, file.mode))
        is_ours = is_text and bool(end) and position == len(contents) and _head(files) == head
    except (zstandard.ZstdError, ValueError, TypeError, RecursionError, MemoryError) as error:
        raise _damaged() from error
    if not is_ours:
        raise _damaged()
    return files


def unpacked_bytes(packed: bytes) -> int:
    """How much a packed folder says that it is unpacked, which is never exceeded; FormatError when it does not say."""
    try:
        size = zstandard.frame_content_size(packed)
    except zstandard.ZstdError as error:
        raise _damaged() from error
    if size < 0:
        raise _damaged()
    return size


def _head(files: Mapping[str, UpstreamFile]) -> bytes:
    return json.dumps([[path, file.mode, len(file.content)] for path, file in sorted(files.items())]).encode()


def _damaged() -> FormatError:
    return FormatError("is damaged", key="a package folder that was to be built")
