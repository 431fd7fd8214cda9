"""Counts requests and how long they take, in words that strangers cannot choose."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import g, request

if TYPE_CHECKING:
    from collections.abc import Iterable

    from flask import Flask, Response

    from ci_toolkit.effects.clock import Clock
    from ci_toolkit.farm.metrics import FarmMetrics
    from ci_toolkit.farm.web.route import Route

UNKNOWN_ROUTE, OTHER_METHOD = "unknown", "other"


def count_requests(app: Flask, routes: Iterable[Route], metrics: FarmMetrics, clock: Clock) -> None:
    """Have every answer of the application counted, by the route's path in the API's description.

    Its time ends when the answer begins to be sent: a log that is followed stays open for as long as a build takes.
    """
    paths, methods = {}, {"HEAD", "OPTIONS"}
    for route in routes:
        paths[route.name] = route.path
        methods.add(route.method)

    def begin() -> None:
        g.begun_s = clock.monotonic()

    def end(answer: Response) -> Response:
        metrics.answered(
            paths.get(request.endpoint or "", UNKNOWN_ROUTE),
            request.method if request.method in methods else OTHER_METHOD,
            answer.status_code,
            clock.monotonic() - g.begun_s,
        )
        return answer

    app.before_request(begin)
    app.after_request(end)
