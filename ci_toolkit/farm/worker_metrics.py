"""What a worker tells Prometheus: of its connection, its builds and its machine, and nothing of what it builds."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry
from prometheus_client.registry import Collector

from ci_toolkit import __version__
from ci_toolkit.farm.exposition import counter, exposed, gauge
from ci_toolkit.model import farm_metrics as catalogue

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from prometheus_client.core import Metric

    from ci_toolkit.effects.clock import Clock

BUILD_OUTCOMES = ("built", "failed", "skipped", "timed out", "unfit", "interrupted")
_MEMORY_FILE = Path("/proc/meminfo")
_KIB = re.compile(r"(MemAvailable|MemTotal):\s+([0-9]+) kB")


class WorkerMetrics(Collector):
    """For the reactor's thread alone, which it never holds up; `top` is the worker's folder."""

    def __init__(self, top: Path, name: str, clock: Clock) -> None:
        self._top, self._name, self._clock = top, name, clock
        self._running = 0
        self._is_connected, self._was_connected, self._since_s = False, False, clock.now()
        self._registry = CollectorRegistry()
        self._losses = counter(catalogue.WORKER_CONNECTION_LOSSES, self._registry)
        self._builds = counter(catalogue.WORKER_BUILDS, self._registry)
        for outcome in BUILD_OUTCOMES:
            self._builds.labels(outcome)
        self._registry.register(self)

    @property
    def fault(self) -> str | None:
        """Why it can be given nothing to build, None when it can."""
        if self._is_connected:
            return None
        return "the connection to its master is lost" if self._was_connected else "it has not logged in at its master"

    def logged_in(self) -> None:
        """The master has let it in."""
        self._is_connected = self._was_connected = True
        self._since_s = self._clock.now()

    def lost(self) -> None:
        """The master is gone that had let it in."""
        self._is_connected = False
        self._since_s = self._clock.now()
        self._losses.inc()

    def build_begun(self) -> None:
        """A build has begun."""
        self._running += 1

    def build_ended(self, outcome: str) -> None:
        """A build has ended: one of `BUILD_OUTCOMES`."""
        self._running -= 1
        self._builds.labels(outcome).inc()

    def text(self) -> bytes:
        """Everything, in the text format of Prometheus."""
        return exposed(self._registry)

    # prometheus_client's

    def describe(self) -> Iterable[Metric]:
        """Nothing, so that nothing is looked at when this is registered."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """How the worker and its machine are now."""
        info = gauge(catalogue.WORKER_INFO)
        info.add_metric([__version__, self._name], 1)
        yield info
        load = gauge(catalogue.WORKER_LOAD)
        for minutes, value in zip(("1", "5", "15"), os.getloadavg(), strict=True):
            load.add_metric([minutes], value)
        yield load
        disk, memory = os.statvfs(self._top), _memory_bytes()
        for metric, number in (
            (catalogue.WORKER_CONNECTED, float(self._is_connected)),
            (catalogue.WORKER_CONNECTION_CHANGED, self._since_s),
            (catalogue.WORKER_RUNNING, self._running),
            (catalogue.WORKER_DISK_FREE, disk.f_bavail * disk.f_frsize),
            (catalogue.WORKER_DISK_SIZE, disk.f_blocks * disk.f_frsize),
            (catalogue.WORKER_PROCESSORS, os.cpu_count()),
            (catalogue.WORKER_MEMORY_AVAILABLE, memory.get("MemAvailable")),
            (catalogue.WORKER_MEMORY_SIZE, memory.get("MemTotal")),
        ):
            family = gauge(metric)
            if number is not None:
                family.add_metric([], number)
            yield family


def _memory_bytes() -> dict[str, int]:
    """What the kernel tells of memory; nothing where it has no such file."""
    if not _MEMORY_FILE.exists():
        return {}
    return {name: int(number) << 10 for name, number in _KIB.findall(_MEMORY_FILE.read_text())}
