"""Alerts as Prometheus has them: a file of rules for ours, and one for each plugin that has any."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ci_toolkit.stack.alerts.farm_alerts import FARM_ALERTS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ci_toolkit.stack.deployment import Deployment
    from ci_toolkit.stack_fragments.spec import Alert


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleFile:
    """Alerts that lie in one file; `plugin` is whose they are, None: ours. `path` is relative to prometheus.yml."""

    path: str
    plugin: str | None
    alerts: tuple[Alert, ...]

    @property
    def owner(self) -> str:
        """Whose alerts these are, for people, and the name of the group."""
        return "ci-toolkit-farm" if self.plugin is None else f"plugin-{self.plugin}"

    def labels(self, alert: Alert) -> dict[str, str]:
        """What each of its alerts has beside the labels of its series."""
        of_plugin = {} if self.plugin is None else {"plugin": self.plugin}
        return {"severity": alert.severity, **of_plugin}

    def groups(self) -> Mapping[str, Any]:
        """The content of the file."""
        return {"groups": [{"name": self.owner, "rules": [self._rule(alert) for alert in self.alerts]}]}

    def _rule(self, alert: Alert) -> dict[str, Any]:
        return {
            "alert": alert.name,
            "expr": alert.expr,
            **({"for": alert.lasting} if alert.lasting else {}),
            "labels": self.labels(alert),
            "annotations": {
                "summary": alert.summary,
                **({"description": alert.description} if alert.description else {}),
            },
        }


def rule_files(deployment: Deployment) -> Iterator[RuleFile]:
    """All of them, ours first."""
    yield RuleFile(path="rules/farm.yml", plugin=None, alerts=FARM_ALERTS)
    for bundle in deployment.bundles:
        if bundle.fragment.alerts:
            path = f"rules/plugin-{bundle.name}.yml"
            yield RuleFile(path=path, plugin=bundle.name, alerts=bundle.fragment.alerts)
