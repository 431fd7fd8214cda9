"""PromQL as far as it matters which metrics and labels it speaks of: text becomes a tree.

What is counted with what, and whether types fit, is left to Prometheus.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ci_toolkit.errors import ConfigError
from ci_toolkit.model.names import nearest
from ci_toolkit.stack.monitoring.promql_tokens import Token, promql_tokens

if TYPE_CHECKING:
    from collections.abc import Iterator

NAME_LABEL = "__name__"
_AGGREGATIONS = "avg bottomk count count_values group limit_ratio limitk max min quantile stddev stdvar sum topk"
# Of Prometheus 2.42 to 3.5.
_FUNCTIONS = """
    abs absent absent_over_time acos acosh asin asinh atan atanh avg_over_time ceil changes clamp clamp_max
    clamp_min cos cosh count_over_time day_of_month day_of_week day_of_year days_in_month deg delta deriv
    double_exponential_smoothing exp floor histogram_avg histogram_count histogram_fraction histogram_quantile
    histogram_stddev histogram_stdvar histogram_sum holt_winters hour idelta increase info irate label_join
    label_replace last_over_time ln log10 log2 mad_over_time max_over_time min_over_time minute month pi
    predict_linear present_over_time quantile_over_time rad rate resets round scalar sgn sin sinh sort
    sort_by_label sort_by_label_desc sort_desc sqrt stddev_over_time stdvar_over_time sum_over_time tan tanh time
    timestamp vector year
