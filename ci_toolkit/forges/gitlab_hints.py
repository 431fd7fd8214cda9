"""What to do about a refusal of GitLab."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ci_toolkit.effects.forge_answers import ForgeHttpError

_TOKEN = "set ACCESS_TOKEN to a project, group or personal access token with scope api that has not expired"  # noqa: S105 - a hint
_TOLD_APART = frozenset({401, 403, 404, 429})


def gitlab_hint(error: ForgeHttpError, role: str) -> str | None:
    """The remedy for 401, 403 and 404 when what was asked for needs `role`; None where there is none to name."""
    if error.status == 401 or (error.status == 403 and "scope" in error.said.lower()):
        return _TOKEN
    if error.status == 403:
        return f"the token needs scope api, and its user role {role} or more in the project"
    if error.status == 404:
        return "see CI_FORGE_PROJECT; it says so, too, when the token's user is no member of a private project"
    return None


def will_not(error: ForgeHttpError) -> bool:
    """Whether the service will not do that in the state that things are in."""
    return error.status is not None and 400 <= error.status < 500 and error.status not in _TOLD_APART
