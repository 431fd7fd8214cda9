"""HTTP answers that have to be JSON, from hosts that may send anything."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ci_toolkit.errors import UpstreamError

if TYPE_CHECKING:
    from ci_toolkit.effects.web import Answer


def read_json(answer: Answer) -> Any:  # noqa: ANN401 - any JSON, for the caller to check
    """The value of a 200 answer of type `application/json`; UpstreamError for anything else.

    A body that is compressed although nobody asked for it is not unpacked, and so is no JSON.
    """
    where = f"{urlsplit(answer.url).hostname}{urlsplit(answer.url).path}"
    if answer.status != 200:
        raise UpstreamError(f"{where} answers {answer.status}, which nobody asked for")
    kind = answer.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise UpstreamError(f"{where} answers with something else than JSON", got=kind)
    try:
        return json.loads(answer.body, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise UpstreamError(f"{where} answers with broken JSON") from error


def _refuse(word: str) -> None:
    raise ValueError(word)
