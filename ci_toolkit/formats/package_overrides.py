r"""What makepkg sees of a package function when it prints `.SRCINFO`: lines that begin like `depends=(`.

makepkg does not run the function: it prints it with `declare -f`, takes every line that begins with the name of a
field, and evaluates that line alone (util/pkgbuild.sh, extract_function_variable). Hence conditions do not matter to
it, and a line of a heredoc may count. Here only plain statements are taken; where anything else looks as if it might
become such a line, nothing is known at all, as what else is on the line is run, too, and before anything is printed.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal, NamedTuple

from ci_toolkit.formats.bash_effects import descendants, refuse_computing, set_by_default
from ci_toolkit.formats.bash_words import LostTrackError
from ci_toolkit.formats.pkgbuild_schema import ARCH_LISTS, LISTS, PACKAGE_SCALARS, SCALARS, is_package_name
from ci_toolkit.formats.pkgbuild_script import SourceText, read_assignments

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tree_sitter import Node

    from ci_toolkit.formats.bash_scope import Written

_NAMES = rf"(?:{'|'.join((*SCALARS, *LISTS))})|(?:{'|'.join(ARCH_LISTS)})_[A-Za-z0-9_]+"
_LOOKS_SO = re.compile(rf"(?:^|[;{{()|&!]|\b(?:then|do|else|in))[ \t]*(?P<name>{_NAMES})\+?=", re.MULTILINE)
_BLOCKS = frozenset({"do_group", "if_statement", "elif_clause", "else_clause", "case_item"})


class Override(NamedTuple):
    """A field that a package function sets; `is_direct` False: in a condition or a loop, which is no certain line."""

    name: str
    operator: Literal["=", "+="]
    written: Written
    is_direct: bool


def read_overrides(function: Node) -> tuple[Override, ...]:
    """The fields a function sets, in order; LostTrackError when it may set others or do more."""
    source = SourceText(function.text or b"")
    body = function.child_by_field_name("body")
    statements = body.children if body is not None and body.type == "compound_statement" else []
    found: dict[int, Override] = {}
    for node in statements:
        start = source.characters(node.start_byte - function.start_byte)
        override = _override(source.text, start, is_direct=True)
        if override is not None:
            found[start] = override
    if _others(source.text, found):
        # Walking through a whole function takes time, and few need it.
        _read_blocks(function, source, found)
        text = _without_comments(function, source)
        for name in _others(text, found):
            raise LostTrackError(f"{name} is set in a package function in an unusual way")
    return tuple(found[start] for start in sorted(found))


def _others(text: str, found: Mapping[int, Override]) -> list[str]:
    """Names that may begin a line of the function and are none of those found."""
    matches = list(_LOOKS_SO.finditer(text))
    if len(_LOOKS_SO.findall(text.replace("\\\n", ""))) > len(matches):
        return ["a field"]
    return [match["name"] for match in matches if match.start("name") not in found]


def _read_blocks(function: Node, source: SourceText, found: dict[int, Override]) -> None:
    """Take up the statements in conditions and loops."""
    for block in descendants(function):
        for node in block.children if block.type in _BLOCKS else ():
            start = source.characters(node.start_byte - function.start_byte)
            if node.type == "variable_assignment" and start not in found:
                override = _override(source.text, start, is_direct=False)
                if override is not None:
                    found[start] = override


def _override(text: str, start: int, *, is_direct: bool) -> Override | None:
    """The field that the statement at `start` sets, when it is nothing but that."""
    assignments, end = read_assignments(text, start)
    if len(assignments) != 1:
        return None
    name, operator, written = assignments[0]
    if not is_package_name(name):
        return None
    refuse_computing(text[start:end])
    if set_by_default(text[start:end]):
        raise LostTrackError("a package function sets a default")
    raw = text[start:end]
    is_list = name not in PACKAGE_SCALARS
    if written.is_array != is_list or written.words == ("",):
        return None
    if "$'" in raw or raw.endswith("\\ ") or any("\n" in word for word in written.words):
        return None
    return Override(name, operator, written, is_direct)


def _without_comments(function: Node, source: SourceText) -> str:
    pieces: list[str] = []
    end = 0
    for comment in descendants(function):
        if comment.type == "comment":
            start, after = (
                source.characters(it - function.start_byte) for it in (comment.start_byte, comment.end_byte)
            )
            pieces += [source.text[end:start], " " * (after - start)]
            end = after
    return "".join(pieces) + source.text[end:]
