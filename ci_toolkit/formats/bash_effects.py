r"""What a piece of script may set, told from its text alone and rather too much than too little.

Meant for what is not evaluated: conditions, loops, commands. Either these are names, after which each may be anything,
or it can be anything at all: LostTrackError. What a subshell sets stays in it and must be blanked out before.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ci_toolkit.formats.bash_words import LostTrackError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tree_sitter import Node

# None of these looks far ahead from many places: a hostile file must not make them slow.
_COMPUTES = re.compile(
    r"\$?\(\(|\$\[|"  # arithmetic, in which a variable's text is run as an expression
    r"\$\{!|\$\{[A-Za-z_]\w*(?:\[[^]${}]*\])?@|"  # variables named by variables
    r"\$\{[A-Za-z_]\w*\[[^]${}]*\]:?=|"  # ${x[0]:=1}; ${x:?} may end all, and then nothing is printed
    r"\$\{#?[A-Za-z_]\w*\[(?!(?:@|\*|[0-9]+)\])|"  # ${x[i]}
    r"\$\{[A-Za-z_]\w*(?:\[[^]${}]*\])?:(?![-+=?])(?![0-9: -]*\})|"  # ${x:i}
    r"\{[A-Za-z_]\w*\}[<>]"  # {fd}>file
)
_COMPARES = re.compile(r"[ \t]-(?:eq|ne|lt|le|gt|ge)[ \t]")
_TESTS_VARIABLE = re.compile(r"[ \t]['\"]?-(?:v|R)\b")
_INDEXED = re.compile(r"(?<![\w$])[A-Za-z_]\w*\[(?![0-9]+\])")
_DEFAULTS = re.compile(r"\$\{([A-Za-z_]\w*):?=")
_SETS = re.compile(r"(?<![\w$])([A-Za-z_]\w*)(?:\[[0-9]*\])?\+?=|\b(?:for|select)[ \t]+([A-Za-z_]\w*)")
_BREAKS = re.compile(r"(?<=\w)\\\n(?=[\w=+\[])")
_SPECIAL = re.compile(
    r"IFS|PATH|GLOBIGNORE|POSIXLY_CORRECT|SHELLOPTS|LANG(?:UAGE)?|LIBRARY|PRINTSRCINFO|BUILDFILE|BUILDSCRIPT|RANDOM|"
    r"SRANDOM|SECONDS|LINENO|DIRSTACK|FUNCNAME|GROUPS|UID|EUID|PPID|HISTCMD|EPOCH\w*|PIPESTATUS|OPT\w+|TMPDIR|HOME|PWD|"
    r"(?:BASH|LC_|LD_|COMP_|GREP_)\w*|_|startdir|confdir|makepkg_version|known_hash_algos|build_options|"
    r"packaging_options|tidy_(?:remove|modify)|(?:executable|lint_\w+|buildenv)_functions|pkgbuild_schema_\w+"
)
# `exit` is among them: where it is reached, nothing is printed.
_HARMLESS = frozenset({
    *(":", "true", "false", "test", "[", "echo", "printf", "cat", "sed", "grep", "cut", "tr", "date", "uname"),
    *("msg", "msg2", "warning", "plain", "error", "sleep", "exit"),
})  # fmt: skip
_TOUCHING_WORD = re.compile(r"[A-Za-z_]\w*")
_OPTION = re.compile(r"-[aAgrxlut]+")
_OWN_SHELL = frozenset({"subshell", "command_substitution", "process_substitution"})
_FORMAT = re.compile(r"['\"][^-$`]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Effects:
    """Names that may be anything afterwards; with those in `for_good` a later assignment is no better."""

    names: frozenset[str]
    for_good: frozenset[str]


def effects_of(node: Node) -> Effects:
    """What a statement may set; LostTrackError when that is anything."""
    text = blanked(node)
    refuse_computing(text)
    names = set(set_by_default(text))
    names |= {first or second for first, second in _SETS.findall(_BREAKS.sub("", text))}
    for_good: set[str] = set()
    for inner in descendants(node):
        match inner.type:
            case "command":
                _refuse_unknown_command(inner)
            case "declaration_command":
                for_good |= _declared(inner)
            case "unset_command":
                names |= _unset(inner)
            case "function_definition" | "ERROR":
                raise LostTrackError("a function is defined under a condition")
            case _:
                pass
    for name in names | for_good:
        refuse_special(name)
    return Effects(names=frozenset(names), for_good=frozenset(for_good))


def refuse_computing(text: str) -> None:
    """LostTrackError when the text, subshells blanked out, has an expansion that may set a variable."""
    compares = "[[" in text and _COMPARES.search(text)
    tests = ("[" in text or "test" in text) and _TESTS_VARIABLE.search(text)
    indexes = ("]=" in text or "]+=" in text) and _INDEXED.search(text)
    if _COMPUTES.search(text) or compares or tests or indexes:
        raise LostTrackError("something is computed, which may set anything")


def set_by_default(text: str) -> list[str]:
    """The names of all `${name:=value}`."""
    return _DEFAULTS.findall(text)


def refuse_special(name: str) -> None:
    """LostTrackError for a variable that changes how bash or makepkg works."""
    if _SPECIAL.fullmatch(name):
        raise LostTrackError(f"{name} is set, which means something to bash or makepkg")


def blanked(node: Node) -> str:
    """The text of a node, with blanks for what runs in a shell of its own, and for comments."""
    data = bytearray(node.text or b"")
    for inner in descendants(node):
        if inner.type in _OWN_SHELL or inner.type == "comment":
            start, end = inner.start_byte - node.start_byte, inner.end_byte - node.start_byte
            data[start:end] = b" " * (end - start)
    return data.decode()


def _refuse_unknown_command(node: Node) -> None:
    name = node.child_by_field_name("name")
    word = (name.text or b"").decode() if name else ""
    if word not in _HARMLESS:
        raise LostTrackError(f"{word[:40] or 'a command'} is run")
    if word == "printf" and not all(_FORMAT.match((child.text or b"").decode()) for child in node.named_children[1:2]):
        raise LostTrackError("printf may set a variable")


def _declared(node: Node) -> set[str]:
    """The names in `export a b=1` and its like, whose attributes change what later assignments mean."""
    names = set()
    for child in node.named_children:
        text = (child.text or b"").decode()
        if child.type == "variable_assignment":
            text = text.partition("=")[0].removesuffix("+")
        elif child.type in _OWN_SHELL or _OPTION.fullmatch(text):
            continue
        if not _TOUCHING_WORD.fullmatch(text):
            raise LostTrackError("variables are declared in an unusual way")
        names.add(text)
    return names


def _unset(node: Node) -> set[str]:
    words = [(child.text or b"").decode() for child in node.named_children]
    names = [word for word in words if word != "-v"]
    if any(not _TOUCHING_WORD.fullmatch(name) or name.startswith("package") for name in names):
        raise LostTrackError("something is unset in an unusual way")
    return set(names)


def descendants(node: Node) -> Iterator[Node]:
    """A node and all below in order, but nothing inside of what runs in a shell of its own."""
    stack = [node]
    while stack:
        inner = stack.pop()
        yield inner
        if inner.type not in _OWN_SHELL:
            stack.extend(reversed(inner.children))
