"""Views for what watches over the farm."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Response
from prometheus_client.registry import Collector

from ci_toolkit.errors import ToolkitError
from ci_toolkit.farm.exposition import CONTENT_TYPE
from ci_toolkit.farm.metrics import fault_metrics, info_metrics, pipeline_metrics, queue_metrics, worker_metrics
from ci_toolkit.farm.web.access import client_of
from ci_toolkit.farm.web.answers import json_answer
from ci_toolkit.farm.web.asking import faults_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from prometheus_client.core import Metric

    from ci_toolkit.farm.web.desk import Call, Desk


def metrics(desk: Desk, call: Call) -> Response:  # noqa: ARG001 - as every view
    """Everything for Prometheus."""
    return Response(desk.metrics.text(), content_type=CONTENT_TYPE)


def alive(desk: Desk, call: Call) -> Response:  # noqa: ARG001
    """That there is an answer."""
    return json_answer({"said": "alive"})


def ready(desk: Desk, call: Call) -> Response:
    """Whether schedules are taken and built; why not is told to whom the farm tells anything."""
    faults = faults_of(desk)
    header = call.request.headers.get("Authorization")
    is_told = desk.farm.is_public or client_of(desk.farm, header, is_reading=True) is not None
    return json_answer({"ready": not faults, "faults": faults if is_told else {}}, 503 if faults else 200)


class FarmCollector(Collector):
    """How the farm is, looked at when Prometheus asks."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def describe(self) -> Iterable[Metric]:
        """Nothing, so that nothing is looked at when this is registered."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """Workers, queues, faults and pipelines. One whose database cannot be read has a fault, and no queue."""
        desk = self._desk
        faults, counts = dict(desk.farm.faults()), {}
        for repository in desk.farm.repositories.values():
            try:
                with desk.databases.opened(repository) as database:
                    counts[repository.name] = database.counts()
            except (ToolkitError, OSError) as error:
                faults.setdefault(repository.name, str(error))
        yield from worker_metrics(desk.farm.workers())
        yield from queue_metrics(counts, now_s=desk.clock.now())
        yield from fault_metrics(desk.farm.repositories, faults)
        told = desk.farm.pipelines.told()
        yield from pipeline_metrics({key: last for key, last in told.items() if key[0] in desk.farm.repositories})
        yield from info_metrics()
