r"""What a bash script sets when it is read, found by syntax alone: nothing is ever run.

    pkgver=1.0                      plain: a direct child of the program, one literal or computed value, or an array
    pkgver+=.r1                     in doubt: what it means depends on something else; each says why
    export pkgver=1.0
    [[ $x ]] && pkgver=1.0
    build() { pkgver=1.0; }         passed over, unless the script itself calls build
    x=$(pkgver=1.0; echo)           passed over: a subshell keeps what it sets to itself

tree-sitter-bash is not bash. Observed on the 2,534 PKGBUILDs of the public repository: it reports errors for valid
lines such as `: ${archs=a;b}` and `${x//]/y}`, and reads `a=$b.$c` as a command `.$c` without any complaint. Hence:
what follows an error is in doubt, an assignment in front of a command counts as one, and a word only counts as literal
when the bytes around it end it in bash's eyes, too.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from sys import intern
from typing import TYPE_CHECKING, NamedTuple

import tree_sitter_bash
from tree_sitter import Language, Parser

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tree_sitter import Node

_BASH = Language(tree_sitter_bash.language())

APPENDED = "with `+=`"
"""The doubt about `name+=…` that is a direct child of the program."""

_STATEMENTS = frozenset({
    *("variable_assignment", "variable_assignments", "comment", "function_definition", "command", "unset_command"),
    *("declaration_command", "if_statement", "for_statement", "c_style_for_statement", "while_statement", "list"),
    *("case_statement", "compound_statement", "subshell", "pipeline", "test_command", "redirected_statement"),
    *("negated_command", ";", "&", "\n"),
})  # fmt: skip
_KEPT_APART = frozenset({"function_definition", "subshell", "command_substitution", "process_substitution"})
_DOUBTS = {
    "if_statement": "in an `if`",
    "case_statement": "in a `case`",
    "for_statement": "in a loop",
    "c_style_for_statement": "in a loop",
    "while_statement": "in a loop",
    "list": "in a list of commands",
    "compound_statement": "in a block",
    "command": "in a command",
    "unset_command": "by `unset`",
}
_ASSIGNING = frozenset({"=", "+=", "-=", "*=", "/=", "%=", "<<=", ">>=", "&=", "|=", "^="})
_SETTING_BUILTINS = {
    builtin: re.compile(pattern)
    for builtin, pattern in {
        "eval": rb"(?<![\w$])(?<!\$\{)([A-Za-z_]\w*)(?=[+\[=])",
        "let": rb"(?<![\w$])(?<!\$\{)([A-Za-z_]\w*)",
        "read": rb"(?<![\w$-])(?<!\$\{)([A-Za-z_]\w*)",
        "mapfile": rb"(?<![\w$-])(?<!\$\{)([A-Za-z_]\w*)",
        "readarray": rb"(?<![\w$-])(?<!\$\{)([A-Za-z_]\w*)",
        "printf": rb"-v[ \t]*['\"]?([A-Za-z_]\w*)",
    }.items()
}
_UNQUOTED = re.compile(rb"(?![#~])(?:[A-Za-z0-9._+/@%,#^~\x80-\xff-]|[:=](?!~))*")
_EXPANDS_IN_QUOTES = re.compile(rb"[\\$`\"]")
_BLANK_BETWEEN = re.compile(rb"(?:\\\r?\n)*[ \t\r\n](?:\\\r?\n|[ \t\r\n])*")
_BEFORE_STATEMENT = b" \t\n;"
_AFTER_STATEMENT = b" \t\r\n;"


class Span(NamedTuple):
    """Bytes `start` to `end` of a word that stand for themselves: no quotes and no expansions."""

    start: int
    end: int
    is_quoted: bool


class Word(NamedTuple):
    """One word: the value of a scalar or an element of an array, with its quotes in bytes `start` to `end`.

    `text` is its value when that is plain text in one piece (`1.0`, `'1.0'`, `"1.0"`), else None. `spans` is what there
    is of literal text, in order; `names` are the variables it is computed from.
    """

    start: int
    end: int
    text: str | None
    spans: tuple[Span, ...]
    names: tuple[str, ...]


class Setting(NamedTuple):
    """Something in bytes `start` to `end` that sets `name`; `doubt` says why it is no plain `name=…`, or is empty.

    Either `value` (scalar) or `elements` (array) is there for plain and appended ones; `value_end` closes either.
    """

    name: str
    start: int
    end: int
    doubt: str
    value: Word | None = None
    elements: tuple[Word, ...] | None = None
    value_start: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """The settings of a script, in order; those in functions that it calls come last.

    From byte `broken_from` on nothing is certain, as the syntax could not be read. What was set before byte
    `sourced_until` may be changed by another file that the script reads with `source`.
    """

    settings: tuple[Setting, ...]
    broken_from: int | None
    sourced_until: int


def read_settings(data: bytes) -> Script:
    """What the script with these bytes, UTF-8 without NUL, sets when it is read. Never fails: see `broken_from`."""
    root = Parser(_BASH).parse(data).root_node
    return _Reader(data).read(root)


def line_of(data: bytes, position: int) -> int:
    """The line, from 1, of a byte."""
    return data.count(b"\n", 0, position) + 1


class _Reader:
    """The settings, functions and calls that were seen so far."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.settings: list[Setting] = []
        self.functions: dict[bytes, list[Node]] = {}
        self.called: dict[bytes, None] = {}
        self.sourced_until = 0

    def read(self, root: Node) -> Script:
        for child in root.children:
            self._read_statement(child)
        self._read_called_functions()
        return Script(settings=tuple(self.settings), broken_from=_broken_from(root), sourced_until=self.sourced_until)

    def _read_statement(self, node: Node) -> None:
        direct = node.children if node.type == "variable_assignments" else [node]
        if node.type not in ("variable_assignment", "variable_assignments"):
            direct = []
        for assignment in direct:
            self.settings.append(self._direct(assignment))
        positions = {assignment.start_byte for assignment in direct}
        for inner in self._inside([node]):
            if inner.type != "variable_assignment" or inner.start_byte not in positions:
                self._note(inner, _doubt_of(node))

    def _direct(self, node: Node) -> Setting:
        name, operator, value = _parts(node)
        doubt = "" if operator.type == "=" else APPENDED
        if node.child(0) != name or not self._stands_alone(node):
            return _setting(name, node, "in an unusual way")
        if value is not None and value.start_byte != operator.end_byte:
            return _setting(name, node, "in an unusual way")
        if value is not None and value.type == "array":
            found = _setting(name, node, doubt)
            return found._replace(elements=self._elements(value), value_start=value.start_byte)
        word = Word(node.end_byte, node.end_byte, "", (), ()) if value is None else self._word(value)
        return _setting(name, node, doubt)._replace(value=word, value_start=word.start)

    def _stands_alone(self, node: Node) -> bool:
        """Whether bash, too, begins and ends a word here: tree-sitter takes form feeds and such for blanks."""
        before, after = self.data[: node.start_byte][-1:], self.data[node.end_byte : node.end_byte + 1]
        follower = node.next_sibling
        is_in_background = follower is not None and follower.type == "&"
        return before in _BEFORE_STATEMENT and after in _AFTER_STATEMENT and not is_in_background

    def _elements(self, array: Node) -> tuple[Word, ...]:
        words = [self._word(child) for child in array.named_children if child.type != "comment"]
        return tuple(words) if self._are_apart(array) else tuple(word._replace(text=None) for word in words)

    def _are_apart(self, array: Node) -> bool:
        """Whether only blanks and comments stand between the elements."""
        position, is_first = array.start_byte + 1, True
        for child in (*array.named_children, array.children[-1]):
            gap = self.data[position : child.start_byte]
            may_touch = is_first or child.type == ")"
            if not (_BLANK_BETWEEN.fullmatch(gap) or (may_touch and not gap)):
                return False
            position, is_first = child.end_byte, False
        return True

    def _word(self, node: Node) -> Word:
        names = dict.fromkeys(_text(inner) for inner in _descendants([node]) if inner.type == "variable_name")
        return Word(
            node.start_byte, node.end_byte, self._literal(node), tuple(self._spans(node)), tuple(map(_decoded, names))
        )

    def _literal(self, node: Node) -> str | None:
        raw = _text(node)
        if node.type in ("word", "number"):
            return raw.decode() if _UNQUOTED.fullmatch(raw) else None
        if node.type == "raw_string":
            return raw[1:-1].decode()
        if node.type == "string" and not _EXPANDS_IN_QUOTES.search(raw[1:-1]):
            return raw[1:-1].decode()
        return None

    def _spans(self, node: Node) -> Iterator[Span]:
        if node.type in ("word", "number"):
            yield Span(node.start_byte, node.end_byte, is_quoted=False)
        elif node.type == "raw_string":
            yield Span(node.start_byte + 1, node.end_byte - 1, is_quoted=True)
        elif node.type == "string":
            position = node.start_byte + 1
            expansions = [child for child in node.named_children if child.type != "string_content"]
            for start, end in (*((it.start_byte, it.end_byte) for it in expansions), (node.end_byte - 1, 0)):
                if start > position:
                    yield Span(position, start, is_quoted=True)
                position = end
        elif node.type == "concatenation":
            for child in node.children:
                yield from self._spans(child)

    def _inside(self, nodes: Iterable[Node]) -> Iterator[Node]:
        """All nodes that are run in this shell; functions, and the names of commands, are put aside."""
        for node in _descendants(nodes, _KEPT_APART):
            if node.type == "function_definition":
                name = node.child_by_field_name("name")
                self.functions.setdefault(_text(name) if name else b"", []).append(node)
            elif node.type == "command_name":
                self.called[_text(node)] = None
            yield node

    def _note(self, node: Node, doubt: str) -> None:
        """Take up what a node sets that is no plain assignment."""
        for name in self._names_set_by(node):
            self.settings.append(Setting(intern(name.decode()), node.start_byte, node.end_byte, doubt))

    def _names_set_by(self, node: Node) -> Iterable[bytes]:
        match node.type:
            case "variable_assignment":
                return [_text(_parts(node)[0])]
            case "for_statement":
                variable = node.child_by_field_name("variable")
                return [_text(variable)] if variable else []
            case "unset_command":
                return [_text(child) for child in node.named_children if child.type in ("variable_name", "word")]
            case "expansion" if any(child.type in ("=", ":=") for child in node.children):
                return [_text(child) for child in node.named_children[:1] if child.type == "variable_name"]
            case "binary_expression" if node.children[1].type in _ASSIGNING:
                return [_text(child) for child in node.children[:1] if child.type == "variable_name"]
            case "command":
                return self._names_set_by_command(node)
        return []

    def _names_set_by_command(self, node: Node) -> list[bytes]:
        name = node.child_by_field_name("name")
        command = _text(name).decode() if name else ""
        if command in ("source", "."):
            self.sourced_until = node.end_byte
        pattern = _SETTING_BUILTINS.get(command)
        return pattern.findall(self.data, name.end_byte, node.end_byte) if pattern and name else []

    def _read_called_functions(self) -> None:
        """Take up what the functions set that the script calls, directly or by another function, each once."""
        done: set[bytes] = set()
        while names := [name for name in self.called if name in self.functions and name not in done]:
            done.update(names)
            for name in names:
                for function in list(self.functions[name]):
                    self._read_function(function, name.decode())

    def _read_function(self, function: Node, name: str) -> None:
        sourced_until, self.sourced_until = self.sourced_until, 0
        nodes = list(self._inside(function.named_children))
        own = {local for node in nodes for local in _locals(node)}
        before = len(self.settings)
        for node in nodes:
            self._note(node, f"in function {name}, which is called")
        self.settings[before:] = [it for it in self.settings[before:] if it.name.encode() not in own]
        self.sourced_until = len(self.data) if self.sourced_until else sourced_until


