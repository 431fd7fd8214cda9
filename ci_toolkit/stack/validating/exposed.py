"""The metrics that are there without anybody's doing, with their labels: what the programs around the farm tell.

A short list: what alerts and dashboards may want of them. Those of Prometheus and Alertmanager are held against what
2.42 and 0.25 expose; those of Loki and Promtail are from their documentation, version 3.5.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ci_toolkit.model.farm_metrics import MASTER_METRICS, WORKER_METRICS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from ci_toolkit.model.metric import Metric
    from ci_toolkit.stack.deployment import Bundle


@dataclass(frozen=True, slots=True, kw_only=True)
class Labels:
    """The labels that series have; `has_others` where they may have any besides."""

    names: frozenset[str]
    has_others: bool = False

    def __contains__(self, name: object) -> bool:
        return self.has_others or name in self.names


_BUILD = ("branch", "goarch", "goos", "goversion", "revision", "version")
PROMETHEUS: Mapping[str, tuple[str, ...]] = {
    "prometheus_build_info": _BUILD,
    "prometheus_config_last_reload_success_timestamp_seconds": (),
    "prometheus_config_last_reload_successful": (),
    "prometheus_notifications_alertmanagers_discovered": (),
    "prometheus_notifications_dropped_total": (),
    "prometheus_notifications_errors_total": ("alertmanager",),
    "prometheus_notifications_queue_length": (),
    "prometheus_notifications_sent_total": ("alertmanager",),
    "prometheus_rule_evaluation_failures_total": ("rule_group",),
    "prometheus_rule_evaluations_total": ("rule_group",),
    "prometheus_rule_group_iterations_missed_total": ("rule_group",),
    "prometheus_rule_group_last_duration_seconds": ("rule_group",),
    "prometheus_target_scrapes_exceeded_body_size_limit_total": (),
    "prometheus_target_scrapes_exceeded_sample_limit_total": (),
    "prometheus_tsdb_compactions_failed_total": (),
    "prometheus_tsdb_head_series": (),
    "prometheus_tsdb_storage_blocks_bytes": (),
    "prometheus_tsdb_wal_corruptions_total": (),
}
ALERTMANAGER: Mapping[str, tuple[str, ...]] = {
    "alertmanager_alerts": ("state",),
    "alertmanager_alerts_invalid_total": ("version",),
    "alertmanager_alerts_received_total": ("status", "version"),
    "alertmanager_build_info": _BUILD,
    "alertmanager_config_last_reload_success_timestamp_seconds": (),
    "alertmanager_config_last_reload_successful": (),
    "alertmanager_notification_latency_seconds_bucket": ("integration", "le"),
    "alertmanager_notification_latency_seconds_count": ("integration",),
    "alertmanager_notification_latency_seconds_sum": ("integration",),
    "alertmanager_notifications_failed_total": ("integration",),
    "alertmanager_notifications_total": ("integration",),
    "alertmanager_silences": ("state",),
}
# What programs tell of themselves that are written in Go, or with Prometheus' libraries.
PROCESS: Mapping[str, tuple[str, ...]] = {
    "process_cpu_seconds_total": (),
    "process_max_fds": (),
    "process_open_fds": (),
    "process_resident_memory_bytes": (),
    "process_start_time_seconds": (),
}
_LOGS: Mapping[str, tuple[str, ...]] = {
    "promtail_dropped_entries_total": ("host", "reason", "tenant"),
    "promtail_read_lines_total": ("path",),
    "promtail_sent_entries_total": ("host",),
    "loki_discarded_samples_total": ("reason", "tenant"),
    "loki_ingester_memory_streams": ("tenant",),
}
_OF_SCRAPES = (
    "up",
    "scrape_duration_seconds",
    "scrape_samples_scraped",
    "scrape_samples_post_metric_relabeling",
    "scrape_series_added",
)
_OF_ALERTS = ("ALERTS", "ALERTS_FOR_STATE")
_SCRAPED = ("job", "instance")
_WORKER, _PLUGIN = ("worker",), ("plugin", "service")


def common_series() -> dict[str, Labels]:
    """What everybody may speak of, by its name."""
    known = {name: Labels(names=frozenset((*_SCRAPED, *_WORKER, *_PLUGIN))) for name in _OF_SCRAPES}
    # An alert has the labels of what it fires for.
    known |= {name: Labels(names=frozenset(("alertname", "alertstate")), has_others=True) for name in _OF_ALERTS}
    for exposed in (PROMETHEUS, ALERTMANAGER, _LOGS):
        known |= {name: Labels(names=frozenset((*labels, *_SCRAPED))) for name, labels in exposed.items()}
    known |= {name: Labels(names=frozenset((*_SCRAPED, *_PLUGIN))) for name in PROCESS}
    known |= dict(_declared(MASTER_METRICS, _SCRAPED))
    known |= dict(_declared(WORKER_METRICS, (*_SCRAPED, *_WORKER)))
    return known


def plugin_series(bundle: Bundle) -> dict[str, Labels]:
    """What one plugin alone may speak of: its own."""
    return dict(_declared(bundle.fragment.metrics, (*_SCRAPED, *_PLUGIN)))


def _declared(metrics: Iterable[Metric], scraped: tuple[str, ...]) -> Iterator[tuple[str, Labels]]:
    for metric in metrics:
        # Prometheus renames a label that it sets itself.
        own = [f"exported_{label}" if label in scraped else label for label in metric.labels]
        for name in metric.series:
            bound = ["le"] if name.endswith("_bucket") and metric.kind == "histogram" else []
            yield name, Labels(names=frozenset((*own, *bound, *scraped)))
