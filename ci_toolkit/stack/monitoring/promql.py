"""PromQL as far as it matters which metrics and labels it speaks of: text becomes a tree.

promql-parser reads it as Prometheus does; here its tree becomes values that say what is asked of what. At which time,
such as `offset`, is left out.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import promql_parser

from ci_toolkit.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator

NAME_LABEL = "__name__"
# Far more than anybody writes; the library ends the program with what is too deep for it.
_VARIABLE = re.compile(r"\$__\w+|\$\{__\w+\}")
_LONGEST, _MOST_BRACKETS, _DEEPEST = 4_000, 100, 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Matcher:
    """A condition for a label: what its value has, or has not, to be, or to look like."""

    label: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Selector:
    """Series of a metric; the name is empty where none is given, or only a pattern for it."""

    name: str
    matchers: tuple[Matcher, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Aggregation:
    """Series made one by `operator`; `clause` says what becomes of `labels`, empty: no label stays."""

    operator: str
    arguments: tuple[Node, ...]
    clause: Literal["by", "without", ""] = ""
    labels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A function of what it is given."""

    function: str
    arguments: tuple[Node, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """Two sides, and how series of both find each other; `included` is taken over from the side that has one."""

    operator: str
    left: Node
    right: Node
    clause: Literal["on", "ignoring", ""] = ""
    labels: tuple[str, ...] = ()
    group: Literal["group_left", "group_right", ""] = ""
    included: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Constant:
    """A number, or a text, which is as it stands between its quotes."""

    text: str


Node = Selector | Aggregation | Call | Operation | Constant


def parse_promql(text: str) -> Node:
    """The tree of an expression; ConfigError when it is none."""
    if len(text) > _LONGEST or text.count("(") > _MOST_BRACKETS:
        raise ConfigError(f"is longer than {_LONGEST} characters, or has more than {_MOST_BRACKETS} brackets")
    try:
        return _node(promql_parser.parse(text), _DEEPEST)
    except ValueError as error:
        raise ConfigError(f"is no PromQL: {error}") from error


def without_variables(text: str) -> str:
    """An expression as Grafana sends it, with some duration in place of `$__range` and the like."""
    return _VARIABLE.sub("5m", text)


def selectors(node: Node) -> Iterator[Selector]:
    """All series that an expression speaks of, in the order in which they stand there."""
    match node:
        case Selector():
            yield node
        case Aggregation() | Call():
            for argument in node.arguments:
                yield from selectors(argument)
        case Operation():
            yield from selectors(node.left)
            yield from selectors(node.right)
        case Constant():
            return


def _node(expr: promql_parser.Expr, left: int) -> Node:
    """`left` is how many more things there may be one in another."""
    if not left:
        raise ConfigError(f"has more than {_DEEPEST} things one in another")
    match expr:
        case promql_parser.VectorSelector():
            return _selector(expr)
        case promql_parser.MatrixSelector():
            return _selector(expr.vector_selector)
        case promql_parser.ParenExpr() | promql_parser.UnaryExpr() | promql_parser.SubqueryExpr():
            return _node(expr.expr, left - 1)
        case promql_parser.Call():
            return Call(function=expr.func.name, arguments=tuple(_node(one, left - 1) for one in expr.args))
        case promql_parser.AggregateExpr():
            return _aggregation(expr, left)
        case promql_parser.BinaryExpr():
            return _operation(expr, left)
        case promql_parser.NumberLiteral() | promql_parser.StringLiteral():
            return Constant(text=str(expr.val))
    raise ConfigError(f"has something in it that is not read: {expr.prettify()}")


def _selector(expr: promql_parser.VectorSelector) -> Selector:
    matchers = [one for alternative in (expr.matchers.matchers, *expr.matchers.or_matchers) for one in alternative]
    named = [one.value for one in matchers if one.name == NAME_LABEL and one.op == promql_parser.MatchOp.Equal]
    name = expr.name or (named[0] if named else "")
    others = (Matcher(label=one.name, value=one.value) for one in matchers if one.name != NAME_LABEL)
    return Selector(name=name, matchers=tuple(others))


def _aggregation(expr: promql_parser.AggregateExpr, left: int) -> Aggregation:
    arguments = tuple(_node(one, left - 1) for one in (expr.param, expr.expr) if one is not None)
    clause: Literal["by", "without", ""] = ""
    if expr.modifier is not None:
        clause = "by" if expr.modifier.type == promql_parser.AggModifierType.By else "without"
    labels = tuple(expr.modifier.labels) if expr.modifier is not None else ()
    return Aggregation(operator=str(expr.op), arguments=arguments, clause=clause, labels=labels)


def _operation(expr: promql_parser.BinaryExpr, left: int) -> Operation:
    modifier = expr.modifier
    matching = modifier.matching if modifier is not None else None
    clause: Literal["on", "ignoring", ""] = ""
    if matching is not None:
        clause = "on" if matching.type == promql_parser.LabelModifierType.Include else "ignoring"
    group: Literal["group_left", "group_right", ""] = ""
    if modifier is not None and modifier.card == promql_parser.VectorMatchCardinality.ManyToOne:
        group = "group_left"
    elif modifier is not None and modifier.card == promql_parser.VectorMatchCardinality.OneToMany:
        group = "group_right"
    return Operation(
        operator=str(expr.op),
        left=_node(expr.lhs, left - 1),
        right=_node(expr.rhs, left - 1),
        clause=clause,
        labels=tuple(matching.labels) if matching is not None else (),
        group=group,
        included=tuple(modifier.group_labels or ()) if modifier is not None else (),
    )
