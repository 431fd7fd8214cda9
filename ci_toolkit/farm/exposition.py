"""Metrics of the catalogue as what Prometheus's client library makes of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Histogram, disable_created_metrics, generate_latest
from prometheus_client.core import GaugeMetricFamily

if TYPE_CHECKING:
    from ci_toolkit.model.metric import Metric

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

# When each counter began is a second metric of another name to Prometheus, which nobody asks for.
disable_created_metrics()


def counter(metric: Metric, registry: CollectorRegistry) -> Counter:
    """What counts it."""
    return Counter(metric.name, metric.meaning, metric.labels, registry=registry)


def histogram(metric: Metric, registry: CollectorRegistry) -> Histogram:
    """What observes it."""
    return Histogram(metric.name, metric.meaning, metric.labels, buckets=metric.buckets, registry=registry)


def gauge(metric: Metric) -> GaugeMetricFamily:
    """What is filled in with how it is at the moment."""
    return GaugeMetricFamily(metric.name, metric.meaning, labels=metric.labels)


def exposed(registry: CollectorRegistry) -> bytes:
    """All of a registry in the text format of Prometheus, which `CONTENT_TYPE` names."""
    return generate_latest(registry)
