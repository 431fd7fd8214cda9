"""The web side of a farm as a WSGI application."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, cast

from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException
from werkzeug.routing import Rule

from ci_toolkit.farm.web.access import Access, caller
from ci_toolkit.farm.web.answers import RequestError, as_request_error, error_record, json_answer
from ci_toolkit.farm.web.databases import JobDatabases
from ci_toolkit.farm.web.desk import Call, Desk
from ci_toolkit.farm.web.health import FarmCollector
from ci_toolkit.farm.web.openapi import describe
from ci_toolkit.farm.web.page_templates import Pages
from ci_toolkit.farm.web.pages import error_page
from ci_toolkit.farm.web.request_counting import count_requests
from ci_toolkit.farm.web.route import Outcome, Route
from ci_toolkit.farm.web.routes import API_ROUTES, PAGE_ROUTES

if TYPE_CHECKING:
    from collections.abc import Callable

    from ci_toolkit.effects.clock import Clock
    from ci_toolkit.effects.redaction import Redactor
    from ci_toolkit.farm.metrics import FarmMetrics
    from ci_toolkit.farm.spec import Farm

_DESK = "ci_toolkit.farm.desk"
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "SAMEORIGIN",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-site",
    "Cache-Control": "no-store",
}
_NOTHING = "default-src 'none'; frame-ancestors 'none'"


def farm_app(farm: Farm, metrics: FarmMetrics, clock: Clock, redactor: Redactor) -> Flask:
    """All routes; `end_app` when it is no longer served."""
    desk = Desk(
        farm=farm,
        metrics=metrics,
        clock=clock,
        redactor=redactor,
        databases=JobDatabases(),
        pages=Pages(redactor.clean, clock),
    )
    metrics.watch(FarmCollector(desk))
    app = Flask(__name__, static_folder=None)
    app.extensions[_DESK] = desk
    app.url_map.strict_slashes = True
    for route in all_routes():
        rule = Rule(route.rule, methods=[route.method], endpoint=route.name)
        app.url_map.add(rule)
        app.view_functions[route.name] = _viewed(route, desk)
    count_requests(app, all_routes(), metrics, clock)
    app.register_error_handler(Exception, lambda error: _error_answer(error, desk))
    app.after_request(_with_headers)
    return app


def desk_of(app: Flask) -> Desk:
    """What the views of an application are handed."""
    return cast("Desk", app.extensions[_DESK])


def end_app(app: Flask) -> None:
    """Have followers of logs come to an end, and close databases."""
    desk = desk_of(app)
    desk.ends.set()
    desk.databases.close()


def all_routes() -> tuple[Route, ...]:
    """Every route, with that of the description of all of them."""
    return (*API_ROUTES, *PAGE_ROUTES, _DESCRIPTION)


def _openapi(desk: Desk, call: Call) -> Response:  # noqa: ARG001 - as every view
    return json_answer(describe(all_routes(), url=desk.farm.url), headers={"Access-Control-Allow-Origin": "*"})


_openapi.__name__ = "openapi"
_DESCRIPTION = Route(
    method="GET",
    rule="/api/openapi.json",
    view=_openapi,
    summary="This description.",
    access=Access.OPEN,
    outcomes={200: Outcome(meaning="By OpenAPI 3.1.", schema={"type": "object", "required": ["openapi", "paths"]})},
)


def _viewed(route: Route, desk: Desk) -> Callable[..., Response]:
    def view(**places: str | int) -> Response:
        client = caller(desk.farm, request.headers.get("Authorization"), route.access)
        _check_body(route)
        return route.view(desk, Call(request=request, client=client), **places)

    return view


def _check_body(route: Route) -> None:
    """The server has refused what is too long for any route; this is what each of them allows."""
    length = request.content_length or 0
    if route.body is None:
        if length:
            raise RequestError(400, "nothing is to be sent here")
        return
    if request.mimetype != route.body.content_type:
        raise RequestError(415, f"what is sent here has the type {route.body.content_type}")
    if request.content_length is None:
        raise RequestError(411, "the request has to say how long it is")
    if length > route.body.most_bytes:
        raise RequestError(413, f"what is sent here has at most {route.body.most_bytes:,} bytes")


def _error_answer(error: Exception, desk: Desk) -> Response:
    """An error as JSON, or as a page for who looks at pages."""
    refused = _as_request_error(error)
    route = next((one for one in PAGE_ROUTES if one.name == request.endpoint), None)
    is_page = route is not None or not (request.path.startswith("/api/") or request.path in _MACHINES)
    if is_page:
        answer = error_page(desk, refused)
    else:
        answer = json_answer(error_record(desk.redactor.clean(refused.problem), refused.hint), refused.status)
    answer.headers.extend(refused.headers)
    return answer


_MACHINES = frozenset({"/metrics", "/healthz", "/readyz"})


def _as_request_error(error: Exception) -> RequestError:
    if isinstance(error, HTTPException):
        allowed = getattr(error, "valid_methods", None)
        headers = {"Allow": ", ".join(allowed)} if allowed else {}
        text = re.sub(r"\s+", " ", error.name or "").lower()
        return RequestError(error.code or 500, text, headers=headers)
    return as_request_error(error, f"{request.method} {request.path}")


def _with_headers(answer: Response) -> Response:
    for name, value in _HEADERS.items():
        answer.headers.setdefault(name, value)
    answer.headers.setdefault("Content-Security-Policy", _NOTHING)
    return answer
