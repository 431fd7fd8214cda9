"""The words of PromQL: text cut into numbers, strings, names, ranges and signs.

Source: prometheus.io/docs/prometheus/latest/querying/basics, and what Prometheus 2.42 takes. Variables of
Grafana such as `$__interval` stand where a duration may.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ci_toolkit.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator

Kind = Literal["space", "string", "range", "duration", "number", "name", "sign", "end"]
_LENGTH = r"(?:\$\{?[A-Za-z_]\w*\}?|-?(?:[0-9]+(?:ms|[smhdwy]))+|[0-9]+(?:\.[0-9]+)?)"
_TOKEN = re.compile(
    rf"""
    (?P<space>\s+|\#[^\n]*)
    |(?P<string>"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|`[^`]*`)
    |(?P<range>\[\s*{_LENGTH}\s*(?::\s*(?:{_LENGTH})?\s*)?\])
    |(?P<duration>\$\{{?[A-Za-z_]\w*\}}?|(?:[0-9]+(?:ms|[smhdwy]))+\b)
    |(?P<number>0[xX][0-9a-fA-F]+\b|(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?\b|[0-9]+\.)
    |(?P<name>[A-Za-z_:][A-Za-z0-9_:]*)
    |(?P<sign>=~|!~|!=|==|>=|<=|[-+*/%^<>=(){{}},@])
    """,
    re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class Token:
    """A word as it stands there, and where it begins."""

    kind: Kind
    text: str
    at: int


def promql_tokens(text: str) -> Iterator[Token]:
    """All words but comments, and an `end`; ConfigError at a sign that means nothing."""
    at = 0
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None:
            raise ConfigError("is no PromQL from here on", got=text[at:])
        kind: Kind = found.lastgroup  # type: ignore[assignment]  # the groups are called like the kinds
        if kind != "space":
            yield Token(kind, found[0], at)
        at = found.end()
    yield Token("end", "", at)
