"""What the service that shows reviews answers, and its refusals as errors that say until when and why."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

from ci_toolkit.effects.http_trouble import retry_after_s
from ci_toolkit.errors import ForgeError, shortened

if TYPE_CHECKING:
    from collections.abc import Mapping

NO_HEADERS: Mapping[str, str] = MappingProxyType({})
_UNKNOWN_LIMIT_S = 60.0  # docs.github.com, best practices: wait for at least a minute when nothing else is said
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_PASSING = frozenset({202, 500, 502, 503, 504})
_SAID_MAX = 300


class ForgeHttpError(ForgeError):
    """A request failed.

    `status` is None when there was no answer, or none of use; `said` is the service's own sentence; `limited_s` is how
    long it wants to be left alone, None when that is not the reason; `is_passing`: the fault may be over soon.
    """

    def __init__(
        self,
        problem: str,
        *,
        status: int | None = None,
        said: str = "",
        headers: Mapping[str, str] = NO_HEADERS,
        limited_s: float | None = None,
        is_passing: bool = False,
        hint: str | None = None,
    ) -> None:
        super().__init__(problem, hint=hint)
        self.status = status
        self.said = said
        self.headers = headers
        self.limited_s = limited_s
        self.is_passing = is_passing

    @property
    def may_have_acted(self) -> bool:
        """Whether what was asked for may have been done all the same."""
        return self.limited_s is None and (self.status is None or self.status >= 500)

    def explained(self, doing: str, hint: str | None) -> Self:
        """Add what was being done, and what to do about it where that is not known yet."""
        self.problem = f"{doing}: {self.problem}"
        self.hint = self.hint or hint
        self.args = (self.problem,)
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class ForgeAnswer:
    """An answer, read in full; `headers` do not mind the case of names. The token is in neither part."""

    host: str
    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:  # noqa: ANN401 - any JSON, for the caller to check
        """Its JSON value; ForgeHttpError when it has none."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError) as error:
            raise ForgeHttpError(f"{self.host} answers with broken JSON") from error


def refusal(answer: ForgeAnswer, host: str, now: float) -> ForgeHttpError:
    """An answer that is not the one that was hoped for, as an error; `now` is in seconds since 1970."""
    said = _said(answer.body)
    limited_s = limit_s(answer, said, now)
    hint = None
    if limited_s is not None:
        until = datetime.fromtimestamp(now + limited_s, UTC)
        problem = f"{host} takes no more requests until {until:%Y-%m-%d %H:%M:%S} UTC"
        hint = "the next run goes on after that"
    elif answer.status in _REDIRECTS:
        problem = f"{host} redirects to {_shown(answer.headers.get('Location', ''))}, which is not followed"
        hint = "if the service or the project has moved, set CI_FORGE_URL and CI_FORGE_PROJECT"
    else:
        problem = f"{host} answers {answer.status}{f': {said}' if said else ''}"
        hint = _hint(answer.body)
    return ForgeHttpError(
        problem,
        status=answer.status,
        said=said,
        headers=answer.headers,
        limited_s=limited_s,
        is_passing=answer.status in _PASSING,
        hint=hint,
    )


def limit_s(answer: ForgeAnswer, said: str, now: float) -> float | None:
    """How long a service that limits requests wants to be left alone; None when that is not what it says.

    Source: docs.github.com/rest, "Rate limits for the REST API": status 403 or 429, with `retry-after`, or with
    `x-ratelimit-remaining: 0` and `x-ratelimit-reset` (seconds since 1970), or with a sentence alone.
    """
    if answer.status not in (403, 429):
        return None
    asked = retry_after_s(answer.headers, now)
    if asked is not None:
        return asked
    reset = answer.headers.get("X-RateLimit-Reset", "")
    if answer.headers.get("X-RateLimit-Remaining") == "0" and re.fullmatch("[0-9]{1,10}", reset):
        return max(1.0, int(reset) - now + 1)  # nobody says when in that second it is
    return _UNKNOWN_LIMIT_S if answer.status == 429 or "rate limit" in said.lower() else None


def _said(body: bytes) -> str:
    """The sentences of an error, in the places where GitHub, Gitea and GitLab put them."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return ""
    if not isinstance(value, dict):
        return ""
    sentences: list[str] = []
    for name in ("message", "errors", "error", "error_description"):
        sentences += _sentences(value.get(name))
    cleaned = "; ".join("".join(char if char.isprintable() else " " for char in part) for part in sentences)
    return shortened(cleaned, _SAID_MAX)


def _hint(body: bytes) -> str | None:
    """What a build farm says that can be done."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return None
    hint = value.get("hint") if isinstance(value, dict) else None
    return shortened(hint, _SAID_MAX) if isinstance(hint, str) and hint.isprintable() and hint else None


def _sentences(value: object) -> list[str]:
    """One, several, or those of several fields, as GitLab sends them."""
    match value:
        case str():
            found = [value]
        case list():
            found = [_detail(one) for one in value]
        case dict():
            found = [f"{field} {' and '.join(_sentences(said))}" for field, said in list(value.items())[:10]]
        case _:
            found = []
    return [one for one in found if one]


def _detail(error: object) -> str:
    match error:
        case str(text) | {"message": str(text)}:
            return text
        case {"field": str(field), "code": str(code)}:
            return f"{field} is {code}"
        case _:
            return ""


def _shown(location: str) -> str:
    """Where a redirect leads, without a query."""
    try:
        parts = urlsplit(location)
        host = f"{parts.scheme}://{parts.hostname}" if parts.hostname else ""
        return shortened(f"{host}{parts.path}") or "nowhere"
    except ValueError:
        return "no URL"
