"""Tokens of services, which show themselves to nobody by accident."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Never

if TYPE_CHECKING:
    from collections.abc import Mapping

# What `gh` reads, in its order: the first is set by a person, the second by a CI service, too.
GITHUB_VARIABLES = ("GH_TOKEN", "GITHUB_TOKEN")
_TOKEN = re.compile(r"[A-Za-z0-9._~+/=-]{1,1024}")  # RFC 6750's b64token


class Token:
    """A bearer token; neither its `repr` nor its `str` tells what it is, and it cannot be pickled."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        """ValueError, without the text, when it is no bearer token."""
        if _TOKEN.fullmatch(text) is None:
            raise ValueError("this is no bearer token")
        self._text = text

    def __repr__(self) -> str:
        return "Token([hidden])"

    def __reduce__(self) -> Never:
        raise TypeError("tokens are not written anywhere")

    def header(self) -> dict[str, str]:
        """The one header it goes into."""
        return {"Authorization": f"bearer {self._text}"}


def github_token(environ: Mapping[str, str]) -> Token | None:
    """The token in GH_TOKEN or else GITHUB_TOKEN, None without one; ValueError, without the text, if it can be none."""
    texts = (environ.get(name, "").strip() for name in GITHUB_VARIABLES)
    text = next(filter(None, texts), None)
    return Token(text) if text else None
