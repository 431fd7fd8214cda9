"""A package folder as one piece of bytes, for keeping until it is built.

zstd of: a line of JSON, `[[path, mode, size], …]` sorted by path, and the contents in that order, with nothing between.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import zstandard

from ci_toolkit.errors import FormatError
from ci_toolkit.model.observation import UpstreamFile

if TYPE_CHECKING:
    from collections.abc import Mapping


def format_folder(files: Mapping[str, UpstreamFile]) -> bytes:
    """The packed form; the same for the same files."""
    listed = sorted(files.items())
    head = json.dumps([[path, file.mode, len(file.content)] for path, file in listed]).encode() + b"\n"
    return zstandard.compress(head + b"".join(file.content for _, file in listed))


def parse_folder(packed: bytes) -> dict[str, UpstreamFile]:
    """The files; FormatError for what `format_folder` did not write."""
    try:
        head, _, contents = zstandard.decompress(packed).partition(b"\n")
        files, position = {}, 0
        for path, mode, size in json.loads(head):
            files[path] = UpstreamFile(mode=mode, content=contents[position : position + size])
            position += size
    except (zstandard.ZstdError, ValueError, TypeError) as error:
        raise FormatError("is damaged", key="a package folder that was to be built") from error
    if position != len(contents):
        raise FormatError("is damaged", key="a package folder that was to be built")
    return files
