"""What a change brings that was nowhere in the package before: hosts, commands, and other checksums."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import tree_sitter_bash
from tree_sitter import Language, Parser

from ci_toolkit.errors import FormatError
from ci_toolkit.formats.pkgbuild import Pkgbuild

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from tree_sitter import Node

    from ci_toolkit.model.observation import UpstreamFile

_BASH = Language(tree_sitter_bash.language())
_LARGEST_BYTES = 1 << 20
# What an enemy writes takes the parser a time that grows with the square of its length.
_LARGEST_SHELL_BYTES = 96 << 10
_LONGEST_NAME = 200
_URL = re.compile(r"(?<![A-Za-z0-9+.-])[A-Za-z][A-Za-z0-9+.-]*://(?:[^\s/@'\"<>()]*@)?(?P<host>[^\s/'\"<>()\\?#`;|]+)")
_SHELL = re.compile(r"(?:.*/)?PKGBUILD|.*\.install|.*\.(?:ba)?sh")


@dataclass(frozen=True, slots=True, kw_only=True)
class ChecksumChange:
    """One array of checksums before and after; None: there is none, or only bash can tell what is in it."""

    array: str
    old: tuple[str, ...] | None
    new: tuple[str, ...] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """New things by name, each with the file it is in, as text of strangers; in order of files and lines."""

    hosts: tuple[tuple[str, str], ...] = ()
    commands: tuple[tuple[str, str], ...] = ()
    checksums: tuple[ChecksumChange, ...] = ()


def facts_of(old: Mapping[str, UpstreamFile], new: Mapping[str, UpstreamFile]) -> Facts:
    """What is in `new` and not in `old`. Comments of shell files and files that are no text do not count."""
    return Facts(
        hosts=_fresh(old, new, _hosts),
        commands=_fresh(old, new, _commands),
        checksums=tuple(_checksum_changes(old.get("PKGBUILD"), new.get("PKGBUILD"))),
    )


def _fresh(
    old: Mapping[str, UpstreamFile], new: Mapping[str, UpstreamFile], find: Callable[[str, UpstreamFile], list[str]]
) -> tuple[tuple[str, str], ...]:
    """What `find` finds in `new` alone, each with the first file it is in."""
    known = {name for path, file in old.items() for name in find(path, file)}
    found: dict[str, str] = {}
    for path, file in new.items():
        for name in find(path, file):
            found.setdefault(name, path)
    return tuple((name, path) for name, path in found.items() if name not in known)


def _hosts(path: str, file: UpstreamFile) -> list[str]:
    text = _text(path, file)
    return list(dict.fromkeys(match["host"].rstrip(".,:").lower()[:_LONGEST_NAME] for match in _URL.finditer(text)))


def _text(path: str, file: UpstreamFile) -> str:
    """A file's text without comments; empty where it is no text, or `.SRCINFO`, which is compared elsewhere."""
    if path == ".SRCINFO" or len(file.content) > _LARGEST_BYTES or b"\0" in file.content:
        return ""
    content = bytearray(file.content)
    if _is_shell(path) and len(file.content) <= _LARGEST_SHELL_BYTES:
        for node in _nodes(file.content):
            if node.type == "comment":
                content[node.start_byte : node.end_byte] = b" " * (node.end_byte - node.start_byte)
    return content.decode(errors="surrogateescape")


def _commands(path: str, file: UpstreamFile) -> list[str]:
    if not _is_shell(path):
        return []
    if len(file.content) > _LARGEST_SHELL_BYTES:
        return [f"(not looked for in {len(file.content):,} bytes)"]
    names = [node for node in _nodes(file.content) if node.type == "command_name"]
    texts = (file.content[node.start_byte : node.end_byte].decode(errors="surrogateescape") for node in names)
    return list(dict.fromkeys(text[:_LONGEST_NAME] for text in texts))


def _is_shell(path: str) -> bool:
    return _SHELL.fullmatch(path) is not None


def _nodes(content: bytes) -> Iterator[Node]:
    """Every node of the syntax tree, in the order of the text; without recursion, for trees of any depth."""
    stack = [Parser(_BASH).parse(content).root_node]
    while stack:
        node = stack.pop()
        yield node
        stack += reversed(node.children)


def _checksum_changes(old: UpstreamFile | None, new: UpstreamFile | None) -> Iterator[ChecksumChange]:
    before, after = _sums(old), _sums(new)
    for array in dict.fromkeys((*before, *after)):
        if old is not None and (before.get(array) != after.get(array) or array not in before or array not in after):
            yield ChecksumChange(array=array, old=before.get(array), new=after.get(array))


def _sums(file: UpstreamFile | None) -> dict[str, tuple[str, ...] | None]:
    try:
        pkgbuild = Pkgbuild.parse(file.content if file else b"")
    except FormatError:
        return {}
    return {name: pkgbuild.literals(name) for name in pkgbuild.sum_arrays()}
