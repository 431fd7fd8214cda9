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


def encode_ls_refs(prefixes: Iterable[str], *, peel: bool = False) -> bytes:
    """A request for the refs whose names start with one of `prefixes` (`HEAD`, `refs/heads/x`, `refs/tags/`).

    With `peel` the answer also says which commits annotated tags stand for.
    """
    arguments = encode_line(b"peel\n") if peel else b""
    arguments += b"".join(encode_line(f"ref-prefix {prefix}\n".encode()) for prefix in prefixes)
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
    """The answer to `ls-refs`: name to object; FormatError when it is anything else."""
    return {name: oid for oid, name, _ in _rows(content)}


def decode_peeled_refs(content: bytes) -> dict[str, Oid]:
    """The answer to `ls-refs` with `peel`: name to commit, that behind an annotated tag; FormatError as above."""
    return {name: _peeled(attributes) or oid for oid, name, attributes in _rows(content)}


def _rows(content: bytes) -> Iterator[tuple[Oid, str, list[str]]]:
    """Object, name and attributes (`peeled:<oid>`, `symref-target:<name>`) of each ref."""
    for line in decode_lines(content):
        words = line.decode("utf-8", "replace").split(" ")
        if words[0] == "ERR":
            raise FormatError("the git server refuses", got=" ".join(words[1:]))
        if words[0] == "unborn":
            continue
        if len(words) < 2 or not is_oid(words[0]):
            raise FormatError("the answer is no list of refs", got=line.decode("utf-8", "replace"))
        yield Oid(words[0]), words[1], words[2:]


def _peeled(attributes: Iterable[str]) -> Oid | None:
    for attribute in attributes:
        kind, _, value = attribute.partition(":")
        if kind == "peeled":
            if not is_oid(value):
                raise FormatError("the answer peels a tag to no object", got=attribute)
            return Oid(value)
    return None
