"""The commands of a PKGBUILD that run as soon as it is read."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ci_toolkit.review.commands import command_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tree_sitter import Node

_FUNCTION = "function_definition"


class Command(NamedTuple):
    """One command in bytes `start` to `end`; `text` are its words without quotes."""

    start: int
    end: int
    line: int
    text: str

    def contains(self, other: Command) -> bool:
        """Whether the other one is a part of this one, as in `a $(b)`."""
        return self is not other and self.start <= other.start and other.end <= self.end


def commands_when_read(root: Node, data: bytes) -> tuple[Command, ...]:
    """Every command outside of functions, and in those functions that such a command calls, in order."""
    functions = {_name(node): node for node in _walk(root, into_functions=True) if node.type == _FUNCTION}
    waiting = [root]
    found: list[Command] = []
    while waiting:
        for node in _walk(waiting.pop(), into_functions=False):
            if node.type != "command":
                continue
            command = Command(node.start_byte, node.end_byte, node.start_point[0] + 1, command_text(node, data))
            found.append(command)
            called = functions.pop(command.text.split(" ", 1)[0], None)
            if called is not None:
                waiting.append(called)
    return tuple(sorted(found))


def _walk(top: Node, *, into_functions: bool) -> Iterator[Node]:
    stack = list(top.children)
    while stack:
        node = stack.pop()
        yield node
        if into_functions or node.type != _FUNCTION:
            stack.extend(node.children)


def _name(function: Node) -> str:
    name = function.child_by_field_name("name")
    return ((name.text if name else None) or b"").decode(errors="replace")
