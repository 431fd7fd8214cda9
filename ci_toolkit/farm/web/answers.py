"""Answers of the API: JSON, and errors that say what happened and what to do."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any

from flask import Response

from ci_toolkit.errors import ConfigError, FormatError, MachineError, NotReadyError, RefusedError, ToolkitError

if TYPE_CHECKING:
    from collections.abc import Mapping


log = logging.getLogger(__name__)


class RequestError(ToolkitError):
    """A request that is answered with `status`, and with `headers` beside the usual ones."""

    def __init__(
        self, status: int, problem: str, *, hint: str | None = None, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(problem, hint=hint)
        self.status = status
        self.headers = dict(headers or {})


def as_request_error(error: Exception, asked: str) -> RequestError:
    """What is answered for an error; one that is the farm's own is logged as one of what was `asked`."""
    match error:
        case RequestError():
            return error
        case RefusedError():
            return told_as(409, error, error.what)
        case FormatError() | ConfigError():
            return told_as(400, error, str(error))
        case MachineError() | NotReadyError():
            log.error("%s: %s", asked, error)
            return told_as(503, error, error.what, headers={"Retry-After": "30"})
        case _:
            log.error("%s", asked, exc_info=error)
            hint = "its operator finds it there; ask again once that is mended"
            return RequestError(500, "the farm has made a mistake, which is in its log", hint=hint)


def told_as(status: int, error: ToolkitError, text: str, *, headers: Mapping[str, str] | None = None) -> RequestError:
    """An error as an answer of that status: `text`, which may end with what to do, has that apart."""
    said = text if error.hint is None else text.removesuffix(f" ({error.hint})")
    return RequestError(status, said, hint=error.hint, headers=headers)


def json_answer(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:  # noqa: ANN401 - any JSON
    """A value as JSON."""
    text = json.dumps(value) + "\n"
    return Response(text, status=status, headers=dict(headers or {}), content_type="application/json")


def error_record(problem: str, hint: str | None) -> dict[str, Any]:
    """What is said of an error: in a sentence, and what to do about it where that is known."""
    return {"error": problem, "hint": hint}
