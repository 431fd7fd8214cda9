"""What somebody gets who scrapes a service, beside what the catalogue of metrics says."""

from __future__ import annotations

from typing import TYPE_CHECKING

import requests
from prometheus_client.parser import text_string_to_metric_families

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ci_toolkit.model.metric import Metric

Shape = tuple[str, str, frozenset[str]]


def scraped(url: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """The value of each series at `/metrics` of that address, by its name and labels."""
    text = requests.get(f"{url}/metrics", timeout=20).text
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    return {(sample.name, frozenset(sample.labels.items())): sample.value for sample in samples}


def served_shapes(url: str) -> set[Shape]:
    """The name, kind and labels of everything at `/metrics`; the name is that of a series."""
    text = requests.get(f"{url}/metrics", timeout=20).text
    found: set[Shape] = set()
    for family in text_string_to_metric_families(text):
        assert family.samples, f"nothing has happened yet that {family.name} tells of"
        found |= {(one.name, family.type, frozenset(one.labels) - {"le"}) for one in family.samples}
    return found


def shapes(metrics: Iterable[Metric]) -> set[Shape]:
    """The same of a catalogue."""
    return {(name, metric.kind, frozenset(metric.labels)) for metric in metrics for name in metric.series}


def labels(**values: str) -> frozenset[tuple[str, str]]:
    """Labels as `scraped` has them."""
    return frozenset(values.items())
