"""The description of the API, made of its routes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ci_toolkit import __version__
from ci_toolkit.farm.web.access import Access
from ci_toolkit.farm.web.schemas import SCHEMAS, TEXT, WHOLE, named

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ci_toolkit.farm.web.route import Body, Outcome, Parameter, Route

_ERRORS = {
    400: "The request says something that cannot be.",
    401: "Whoever asks is no client, and has to be.",
    403: "This client may not do that.",
    404: "There is no such thing.",
    409: "It is refused as things are now.",
    411: "The request does not say how long it is.",
    413: "The request is too long.",
    415: "The request is of another type than is wanted here.",
    429: "Too many ask this at once.",
    503: "The farm cannot do that at the moment.",
}


def describe(routes: Iterable[Route], *, url: str) -> dict[str, Any]:
    """The document, by OpenAPI 3.1."""
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "A build farm of ci-toolkit",
            "version": __version__,
            "summary": "Takes schedules of package repositories, and tells what becomes of them.",
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": url}],
        "paths": paths,
        "components": {
            "schemas": SCHEMAS,
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer"},
                "browser": {
                    "type": "http",
                    "scheme": "basic",
                    "description": "Any name, and the token as password; for reading alone.",
                },
            },
        },
    }


def _operation(route: Route) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": route.name,
        "summary": route.summary,
        "description": route.access.value,
        "tags": ["pages" if route.is_page else "api"],
        "security": _security(route.access),
        "parameters": [
            *(_place(name, kind) for name, kind in route.places.items()),
            *map(_parameter, route.parameters),
        ],
        "responses": {
            **{str(status): _response(outcome) for status, outcome in route.outcomes.items()},
            **{
                str(status): {"description": meaning, "content": {"application/json": {"schema": named("Error")}}}
                for status, meaning in _errors_of(route).items()
            },
        },
    }
    if route.body is not None:
        operation["requestBody"] = _body(route.body)
    return operation


def _errors_of(route: Route) -> dict[int, str]:
    """What may go wrong with a route beside what it says itself."""
    found = set()
    if route.access is not Access.OPEN:
        found |= {401, 503}
    if route.access.needs_client:
        found |= {403, 409}
    if route.places:
        found.add(404)
    if route.parameters or route.body:
        found.add(400)
    if route.body:
        found |= {411, 413, 415}
    if any(parameter.name == "follow" for parameter in route.parameters):
        found.add(429)
    return {status: _ERRORS[status] for status in sorted(found - route.outcomes.keys())}


def _security(access: Access) -> list[dict[str, list[str]]]:
    match access:
        case Access.OPEN:
            return []
        case Access.READ:
            return [{}, {"token": []}, {"browser": []}]
        case _:
            return [{"token": []}]


def _place(name: str, kind: str) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "schema": WHOLE if kind == "int" else TEXT}


def _parameter(parameter: Parameter) -> dict[str, Any]:
    schema = {"type": "array", "items": parameter.schema} if parameter.many else parameter.schema
    return {
        "name": parameter.name,
        "in": "query",
        "required": parameter.required,
        "description": parameter.meaning,
        "schema": schema,
    }


def _body(body: Body) -> dict[str, Any]:
    schema = body.schema or {"type": "object"}
    return {
        "required": body.schema is None or bool(schema.get("required")),
        "description": f"{body.meaning} At most {body.most_bytes:,} bytes.".strip(),
        "content": {body.content_type: {"schema": schema}},
    }


def _response(outcome: Outcome) -> dict[str, Any]:
    response: dict[str, Any] = {"description": outcome.meaning}
    if outcome.headers:
        response["headers"] = {
            name: {"description": meaning, "schema": TEXT} for name, meaning in outcome.headers.items()
        }
    response["content"] = {outcome.content_type: {"schema": outcome.schema or TEXT}}
    return response
