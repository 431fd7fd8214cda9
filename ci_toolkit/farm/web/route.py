"""A route of the web side: who may call it, what it takes and answers, and what does it.

The API's description is made of these, and so are its rules, so that neither can say what the other does not.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ci_toolkit.farm.web.schemas import TEXT

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from flask import Response

    from ci_toolkit.farm.web.access import Access
    from ci_toolkit.farm.web.schemas import Schema

JSON_TYPE = "application/json"
TEXT_TYPE = "text/plain"
PAGE_TYPE = "text/html"
SMALL_BYTES = 64 << 10
"""What a request may have that is no schedule."""

_PLACE = re.compile(r"<(?:(?P<kind>[a-z]+):)?(?P<name>[a-z]+)>")


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """A parameter in the query; `many`: it may be given several times."""

    name: str
    meaning: str
    schema: Schema = field(default_factory=lambda: TEXT)
    many: bool = False
    required: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """What a request brings: of this type, no longer than `most_bytes`, of this schema if it is JSON of ours."""

    content_type: str = JSON_TYPE
    schema: Schema | None = None
    most_bytes: int = SMALL_BYTES
    meaning: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """An answer: its type, its schema if that is JSON, and what it means."""

    meaning: str
    content_type: str = JSON_TYPE
    schema: Schema | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """`rule` is a path as Flask writes it; `view` gets the desk, the call and the parts of the path."""

    method: str
    rule: str
    view: Callable[..., Response]
    summary: str
    access: Access
    outcomes: Mapping[int, Outcome]
    parameters: tuple[Parameter, ...] = ()
    body: Body | None = None

    @property
    def name(self) -> str:
        """What it is called: the name of what does it."""
        return self.view.__name__

    @property
    def is_page(self) -> bool:
        """Whether people look at it, in a browser."""
        return any(outcome.content_type == PAGE_TYPE for outcome in self.outcomes.values())

    @property
    def path(self) -> str:
        """The rule as OpenAPI writes it."""
        return _PLACE.sub(r"{\g<name>}", self.rule)

    @property
    def places(self) -> dict[str, str]:
        """The parts of the path that are to be filled in, each with its kind: `string` or `int`."""
        return {found["name"]: found["kind"] or "string" for found in _PLACE.finditer(self.rule)}
