"""Where a script uses a variable: a new value is harmless only where it can be nothing but a version or text."""

from __future__ import annotations

import re
from bisect import bisect_right
from typing import TYPE_CHECKING

from ci_toolkit.review.steps import is_version_name
from ci_toolkit.review.sums import is_sums

if TYPE_CHECKING:
    from tree_sitter import Node

    from ci_toolkit.review.commands import ReadScript, Statement

# What can only name, move or print things; none of these runs or fetches what it is given.
_HARMLESS_COMMANDS = frozenset({
    *("cd", "pushd", "popd", "install", "cp", "mv", "ln", "mkdir", "rm", "rmdir", "touch", "chmod", "cat"),
    *("echo", "test", "printf", "msg", "msg2", "warning", "[", "tar", "bsdtar", "unzip", "gzip", "gunzip", "ls"),
    *("patch", "sed", "cmake", "meson", "arch-meson", "make", "ninja", "./configure", "tee", "diff", "cmp"),
})  # fmt: skip
_INDIRECT = re.compile(
    rb"\$\{!|\$\{[^}]*@[A-Za-z]\}|(?<![\w-])(?:eval|declare|typeset|local|export|readonly)[ \t]+(?:-\w+[ \t]+)*-\w*n"
    rb"|(?<![\w-])(?:eval|envsubst|printenv|compgen)(?![\w-])|(?<![\w-])(?:ba|z|da)?sh[ \t]+-\w*c"
    rb"|(?:^|[;&|{(])[ \t]*(?:source|\.|set|env)[ \t\n]|\$0|(?<![\w-])declare[ \t]+-\w*p",
    re.MULTILINE,
)
_URL_ARRAYS = re.compile(r"source(?:_\w+)?|noextract|url|pkgver")
_NAMED_VERSIONS = re.compile(r"(?:provides|conflicts|replaces)(?:_\w+)?")
_MOST_USES = 200


def may_be_used_indirectly(script: ReadScript) -> bool:
    """Whether some part of the script could use any variable without naming it, or run its value."""
    return _INDIRECT.search(script.data) is not None


def is_expanded(script: ReadScript, name: str) -> bool:
    """Whether `$name`, `${name…}` or a subscript of it stands anywhere but in a comment."""
    pattern = re.compile(rb"\$\{?[!#]?" + name.encode() + rb"(?![A-Za-z0-9_])")
    return any(not _is_in_comment(script, match.start()) for match in pattern.finditer(script.data))


def risky_use(script: ReadScript, name: str, seen: frozenset[str] = frozenset()) -> int | None:
    """The byte of the first use of `name` that is more than a version in a source, path or message; None: none is."""
    if name in seen:
        return None
    pattern = re.compile(rb"(?<![A-Za-z0-9_])" + name.encode() + rb"(?![A-Za-z0-9_])")
    starts = [statement.start for statement in script.statements]
    for count, match in enumerate(pattern.finditer(script.data)):
        index = bisect_right(starts, match.start()) - 1
        statement = script.statements[index] if index >= 0 else None
        if statement is None or match.start() >= statement.end or _is_in_comment(script, match.start()):
            continue
        if statement.kind == "assignment" and match.start() == statement.start:
            continue
        if count > _MOST_USES or not _is_harmless(script, statement, match, seen | {name}):
            return match.start()
    return None


def _is_harmless(script: ReadScript, statement: Statement, use: re.Match[bytes], seen: frozenset[str]) -> bool:
    if statement.kind == "assignment":
        if _NAMED_VERSIONS.fullmatch(statement.name):
            return re.search(rb"=\$\{?\Z", script.data[statement.start : use.start()]) is not None
        if _URL_ARRAYS.fullmatch(statement.name) or is_sums(statement.name):
            return b"$(" not in statement.raw and b"`" not in statement.raw
        is_private = statement.name.startswith("_") or is_version_name(statement.name)
        is_plain = b"$(" not in statement.raw and b"`" not in statement.raw
        return is_private and is_plain and risky_use(script, statement.name, seen) is None
    return statement.kind == "function" and _is_harmless_argument(script.root, use.start(), use.end())


def _is_harmless_argument(root: Node, start: int, end: int) -> bool:
    """Whether a use in a function is an argument of harmless commands only, however deep."""
    node = root.descendant_for_byte_range(start, end)
    commands = 0
    while node is not None and node.type != "function_definition":
        if node.type == "command_name":
            return False
        if node.type == "variable_assignment" and _names_version(node, start):
            return True
        if node.type in ("for_statement", "variable_assignment", "declaration_command", "file_redirect"):
            return False
        if node.type == "command":
            name = node.child_by_field_name("name")
            if name is None or (name.text or b"").decode(errors="replace") not in _HARMLESS_COMMANDS:
                return False
            commands += 1
        if node.type in ("test_command", "case_statement"):
            commands += 1
        node = node.parent
    return commands > 0


def _names_version(assignment: Node, start: int) -> bool:
    """Whether a use is the version behind a `=` of `provides` and the like, as packages of a split package have it."""
    text = assignment.text or b""
    name = assignment.child_by_field_name("name")
    is_meant = name is not None and _NAMED_VERSIONS.fullmatch((name.text or b"").decode(errors="replace"))
    before = text[: start - assignment.start_byte]
    return bool(is_meant) and b"$(" not in text and b"`" not in text and re.search(rb"=\$\{?\Z", before) is not None


def _is_in_comment(script: ReadScript, position: int) -> bool:
    node = script.root.descendant_for_byte_range(position, position + 1)
    return node is not None and node.type == "comment"
