"""A metric: what it is called, what it counts or measures, and what tells its series apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

MetricKind = Literal["counter", "gauge", "histogram"]
_SUFFIXES: dict[MetricKind, tuple[str, ...]] = {
    "counter": ("_total",),
    "gauge": ("",),
    "histogram": ("_bucket", "_sum", "_count"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """`name` is without the ending that a counter gets; `buckets` are the upper bounds of a histogram's, ascending.

    Source of the endings: prometheus.io/docs/instrumenting/exposition_formats.
    """

    name: str
    kind: MetricKind
    meaning: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()

    @property
    def series(self) -> tuple[str, ...]:
        """The names that Prometheus knows it by; `x_total` of a counter x, three names of a histogram."""
        return tuple(self.name + suffix for suffix in _SUFFIXES[self.kind])
