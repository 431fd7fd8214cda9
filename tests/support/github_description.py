"""GitHub's own OpenAPI description, installed by npm: what may be sent to it, and what its answers look like."""

from __future__ import annotations

import copy
import json
import os
import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft202012Validator

if TYPE_CHECKING:
    from tests.support.http_service import Request

# Read when the tests are collected: they run without variables of their own.
NODE_MODULES = Path(__file__).parents[2] / "node_modules"
_IS_CI = bool(os.environ.get("CI"))  # every test takes it out of its own environment
_FILE = "@octokit/openapi/generated/api.github.com.json"
_METHODS = ("get", "post", "put", "patch", "delete")


class GithubDescription:
    """The description of the newest api.github.com."""

    def __init__(self, text: str) -> None:
        self.value: dict[str, Any] = json.loads(text)
        self._paths = [(_pattern(path), path) for path in self.value["paths"]]

    def example(self, method: str, path: str, status: int = 200) -> Any:
        """The first example of an answer, to be changed at will."""
        answers = self.value["paths"][path][method]["responses"][str(status)]["content"]["application/json"]
        example = self._resolved(next(iter(answers["examples"].values())))
        return copy.deepcopy(example["value"])

    def faults(self, request: Request) -> list[str]:
        """What is wrong with a request: method, path, query and body are compared; nothing unknown may be in it."""
        shown = f"{request.method} {request.path}"
        found = next((path for pattern, path in self._paths if pattern.fullmatch(request.path)), None)
        operation = self.value["paths"].get(found, {}).get(request.method.lower())
        if operation is None:
            return [f"{shown}: there is no such operation"]
        known = {
            one["name"]: one for one in map(self._resolved, operation.get("parameters", [])) if one["in"] == "query"
        }
        faults = [f"{shown}: query {name} is unknown" for name in request.query if name not in known]
        for name, text in request.query.items():
            schema = self._schema(known.get(name, {}).get("schema", {}))
            value: object = int(text) if schema.get("type") == "integer" and text.isdigit() else text
            faults += [f"{shown}: query {name}: {error.message}" for error in _errors(schema, value)]
        return faults + self._faults_of_body(shown, operation, request)

    def _faults_of_body(self, shown: str, operation: dict[str, Any], request: Request) -> list[str]:
        described = self._resolved(operation.get("requestBody", {}))
        if request.body is None:
            return [f"{shown}: has no body"] if described.get("required") else []
        if not described:
            return [f"{shown}: has a body, and none is known"]
        schema = self._schema(described["content"]["application/json"]["schema"])
        return [f"{shown}: body: {error.json_path}: {error.message}" for error in _errors(schema, request.body)]

    def _resolved(self, value: Any) -> Any:
        while isinstance(value, dict) and "$ref" in value:
            part: Any = self.value
            for name in value["$ref"].removeprefix("#/").split("/"):
                part = part[name]
            value = part
        return value

    def _schema(self, value: Any) -> Any:
        """A schema of OpenAPI 3.0 as JSON Schema, strict: what is not described may not be sent."""
        value = self._resolved(value)
        if isinstance(value, list):
            return [self._schema(one) for one in value]
        if not isinstance(value, dict):
            return value
        schema = {name: self._schema(one) for name, one in value.items() if name not in ("nullable", "example")}
        if "properties" in schema and isinstance(schema["properties"], dict):
            schema.setdefault("additionalProperties", False)
        return {"anyOf": [schema, {"type": "null"}]} if value.get("nullable") else schema


@cache
def github_description() -> GithubDescription:
    """The installed one, read once."""
    file = NODE_MODULES / _FILE
    if not file.exists():
        message = f"{file} is not there; make test installs it where there is npm"
        if _IS_CI:
            raise AssertionError(message)
        pytest.skip(message)
    return GithubDescription(file.read_text())


def _pattern(path: str) -> re.Pattern[str]:
    pieces = re.split(r"(\{[^}]+\})", path)
    return re.compile("".join("[^/]+" if piece.startswith("{") else re.escape(piece) for piece in pieces))


def _errors(schema: Any, value: object) -> list[Any]:
    return list(Draft202012Validator(schema).iter_errors(value))