def _broken_from(root: Node) -> int | None:
    """Where the first statement starts that tree-sitter could not read; without a root, its pieces lie about."""
    if not root.has_error:
        return None
    odd = (child for child in root.children if child.has_error or child.type not in _STATEMENTS)
    first = next(odd, None)
    return 0 if first is None else first.start_byte


def _parts(assignment: Node) -> tuple[Node, Node, Node | None]:
    """The name without its subscript, the operator, and the value if it is not empty."""
    left, operator, *values = assignment.children
    name = left if left.type != "subscript" else left.children[0]
    return name, operator, values[0] if values else None


def _setting(name: Node, whole: Node, doubt: str) -> Setting:
    return Setting(intern(_text(name).decode()), whole.start_byte, whole.end_byte, doubt)


def _doubt_of(statement: Node) -> str:
    if statement.type == "declaration_command":
        return f"by `{_text(statement.children[0]).decode()}`"
    return _DOUBTS.get(statement.type, "inside of something else")


def _locals(node: Node) -> Iterator[bytes]:
    """The names that this node makes local to its function."""
    if node.type != "declaration_command" or _text(node.children[0]) not in (b"local", b"declare", b"typeset"):
        return
    if any(child.type == "word" and re.match(rb"-\w*g", _text(child)) for child in node.children):
        return
    for child in node.named_children:
        if child.type == "variable_assignment":
            yield _text(_parts(child)[0])
        elif child.type == "variable_name":
            yield _text(child)


def _descendants(nodes: Iterable[Node], closed: frozenset[str] = frozenset()) -> Iterator[Node]:
    """The nodes and all below, in order, but nothing inside of `closed` types; hostile depth costs no stack."""
    stack = list(nodes)[::-1]
    while stack:
        node = stack.pop()
        yield node
        if node.type not in closed:
            stack.extend(reversed(node.children))


def _text(node: Node) -> bytes:
    return node.text or b""


def _decoded(name: bytes) -> str:
    return intern(name.decode())