"""
AGGREGATIONS = frozenset(_AGGREGATIONS.split())
FUNCTIONS = frozenset(_FUNCTIONS.split())
_BINDING = {
    "or": 1,
    **dict.fromkeys(("and", "unless"), 2),
    **dict.fromkeys(("==", "!=", "<", ">", "<=", ">="), 3),
    **dict.fromkeys(("+", "-"), 4),
    **dict.fromkeys(("*", "/", "%", "atan2"), 5),
    "^": 6,
}
_MATCHING = ("=", "!=", "=~", "!~")
# Far more than anybody writes, and less than what Python can follow.
_DEEPEST, _MOST_OPERATIONS = 50, 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Matcher:
    """A condition for a label, such as `state=~"idle|busy"`; the value as it stands between its quotes."""

    label: str
    operator: str
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
    parser = _Parser(tuple(promql_tokens(text)))
    tree = parser.expression()
    parser.finish()
    return tree


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


class _Parser:
    """For one expression; every method takes what it reads off the front."""

    def __init__(self, tokens: tuple[Token, ...]) -> None:
        self._tokens, self._at = tokens, 0
        self._depth = self._operations = 0

    def finish(self) -> None:
        if self._next.kind != "end":
            raise self._wrong("the end")

    def expression(self, binding: int = 1) -> Node:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise ConfigError(f"has more than {_DEEPEST} things one in another, which is not read")
        left = self._operand()
        while (tightness := _BINDING.get(self._next.text.lower(), 0)) >= binding and self._next.kind != "string":
            operator = self._take().text.lower()
            left = self._operation(operator, left, tightness if operator == "^" else tightness + 1)
        self._depth -= 1
        return left

    def _operation(self, operator: str, left: Node, binding: int) -> Node:
        self._operations += 1
        if self._operations > _MOST_OPERATIONS:
            raise ConfigError(f"has more than {_MOST_OPERATIONS} operators, which is not read")
        self._skip("bool")
        clause: Literal["on", "ignoring", ""] = ""
        group: Literal["group_left", "group_right", ""] = ""
        labels: tuple[str, ...] = ()
        included: tuple[str, ...] = ()
        if self._sees("on", "ignoring"):
            clause = "on" if self._take().text.lower() == "on" else "ignoring"
            labels = self._labels()
            if self._sees("group_left", "group_right"):
                group = "group_left" if self._take().text.lower() == "group_left" else "group_right"
                included = self._labels() if self._next.text == "(" else ()
        return Operation(
            operator=operator,
            left=left,
            right=self.expression(binding),
            clause=clause,
            labels=labels,
            group=group,
            included=included,
        )

    def _operand(self) -> Node:
        while self._next.text in ("+", "-"):
            self._take()
        node = self._primary()
        self._modifiers()
        return node

    def _modifiers(self) -> None:
        """Ranges, `offset` and `@`: at which time is asked says nothing of what is asked."""
        while True:
            if self._next.kind == "range":
                self._take()
            elif self._skip("offset"):
                self._skip("-")
                self._take_kind("duration")
            elif self._skip("@"):
                self._moment()
            else:
                return

    def _moment(self) -> None:
        if self._sees("start", "end"):
            self._take()
            self._expect("(")
            self._expect(")")
            return
        self._skip("-")
        self._take_kind("number")

    def _primary(self) -> Node:
        token = self._next
        if token.kind in ("number", "duration"):
            return Constant(text=self._take().text)
        if token.kind == "string":
            return Constant(text=self._take().text[1:-1])
        if token.text == "{":
            return self._selector("")
        if self._skip("("):
            inner = self.expression()
            self._expect(")")
            return inner
        if token.kind != "name":
            raise self._wrong("a metric, a function or a number")
        return self._named(self._take().text)

    def _named(self, name: str) -> Node:
        low = name.lower()
        if low in AGGREGATIONS and (self._next.text == "(" or self._sees("by", "without")):
            return self._aggregation(low)
        if self._next.text == "(":
            if name not in FUNCTIONS:
                raise ConfigError(f"has no function {name}", hint=nearest(name, FUNCTIONS | AGGREGATIONS) or None)
            return Call(function=name, arguments=self._arguments())
        if low in ("inf", "nan"):
            return Constant(text=low)
        return self._selector(name)

    def _aggregation(self, operator: str) -> Node:
        clause, labels = self._clause()
        arguments = self._arguments()
        if not clause:
            clause, labels = self._clause()
        return Aggregation(operator=operator, arguments=arguments, clause=clause, labels=labels)

    def _clause(self) -> tuple[Literal["by", "without", ""], tuple[str, ...]]:
        if not self._sees("by", "without"):
            return "", ()
        return "by" if self._take().text.lower() == "by" else "without", self._labels()

    def _arguments(self) -> tuple[Node, ...]:
        self._expect("(")
        arguments = []
        while self._next.text != ")":
            arguments.append(self.expression())
            if not self._skip(","):
                break
        self._expect(")")
        return tuple(arguments)

    def _labels(self) -> tuple[str, ...]:
        self._expect("(")
        labels = []
        while self._next.text != ")":
            labels.append(self._label())
            if not self._skip(","):
                break
        self._expect(")")
        return tuple(labels)

    def _label(self) -> str:
        """A label's name; from Prometheus 3 on, it may stand in quotes."""
        if self._next.kind == "string":
            return self._take().text[1:-1]
        if ":" in self._next.text:
            raise self._wrong("a label")
        return self._take_kind("name").text

    def _selector(self, name: str) -> Node:
        matchers = []
        if self._skip("{"):
            while self._next.text != "}":
                label = self._label() if self._next.kind == "string" else self._take_kind("name").text
                if self._next.text not in _MATCHING:
                    name = self._quoted_name(name, label)
                else:
                    matchers.append(
                        Matcher(label=label, operator=self._take().text, value=self._take_kind("string").text[1:-1])
                    )
                if not self._skip(","):
                    break
            self._expect("}")
        named = [matcher for matcher in matchers if matcher.label == NAME_LABEL and matcher.operator == "="]
        if named and not name:
            name = named[0].value
        return Selector(name=name, matchers=tuple(m for m in matchers if m.label != NAME_LABEL))

    def _quoted_name(self, name: str, label: str) -> str:
        if name or self._tokens[self._at - 1].kind != "string":
            raise self._wrong("one of = != =~ !~")
        return label

    @property
    def _next(self) -> Token:
        return self._tokens[self._at]

    def _take(self) -> Token:
        token = self._tokens[self._at]
        if token.kind != "end":
            self._at += 1
        return token

    def _take_kind(self, kind: Literal["duration", "number", "string", "name"]) -> Token:
        if self._next.kind != kind:
            raise self._wrong(f"a {kind}")
        return self._take()

    def _sees(self, *words: str) -> bool:
        return self._next.kind == "name" and self._next.text.lower() in words

    def _skip(self, text: str) -> bool:
        is_there = self._next.kind != "string" and self._next.text.lower() == text
        if is_there:
            self._take()
        return is_there

    def _expect(self, text: str) -> None:
        if not self._skip(text):
            raise self._wrong(text)

    def _wrong(self, expected: str) -> ConfigError:
        here = self._next.text or "the end"
        return ConfigError(f"is no PromQL: at character {self._next.at + 1} is {here}, where {expected} should be")
