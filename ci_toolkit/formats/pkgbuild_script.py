r"""A PKGBUILD followed from top to bottom as far as that goes without running anything.

Assignments are evaluated; after anything else, what it may have set is unknown; where it may have set anything,
the whole is. tree-sitter says where statements are, assignments are read by rules of our own (module bash_words), so
that `a=$b.$c`, which tree-sitter takes for a command, is what bash makes of it.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, NamedTuple, cast

import tree_sitter_bash
from tree_sitter import Language, Parser

from ci_toolkit.formats.bash_effects import effects_of, refuse_computing, refuse_special, set_by_default
from ci_toolkit.formats.bash_scope import Scope, Variable, Written, read_value
from ci_toolkit.formats.bash_words import LostTrackError, UnknownValueError
from ci_toolkit.formats.pkgbuild_schema import SCHEMA_NAMES, is_schema_name

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tree_sitter import Node

_BASH = Language(tree_sitter_bash.language())
_LARGEST = 1 << 20
_ASSIGNMENT = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(\+?=)")
_BLANKS = re.compile(r"(?:[ \t]|\\\n)*")
_END = re.compile(r"(?:[ \t]|\\\n)*(?:\n|;(?!;)|\Z|(?<=[ \t])#)")
_OWN_FUNCTION = re.compile(r"build|prepare|check|verify|pkgver|package(?:_[A-Za-z0-9@._+-]+)?|_[A-Za-z0-9@._+-]*")
# What bash and tree-sitter-bash 0.25 were seen to read in different ways, which may hide a statement from us.
_ODD_TEXT = re.compile(
    r"[\x01-\x08\x0b-\x1f\x7f]|"  # blanks for one of them
    r"[\u0085\u00a0\u1680\u2000-\u200b\u2028\u2029\u202f\u205f\u3000\ufeff]|"
    r"[^ \t\n;&|(]\\\n#|\)#|"  # a comment for one of them
    r"\$'(?:[^'\\]|\\[^'\\])*\\['\\]"  # the end of a text
)
_ODD_STATEMENT = re.compile(r"\$\{(?:(?!\$\{)[^}])*['\"]|`[^`]*['\"#\\]")  # the end of an expansion, of a command
_BEFORE_COMMENT = (*" \t\n;&|", "")
_HEREDOC = re.compile(r"(?<!<)<<(?!<)")
_PLAIN_HEREDOC = re.compile(r"<<-?[ \t]*(?:'[A-Za-z_]\w*'|\"[A-Za-z_]\w*\"|[A-Za-z_]\w*)[ \t]*(?=[\n|;&>)<]|\d?>|\Z)")


class Assignment(NamedTuple):
    """`name=value` or `name+=value`, with the value as it is written."""

    name: str
    operator: Literal["=", "+="]
    written: Written


@dataclass(kw_only=True)
class PkgbuildScript:
    """What a PKGBUILD has set at its end, and its package functions by name."""

    scope: Scope
    functions: dict[str, Node] = field(default_factory=dict)
    sticky: set[str] = field(default_factory=set)


class SourceText:
    """The text of a script with places in it told in bytes, as tree-sitter does, or in characters."""

    def __init__(self, data: bytes) -> None:
        self.text = data.decode()
        # Where the bytes are that begin no character.
        self._further = [] if data.isascii() else [place for place, byte in enumerate(data) if byte & 0xC0 == 0x80]

    def characters(self, position: int) -> int:
        """The place in characters of one in bytes."""
        return position - bisect_left(self._further, position)


def follow(data: bytes) -> PkgbuildScript:
    """The state after the last line; LostTrackError with the reason when there is no telling at all."""
    source = _readable(data)
    script = PkgbuildScript(scope=Scope(variables={name: Variable() for name in SCHEMA_NAMES}))
    root = Parser(_BASH).parse(data).root_node
    if root.type != "program":
        raise LostTrackError("its syntax cannot be read")
    end = 0
    for node in root.children:
        start = source.characters(node.start_byte)
        if start < end:
            if source.characters(node.end_byte) > end:
                raise LostTrackError("statements cannot be told apart")
            continue
        end = _follow_statement(script, node, source, start)
    return script


def _readable(data: bytes) -> SourceText:
    if len(data) > _LARGEST:
        raise LostTrackError("it is too long")
    if b"\0" in data or b"\r" in data or data.startswith(b"\xef\xbb\xbf"):
        raise LostTrackError("it has bytes that bash reads in its own way")
    try:
        source = SourceText(data)
    except UnicodeDecodeError as error:
        raise LostTrackError("it is not UTF-8") from error
    if _ODD_TEXT.search(source.text):
        raise LostTrackError("it has text that bash reads in its own way")
    return source


def _follow_statement(script: PkgbuildScript, node: Node, source: SourceText, start: int) -> int:
    """Take up one statement; what comes before the place handed back is done with."""
    if node.type == "comment" and source.text[max(start - 1, 0) : start] not in _BEFORE_COMMENT:
        raise LostTrackError("a comment begins in the middle of a word")
    if node.type in ("comment", ";", "&", "\n"):
        return start
    if node.type == "function_definition" and not node.has_error:
        _take_function(script, node)
        return start
    assignments, end = read_assignments(source.text, start)
    if assignments and end >= source.characters(node.end_byte):
        refuse_computing(source.text[start:end])
        defaults = set_by_default(source.text[start:end])
        _forget_all(script, defaults)
        _assign_all(script, assignments)
        _forget_all(script, defaults)
        return end
    if node.has_error or not node.is_named or _is_odd(node):
        raise LostTrackError("its syntax cannot be read")
    effects = effects_of(node)
    _forget_all(script, effects.names | effects.for_good)
    script.sticky |= effects.for_good
    return start


def _forget_all(script: PkgbuildScript, names: Iterable[str]) -> None:
    for name in names:
        refuse_special(name)
        script.scope.forget(name, "it is set under a condition or by a command")


def _assign_all(script: PkgbuildScript, assignments: list[Assignment]) -> None:
    for name, operator, written in assignments:
        refuse_special(name)
        if name in script.sticky:
            script.scope.forget(name, "it is declared in a special way")
        else:
            if name not in script.scope.variables and is_schema_name(name):
                script.scope.variables[name] = Variable()
            script.scope.assign(name, operator, written)


def _take_function(script: PkgbuildScript, node: Node) -> None:
    name_node = node.child_by_field_name("name")
    name = (name_node.text or b"").decode() if name_node else ""
    if not _OWN_FUNCTION.fullmatch(name):
        raise LostTrackError(f"the function {name[:40]} may take the place of something that makepkg uses")
    if name in script.functions:
        raise LostTrackError(f"the function {name[:40]} is defined twice")
    if _is_odd(node):
        raise LostTrackError("its syntax cannot be read")
    script.functions[name] = node


def _is_odd(node: Node) -> bool:
    """Whether a heredoc, an expansion or a command in it may end elsewhere in bash's eyes than in tree-sitter's."""
    text = (node.text or b"").decode()
    if _ODD_STATEMENT.search(text):
        return True
    return any(not _PLAIN_HEREDOC.match(text, match.start()) for match in _HEREDOC.finditer(text))


def read_assignments(text: str, start: int) -> tuple[list[Assignment], int]:
    """The assignments that make up the statement at `start`, and its end; none if it is, or may be, anything else."""
    found: list[Assignment] = []
    position = start
    try:
        while match := _ASSIGNMENT.match(text, position):
            written = read_value(text, match.end())
            found.append(Assignment(match[1], cast("Literal['=', '+=']", match[2]), written))
            if _END.match(text, written.end):
                return found, written.end
            blanks = _BLANKS.match(text, written.end)
            position = blanks.end() if blanks else written.end
            if position == written.end:
                break
    except UnknownValueError:
        pass
    return [], start
