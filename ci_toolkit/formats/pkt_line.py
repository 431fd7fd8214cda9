"""git's pkt-line framing and the `ls-refs` command of protocol version 2 (source: git's gitprotocol-v2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ci_toolkit.errors import FormatError
from ci_toolkit.model.names import Oid, is_oid

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_FLUSH = b"0000"
_DELIMITER = b"0001"
_AGENT = b"agent=ci-toolkit\n"


def encode_line(content: bytes) -> bytes:
    """One line with its four-digit length in front."""
    return f"{len(content) + 4:04x}".encode() + content


def encode_ls_refs(prefixes: Iterable[str]) -> bytes:
    """A request for the refs whose names start with one of `prefixes` (`HEAD`, `refs/heads/x`)."""
    arguments = b"".join(encode_line(f"ref-prefix {prefix}\n".encode()) for prefix in prefixes)
    return encode_line(b"command=ls-refs\n") + encode_line(_AGENT) + _DELIMITER + arguments + _FLUSH


def decode_lines(content: bytes) -> Iterator[bytes]:
    """The lines up to the first flush; FormatError when the framing is broken or the flush is missing."""
    position = 0
    while True:
        prefix = content[position : position + 4]
        if prefix == _FLUSH:
            return
        try:
            length = int(prefix, 16)
        except ValueError as error:
            raise FormatError("the answer is not in git's protocol", got=repr(content[:40])) from error
        if length < 4 or len(prefix) < 4 or position + length > len(content):
            raise FormatError("the answer in git's protocol ends in the middle")
        yield content[position + 4 : position + length].rstrip(b"\n")
        position += length


def decode_refs(content: bytes) -> dict[str, Oid]:
    """The answer to `ls-refs`: name to commit; FormatError when it is anything else."""
    refs: dict[str, Oid] = {}
    for line in decode_lines(content):
        words = line.decode("utf-8", "replace").split(" ")
        if words[0] == "ERR":
            raise FormatError("the git server refuses", got=" ".join(words[1:]))
        if words[0] == "unborn":
            continue
        if len(words) < 2 or not is_oid(words[0]):
            raise FormatError("the answer is no list of refs", got=line.decode("utf-8", "replace"))
        refs[words[1]] = Oid(words[0])
    return refs
