"""The catalogue of metrics: names that Prometheus takes, each once."""

from __future__ import annotations

import re

import pytest

from ci_toolkit.model.farm_metrics import MASTER_METRICS, WORKER_METRICS
from ci_toolkit.model.metric import Metric

ALL = (*MASTER_METRICS, *WORKER_METRICS)


@pytest.mark.parametrize(
    ("metric", "series"),
    [
        (Metric(name="x", kind="counter", meaning=""), ("x_total",)),
        (Metric(name="x", kind="gauge", meaning=""), ("x",)),
        (Metric(name="x", kind="histogram", meaning="", buckets=(1,)), ("x_bucket", "x_sum", "x_count")),
    ],
    ids=lambda value: value.kind if isinstance(value, Metric) else "",
)
def test_series_are_what_prometheus_calls_them(metric: Metric, series: tuple[str, ...]) -> None:
    assert metric.series == series


def test_no_two_metrics_share_a_series() -> None:
    names = [name for metric in ALL for name in metric.series]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("metric", ALL, ids=lambda metric: metric.name)
def test_a_metric_is_well_formed(metric: Metric) -> None:
    assert re.fullmatch(r"ci_toolkit_(farm|worker)_[a-z]+(_[a-z]+)*", metric.name)
    assert not metric.name.endswith(("_total", "_bucket", "_sum", "_count"))
    assert metric.meaning.endswith(".")
    assert not {"le", "job", "instance"} & set(metric.labels), "Prometheus gives these itself"
    assert bool(metric.buckets) == (metric.kind == "histogram")
    assert list(metric.buckets) == sorted(set(metric.buckets))
