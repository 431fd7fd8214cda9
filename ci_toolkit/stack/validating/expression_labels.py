"""Which labels the series of an expression have, and what in it speaks of metrics or labels that are not there."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ci_toolkit.model.names import nearest
from ci_toolkit.stack.monitoring.promql import NAME_LABEL, Aggregation, Call, Constant, Operation, Selector, selectors
from ci_toolkit.stack.validating.exposed import Labels

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ci_toolkit.stack.monitoring.promql import Node

_NONE = Labels(names=frozenset())
_ANY = Labels(names=frozenset(), has_others=True)
_PICKS = ("topk", "bottomk", "limitk", "limit_ratio")
_MAKES_ITS_OWN = ("time", "vector", "scalar", "pi")
_LABEL_MAKERS = ("label_replace", "label_join")


@dataclass(frozen=True, slots=True, kw_only=True)
class Examination:
    """Of one expression, given what is known; `faults` fills while `labels` looks."""

    known: Mapping[str, Labels]
    faults: list[str] = field(default_factory=list)

    def labels(self, node: Node) -> Labels:
        """The labels of what comes out of an expression."""
        match node:
            case Constant():
                return _NONE
            case Selector():
                return self._selected(node)
            case Aggregation():
                return self._aggregated(node)
            case Call():
                return self._called(node)
            case Operation():
                return self._combined(node)

    def _selected(self, selector: Selector) -> Labels:
        if not selector.name:
            self.faults.append("series are chosen without the name of a metric")
            return _ANY
        found = self.known.get(selector.name)
        if found is None:
            self.faults.append(_with_hint(f"there is no metric {selector.name}", selector.name, self.known))
            return _ANY
        for matcher in selector.matchers:
            self._expect(matcher.label, found, f"{selector.name} has no label")
        return Labels(names=found.names | {NAME_LABEL}, has_others=found.has_others)

    def _aggregated(self, node: Aggregation) -> Labels:
        inner = _joined(self.labels(argument) for argument in node.arguments)
        if node.operator == "count_values" and node.arguments and isinstance(node.arguments[0], Constant):
            inner = Labels(names=inner.names | {node.arguments[0].text}, has_others=inner.has_others)
            made = frozenset({node.arguments[0].text})
        else:
            made = frozenset()
        for label in node.labels:
            self._expect(label, inner, f"what {node.operator} {node.clause} is about has no label")
        if node.operator in _PICKS:
            return inner
        if node.clause == "without":
            return Labels(names=inner.names - {*node.labels, NAME_LABEL}, has_others=inner.has_others)
        return Labels(names=made.union(node.labels))

    def _called(self, node: Call) -> Labels:
        inner = _joined(self.labels(argument) for argument in node.arguments)
        texts = [argument.text for argument in node.arguments if isinstance(argument, Constant)]
        match node.function:
            case "histogram_quantile" | "histogram_fraction":
                self._expect("le", inner, f"what {node.function} is about has no label")
                return Labels(names=inner.names - {"le"}, has_others=inner.has_others)
            case name if name in _LABEL_MAKERS and texts:
                return Labels(names=inner.names | {texts[0]}, has_others=inner.has_others)
            case name if name in _MAKES_ITS_OWN:
                return _NONE
        return inner

    def _combined(self, node: Operation) -> Labels:
        left, right = self.labels(node.left), self.labels(node.right)
        for label in (*node.labels, *node.included):
            self._expect(label, _joined((left, right)), f"neither side of {node.operator} has the label")
        if node.operator == "or":
            return _joined((left, right))
        if node.operator in ("and", "unless") or not any(selectors(node.right)):
            return left
        if not any(selectors(node.left)):
            return right
        if node.group:
            many = left if node.group == "group_left" else right
            return Labels(names=many.names.union(node.included), has_others=many.has_others)
        if node.clause == "on":
            return Labels(names=frozenset(node.labels))
        return Labels(names=left.names - set(node.labels), has_others=left.has_others)

    def _expect(self, label: str, labels: Labels, problem: str) -> None:
        if label not in labels:
            self.faults.append(_with_hint(f"{problem} {label}", label, labels.names - {NAME_LABEL}))


def _joined(parts: Iterable[Labels]) -> Labels:
    listed = list(parts)
    return Labels(
        names=frozenset().union(*(part.names for part in listed)), has_others=any(part.has_others for part in listed)
    )


def _with_hint(problem: str, name: str, known: Iterable[str]) -> str:
    hint = nearest(name, known)
    return f"{problem} ({hint})" if hint else problem
