"""A script as its top-level statements, and every statement as the canonical list of what it consists of.

Comments and layout are dropped, everything else is kept to the byte, quotes and heredocs included. Nothing is run.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal, NamedTuple

import tree_sitter_bash
from tree_sitter import Language, Parser

from ci_toolkit.errors import FormatError
from ci_toolkit.formats.bash_settings import Script, Setting, line_of, read_settings
from ci_toolkit.formats.bash_tokens import Token, read_words

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tree_sitter import Node

LARGEST_SCRIPT_BYTES = 1 << 20
MOST_STATEMENTS = 4_000
_DEEPEST = 200
_LONGEST_WORD = 4_096

_BASH = Language(tree_sitter_bash.language())
_LAYOUT = frozenset({";", "\n", "comment"})
_WHOLE = frozenset({
    *("word", "string", "raw_string", "ansi_c_string", "translated_string", "concatenation", "simple_expansion"),
    *("expansion", "command_substitution", "process_substitution", "arithmetic_expansion", "heredoc_body"),
    *("heredoc_start", "heredoc_end", "regex", "extglob_pattern", "test_operator", "number", "brace_expression"),
    *("subscript", "variable_name", "file_descriptor"),
})  # fmt: skip
_BLANKS = re.compile(rb"(?:[ \t\n]|\\\n)*")
_QUOTING = re.compile(rb"\\(.)|\$?['\"]|\$(?=['\"])", re.DOTALL)

Kind = Literal["assignment", "function", "other"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Statement:
    """One direct child of a script; `setting` is there for a plain assignment, `name` for that and for functions."""

    kind: Kind
    name: str
    node: Node
    data: bytes
    setting: Setting | None = None

    @property
    def start(self) -> int:
        """Its first byte."""
        return self.node.start_byte

    @property
    def end(self) -> int:
        """The byte behind its last."""
        return self.node.end_byte

    @cached_property
    def raw(self) -> bytes:
        """Its bytes."""
        return self.data[self.start : self.end]

    @property
    def text(self) -> str:
        """Its bytes, for people."""
        return self.raw.decode(errors="replace")

    @property
    def line(self) -> int:
        """Where it begins."""
        return self.node.start_point[0] + 1

    @cached_property
    def tokens(self) -> tuple[bytes, ...]:
        """What it consists of, with its structure but without layout and comments."""
        return tuple(_tokens(self.node, self.data))

    def equals(self, other: Statement) -> bool:
        """Whether both are the same to bash as far as tree-sitter can see."""
        return self.raw == other.raw or self.tokens == other.tokens


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadScript:
    """A script that both readers understand."""

    data: bytes
    root: Node
    statements: tuple[Statement, ...]
    settings: Script
    words: tuple[Token, ...]


class Piece(NamedTuple):
    """A part of a statement that matters on its own: a command with its words, a redirection, an expansion."""

    kind: Literal["command", "redirection", "expansion", "heredoc"]
    line: int
    end_line: int
    text: str


def read_script(data: bytes) -> ReadScript:
    """The statements of a script; FormatError when it is too large or not understood in every part."""
    _refuse_large(data)
    words = read_words(data)
    root = read_tree(data)
    settings = read_settings(data)
    plain = {setting.start: setting for setting in settings.settings if not setting.doubt}
    statements = tuple(_statement(child, data, plain) for child in root.children if child.type not in _LAYOUT)
    return ReadScript(data=data, root=root, statements=statements, settings=settings, words=words)


def read_tree(data: bytes) -> Node:
    """A script as tree-sitter sees it, which is not always as bash does; FormatError as for `read_script`."""
    _refuse_large(data)
    root = Parser(_BASH).parse(data).root_node
    if root.type != "program" or root.has_error:
        raise FormatError("has syntax that cannot be read", line=_broken_line(root))
    if root.child_count > MOST_STATEMENTS or _is_deep(root):
        raise FormatError("is nested too deeply or has too many statements")
    return root


def pieces_of(node: Node, data: bytes) -> list[Piece]:
    """The commands, redirections, expansions and heredocs in and below a node, in order."""
    found = []
    for inner in _descendants(node):
        line, end_line = inner.start_point[0] + 1, inner.end_point[0] + 1
        match inner.type:
            case "command" | "declaration_command" | "unset_command" | "test_command":
                found.append(Piece("command", line, end_line, command_text(inner, data)))
            case "file_redirect" | "herestring_redirect":
                found.append(Piece("redirection", line, end_line, _plain(data[inner.start_byte : inner.end_byte])))
            case "command_substitution" | "process_substitution" | "expansion" | "arithmetic_expansion":
                found.append(Piece("expansion", line, end_line, _plain(data[inner.start_byte : inner.end_byte])))
            case "heredoc_body":
                text = data[inner.start_byte : inner.end_byte].decode(errors="replace")
                found.append(Piece("heredoc", line, end_line, text))
    return found


def line_at(data: bytes, position: int) -> int:
    """The line, from 1, of a byte."""
    return line_of(data, position)


def _refuse_large(data: bytes) -> None:
    if len(data) > LARGEST_SCRIPT_BYTES:
        raise FormatError(f"is larger than {LARGEST_SCRIPT_BYTES >> 20} MiB")


def _statement(node: Node, data: bytes, plain: dict[int, Setting]) -> Statement:
    if node.type == "variable_assignment" and node.start_byte in plain:
        setting = plain[node.start_byte]
        return Statement(kind="assignment", name=setting.name, node=node, data=data, setting=setting)
    if node.type == "function_definition":
        name = node.child_by_field_name("name")
        text = (name.text or b"").decode(errors="replace") if name else ""
        return Statement(kind="function", name=text, node=node, data=data)
    return Statement(kind="other", name="", node=node, data=data)


def _tokens(node: Node, data: bytes) -> Iterator[bytes]:
    """Leaves and whole words in order; what brackets them is told by the type of their parent."""
    position = node.start_byte
    stack: list[Node | bytes] = [node]
    while stack:
        item = stack.pop()
        if isinstance(item, bytes):
            yield item
            continue
        gap = data[position : item.start_byte]
        if not _BLANKS.fullmatch(gap):
            yield gap
        is_leaf = item.type in _WHOLE or item.child_count == 0
        if is_leaf:
            if item.type not in _LAYOUT:
                yield data[item.start_byte : item.end_byte]
            position = max(position, item.end_byte)
            continue
        yield b"\0" + item.type.encode()
        stack.append(b"\0end")
        stack.extend(reversed(item.children))
        position = max(position, item.start_byte)


def _descendants(node: Node) -> Iterator[Node]:
    stack = [node]
    while stack:
        inner = stack.pop()
        yield inner
        stack.extend(reversed(inner.children))


def _is_deep(root: Node) -> bool:
    depth = 0
    cursor = root.walk()
    while True:
        if depth > _DEEPEST:
            return True
        if cursor.goto_first_child():
            depth += 1
            continue
        while not cursor.goto_next_sibling():
            if not cursor.goto_parent():
                return False
            depth -= 1


def _broken_line(root: Node) -> int | None:
    broken = next((node for node in _descendants(root) if node.is_error or node.is_missing), None)
    return None if broken is None else broken.start_point[0] + 1


def command_text(command: Node, data: bytes) -> str:
    """A command's words with quotes taken off, one blank between: how bash will see what is literal in it."""
    ends = ((child.start_byte, child.end_byte) for child in command.children if child.type not in _LAYOUT)
    words = (data[start : min(end, start + _LONGEST_WORD)] for start, end in ends)
    return " ".join(map(_plain, words))


def _plain(word: bytes) -> str:
    return _QUOTING.sub(lambda found: b"" if found[1] in (None, b"\n") else found[1], word).decode(errors="replace")
