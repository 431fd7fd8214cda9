"""Whether what dashboards and rules speak of is there: metrics, and the labels that they have."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ci_toolkit.errors import ConfigError
from ci_toolkit.model.names import nearest
from ci_toolkit.stack.dashboards.pages import DASHBOARDS, owner_of
from ci_toolkit.stack.monitoring.promql import parse_promql, without_variables
from ci_toolkit.stack.output import read_yaml
from ci_toolkit.stack.validating.exposed import Labels, common_series, plugin_series
from ci_toolkit.stack.validating.expression_labels import Examination

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from ci_toolkit.stack.deployment import Deployment
    from ci_toolkit.stack.output import Output

_RULES = re.compile(r"prometheus/rules/(?:plugin-(?P<plugin>.+)|[^/]+)\.yml")
_LABEL_VALUES = re.compile(r"label_values\((?P<expr>.+),\s*(?P<label>\w+)\s*\)", re.DOTALL)
_IN_LEGEND = re.compile(r"\{\{\s*([A-Za-z_]\w*)\s*\}\}")
_IN_TEMPLATE = re.compile(r"\$labels\.([A-Za-z_]\w*)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """An expression, where it stands, whose it is (empty: ours), and which labels of its series are spoken of."""

    file: str
    place: str
    expr: str
    owner: str
    labels: tuple[str, ...]


def metric_faults(deployment: Deployment, outputs: Iterable[Output]) -> Iterator[str]:
    """Each metric or label that is named and not there, with file and panel or alert.

    A plugin may speak of its own metrics, of the farm's and of those that are always there; the farm not of a plugin's.
    """
    common = common_series()
    known = {bundle.name: common | plugin_series(bundle) for bundle in deployment.bundles}
    for output in outputs:
        for use in _uses(output):
            for fault in _faults(use, known.get(use.owner, common)):
                yield f"{use.file}: {use.place}: {fault}"


def _faults(use: Use, known: Mapping[str, Labels]) -> Iterator[str]:
    examination = Examination(known=known)
    try:
        labels = examination.labels(parse_promql(use.expr))
    except ConfigError as error:
        yield f"{error.what}, in {use.expr}"
        return
    yield from dict.fromkeys(examination.faults)
    for label in use.labels:
        if label not in labels:
            hint = nearest(label, labels.names)
            yield f"its text has the label {label}, which its series do not have" + (f" ({hint})" if hint else "")


def _uses(output: Output) -> Iterator[Use]:
    rules = _RULES.fullmatch(output.path)
    if rules is not None:
        yield from _uses_of_rules(output, rules["plugin"] or "")
    elif output.path.startswith(f"{DASHBOARDS}/"):
        yield from _uses_of_dashboard(output)


def _uses_of_rules(output: Output, owner: str) -> Iterator[Use]:
    for group in read_yaml(output.content).get("groups", ()):
        for rule in group.get("rules", ()):
            texts = [*rule.get("annotations", {}).values(), *rule.get("labels", {}).values()]
            labels = dict.fromkeys(name for text in texts for name in _IN_TEMPLATE.findall(str(text)))
            yield Use(
                file=output.path,
                place=f"alert {rule.get('alert', '')}",
                expr=str(rule.get("expr", "")),
                owner=owner,
                labels=tuple(labels),
            )


def _uses_of_dashboard(output: Output) -> Iterator[Use]:
    dashboard: dict[str, Any] = json.loads(output.content)
    owner = owner_of(dashboard)
    for variable in dashboard["templating"]["list"]:
        asked = _LABEL_VALUES.fullmatch(variable["query"]["query"])
        yield Use(
            file=output.path,
            place=f"variable {variable['name']}",
            expr=asked["expr"] if asked else variable["query"]["query"],
            owner=owner,
            labels=(asked["label"],) if asked else (),
        )
    for panel in dashboard["panels"]:
        for target in panel.get("targets", ()):
            if target["datasource"]["type"] == "prometheus":
                yield Use(
                    file=output.path,
                    place=f"panel {panel['title']!r}",
                    expr=without_variables(target["expr"]),
                    owner=owner,
                    labels=tuple(_IN_LEGEND.findall(target["legendFormat"])),
                )
