"""Tokens of services, which show themselves to nobody by accident."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Never

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

# What `gh` reads, in its order: the first is set by a person, the second by a CI service, too.
GITHUB_VARIABLES = ("GH_TOKEN", "GITHUB_TOKEN")
# ACCESS_TOKEN is what pushes, so it has rights: GH_TOKEN may be one without any, for questions alone.
GITLAB_VARIABLES = ("ACCESS_TOKEN", "GITLAB_TOKEN")
GITHUB_FORGE_VARIABLES = ("ACCESS_TOKEN", *GITHUB_VARIABLES)
GITEA_FORGE_VARIABLES = ("ACCESS_TOKEN", "GITEA_TOKEN", "FORGEJO_TOKEN")
FARM_VARIABLES = ("CI_FARM_TOKEN",)
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

    def header(self, scheme: str = "bearer") -> dict[str, str]:
        """The one header it goes into."""
        return {"Authorization": f"{scheme} {self._text}"}

    def private_header(self) -> dict[str, str]:
        """The header that GitLab takes tokens in."""
        return {"PRIVATE-TOKEN": self._text}

    def hidden_in(self, text: str) -> str:
        """`text` without the token: services and proxies may send back what they were sent."""
        return text.replace(self._text, "[hidden]")


def first_token(environ: Mapping[str, str], names: Iterable[str]) -> Token | None:
    """The token in the first of these variables that is set, None without one; ValueError, without the text."""
    texts = (environ.get(name, "").strip() for name in names)
    text = next(filter(None, texts), None)
    return Token(text) if text else None


def github_token(environ: Mapping[str, str]) -> Token | None:
    """The token in GH_TOKEN or else GITHUB_TOKEN, None without one; ValueError, without the text, if it can be none.

    In a job of Gitea or Forgejo GITHUB_TOKEN is that service's, and nobody else's business.
    """
    is_elsewhere = any(environ.get(name) == "true" for name in ("GITEA_ACTIONS", "FORGEJO_ACTIONS"))
    return first_token(environ, GITHUB_VARIABLES[:1] if is_elsewhere else GITHUB_VARIABLES)
