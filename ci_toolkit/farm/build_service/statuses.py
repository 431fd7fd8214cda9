"""Errors as gRPC tells them: a status, a sentence with what to do next, and that part once more as metadata."""

from __future__ import annotations

from typing import TYPE_CHECKING

import grpc

from ci_toolkit.farm.web.answers import RequestError, as_request_error

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ci_toolkit.effects.redaction import Redactor

HINT_KEY = "hint-bin"
_CODES: Mapping[int, grpc.StatusCode] = {
    400: grpc.StatusCode.INVALID_ARGUMENT,
    401: grpc.StatusCode.UNAUTHENTICATED,
    403: grpc.StatusCode.PERMISSION_DENIED,
    404: grpc.StatusCode.NOT_FOUND,
    408: grpc.StatusCode.DEADLINE_EXCEEDED,
    409: grpc.StatusCode.FAILED_PRECONDITION,
    413: grpc.StatusCode.RESOURCE_EXHAUSTED,
    429: grpc.StatusCode.RESOURCE_EXHAUSTED,
    503: grpc.StatusCode.UNAVAILABLE,
}


class Refusal:
    """How an error is answered; `status` is what HTTP would call it, as it is counted."""

    def __init__(self, error: Exception, asked: str, redactor: Redactor) -> None:
        """`asked` is the call that it comes from, for the farm's log."""
        refused: RequestError = as_request_error(error, asked)
        self.status = refused.status
        self.code = _CODES.get(refused.status, grpc.StatusCode.INTERNAL)
        hint = None if refused.hint is None else redactor.clean(refused.hint)
        problem = redactor.clean(refused.problem)
        self.details = problem if hint is None else f"{problem} ({hint})"
        self.metadata: tuple[tuple[str, str | bytes], ...] = () if hint is None else ((HINT_KEY, hint.encode()),)
