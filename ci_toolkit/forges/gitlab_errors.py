"""What GitLab's refusals mean, in words that say what to do about them."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import requests
from gitlab.exceptions import GitlabError, GitlabParsingError

from ci_toolkit.effects.forge_session import ForgeLimitError
from ci_toolkit.errors import ForgeError, shortened

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ci_toolkit.effects.token import Token

_TOKEN_HINT = "set ACCESS_TOKEN to a project, group or personal access token with scope api that has not expired"  # noqa: S105 - a hint


class UncertainError(ForgeError):
    """It may have been done nevertheless: the answer was lost or the service failed after it had begun."""


class ServiceRefusedError(ForgeError):
    """The service will not do that in the state that things are in; `conflict`: because it has been done already."""

    conflict = False


@contextmanager
def translated(what: str, *, token: Token, url: str, role: str = "Developer") -> Iterator[None]:
    """Whatever goes wrong inside becomes a ForgeError that says that `what` failed; `role` is the one it needs."""
    try:
        yield
    except GitlabParsingError:
        raise UncertainError(f"{what}: {url} gave an answer that is no JSON of GitLab's API") from None
    except GitlabError as error:
        _hide(error, token)
        raise _of_status(what, error, url=url, role=role) from None
    except requests.RequestException as error:
        raise _of_connection(what, error, url=url) from None
    except (KeyError, TypeError, IndexError):
        raise ForgeError(f"{what}: {url} gave an answer in another shape than GitLab's API") from None


def _of_status(what: str, error: GitlabError, *, url: str, role: str) -> ForgeError:
    status = error.response_code
    said = _said(error)
    if status == 401:
        return ForgeError(f"{what}: {url} does not know the token (401)", hint=_TOKEN_HINT)
    if status == 403:
        if "scope" in said.lower():
            return ForgeError(f"{what}: the token lacks a scope (403)", hint=_TOKEN_HINT)
        return ForgeError(
            f"{what}: the token may not do that (403)",
            hint=f"it needs scope api, and its user role {role} or more in the project",
        )
    if status == 404:
        return ForgeError(
            f"{what}: {url} says that it is not there (404)",
            hint="see CI_FORGE_PROJECT; it says so, too, when the token's user is no member of a private project",
        )
    if status == 429:
        return ForgeError(f"{what}: {url} asks to be left alone for longer than a run waits (429)")
    if status is not None and status >= 500:
        return UncertainError(f"{what}: {url} failed ({status})")
    if status is not None and 300 <= status < 400:
        return ForgeError(f"{what}: {url} sends elsewhere ({status})", hint="set CI_FORGE_URL to where it really is")
    refused = ServiceRefusedError(f"{what}: {url} refuses ({status})" + (f": {said}" if said else ""))
    refused.conflict = status == 409
    return refused


def _hide(error: BaseException | None, token: Token) -> None:
    """Take the token out of what a service has echoed, in the error and in what led to it."""
    while error is not None:
        if isinstance(error, GitlabError):
            error.args = (token.hidden_in(str(error.args[0]) if error.args else ""),)
            error.error_message = token.hidden_in(str(error.error_message))
            error.response_body = None
        error = error.__cause__ or error.__context__


def _of_connection(what: str, error: requests.RequestException, *, url: str) -> ForgeError:
    if isinstance(error, ForgeLimitError):
        return ForgeError(f"{what}: {url} {error}")
    if isinstance(error, requests.exceptions.SSLError):
        return ForgeError(
            f"{what}: the certificate of {url} is not trusted", hint="set CI_FORGE_CA to a file with its authority's"
        )
    if isinstance(error, requests.Timeout):
        return UncertainError(f"{what}: {url} did not answer in time")
    if isinstance(error, requests.ConnectionError | requests.exceptions.ChunkedEncodingError):
        return UncertainError(f"{what}: the connection to {url} failed")
    return ForgeError(f"{what}: {url} could not be asked ({type(error).__name__})")


def _said(error: GitlabError) -> str:
    """The service's own words on one line; a page of HTML has none worth showing."""
    text = str(error.error_message)
    if text.lstrip().startswith("<"):
        return ""
    return shortened("".join(character if character.isprintable() else " " for character in text), 200)
