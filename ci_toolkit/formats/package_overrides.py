r"""What makepkg sees of a package function when it prints `.SRCINFO`: lines that begin like `depends=(`.

makepkg does not run the function: it prints it with `declare -f`, takes every line that begins with the name of a
field, and evaluates that line alone (util/pkgbuild.sh, extract_function_variable). Hence conditions do not matter to
it, and a line of a heredoc may count. Here only plain statements are taken; where anything else looks as if it might
become such a line, nothing is known about the packages.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal, NamedTuple

from ci_toolkit.formats.bash_effects import descendants, refuse_computing, set_by_default
from ci_toolkit.formats.bash_words import LostTrackError, UnknownValueError
from ci_toolkit.formats.pkgbuild_schema import ARCH_LISTS, LISTS, PACKAGE_SCALARS, SCALARS, is_package_name
from ci_toolkit.formats.pkgbuild_script import SourceText, read_assignments

if TYPE_CHECKING:
    from tree_sitter import Node

    from ci_toolkit.formats.bash_scope import Written

_NAMES = rf"(?:{'|'.join((*SCALARS, *LISTS))})|(?:{'|'.join(ARCH_LISTS)})_[A-Za-z0-9_]+"
_LOOKS_SO = re.compile(rf"(?:^|[;{{()|&!]|\b(?:then|do|else|in))(?:[ \t]|\\\n)*(?P<name>{_NAMES})\+?=", re.MULTILINE)
_LINE_IN_TWO = re.compile(r"\\\n")


class Override(NamedTuple):
    """A field that a package function sets."""

    name: str
    operator: Literal["=", "+="]
    written: Written


def read_overrides(function: Node) -> tuple[Override, ...]:
    """The fields a function sets, in order; UnknownValueError when it may set others or do more."""
    source = SourceText(function.text or b"")
    body = function.child_by_field_name("body")
    direct = list(body.children) if body is not None and body.type == "compound_statement" else []
    found: list[Override] = []
    taken: set[int] = set()
    for node in direct:
        start = source.characters(node.start_byte - function.start_byte)
        override = _override(source.text, start)
        if override is not None:
            found.append(override)
            taken.add(start)
    _refuse_others(function, source, taken)
    return tuple(found)


def _override(text: str, start: int) -> Override | None:
    """The field that the statement at `start` sets, when it is nothing but that."""
    assignments, end = read_assignments(text, start)
    if len(assignments) != 1:
        return None
    name, operator, written = assignments[0]
    if not is_package_name(name) or written is None:
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
    return Override(name, operator, written)


def _refuse_others(function: Node, source: SourceText, taken: set[int]) -> None:
    text = _without_comments(function, source)
    if len(_LOOKS_SO.findall(_LINE_IN_TWO.sub("", text))) > len(_LOOKS_SO.findall(text)):
        raise UnknownValueError("a name goes on behind the end of a line")
    for match in _LOOKS_SO.finditer(text):
        if match.start("name") not in taken:
            raise UnknownValueError(f"{match['name']} is set in a package function in an unusual way")


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
