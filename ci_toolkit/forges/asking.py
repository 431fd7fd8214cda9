"""What the clients of all services have in common: sentences on what failed, and limits of texts."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from ci_toolkit.effects.forge_answers import ForgeHttpError
from ci_toolkit.errors import ConfigError, ForgeError
from ci_toolkit.formats.service_url import is_repository_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ci_toolkit.effects.forge_http import ForgeHttp

log = logging.getLogger(__name__)

_Made = TypeVar("_Made")
STATUS_TEXT_MAX = 140
BODY_MAX = 65_536  # characters of a description or remark: GitHub's limit; Gitea has none of its own

_LOOK_AGAIN_AFTER_S = (0.0, 1.0, 3.0)  # a service may still be at what it was asked for
# A library that trusts its service meets nonsense with any of these, and so does reading what ought to be there.
_NONSENSE = (AssertionError, AttributeError, LookupError, RuntimeError, TypeError, ValueError)


@contextmanager
def asking(
    doing: str,
    host: str,
    hint: Callable[[ForgeHttpError], str | None],
    *,
    also_nonsense: tuple[type[Exception], ...] = (),
) -> Iterator[None]:
    """Around requests and the reading of their answers: a failure says what was being done, and what helps."""
    nonsense: tuple[type[Exception], ...] = (*_NONSENSE, *also_nonsense)
    try:
        yield
    except ForgeHttpError as error:
        raise error.explained(doing, hint(error)) from error.__cause__
    except nonsense as error:
        problem = f"{doing}: {host} answers with something else than its API does"
        raise ForgeHttpError(problem, hint="is this the address of the API?") from error


def made_nevertheless(http: ForgeHttp, look: Callable[[], _Made | None]) -> _Made | None:
    """What `look` finds of something that a failed request has made, or somebody before it."""
    for pause_s in _LOOK_AGAIN_AFTER_S:
        http.pause(pause_s)
        try:
            found = look()
        except ForgeError as error:
            log.info("%s", error)
        else:
            if found is not None:
                return found
    return None


def split_repository(repository: str) -> tuple[str, str]:
    """Owner and name of `owner/name`; ConfigError for anything else."""
    owner, _, name = repository.partition("/")
    if not (is_repository_name(owner) and is_repository_name(name)):
        raise ConfigError("is no project", got=repository, hint="write owner/name")
    return owner, name


def cut(text: str, limit: int) -> str:
    """`text` with at most `limit` characters."""
    return text if len(text) <= limit else text[: limit - 1] + "…"


def with_plain_lines(text: str | None) -> str:
    """A description as it was sent: services store line ends as browsers send them."""
    return (text or "").replace("\r\n", "\n")
