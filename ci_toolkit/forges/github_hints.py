"""What to do about a refusal of GitHub: which permission is missing, and where it is given."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ci_toolkit.effects.forge_answers import ForgeHttpError

PULLS_READ = "Pull requests: read"
PULLS_WRITE = "Pull requests: write"
MERGE = "Pull requests: write and Contents: write"
ISSUES_READ = "Issues: read"
ISSUES_WRITE = "Issues: write"
STATUSES_WRITE = "Commit statuses: write"

# `pull_requests=write`, and alternatives after a semicolon; docs.github.com/rest, "Troubleshooting the REST API".
_ACCEPTED = re.compile(r"[a-z_]+=[a-z]+(?:[,;] ?[a-z_]+=[a-z]+){0,9}")
_WORKFLOW_NAMES = {"Commit statuses": "statuses"}


def github_hint(error: ForgeHttpError, permission: str) -> str | None:
    """The remedy for 401, 403 and 404 when what was asked for needs `permission`; None where there is none to name."""
    said = error.said.lower()
    if error.status == 401:
        return "the token is wrong, expired or revoked"
    if error.status == 403 and "X-GitHub-SSO" in error.headers:
        return "authorise the token for the organisation's single sign-on"
    if error.status == 403 and "not permitted to create" in said:
        return "allow it in the project under Settings, Actions, General, Workflow permissions"
    if error.status == 403:
        return _missing(error, permission)
    if error.status == 404:
        return f"there is no such thing, or the token may not see it: {_missing(error, permission)}"
    if error.status == 422 and "no commits between" in said:
        return "the branch holds nothing that its target does not have"
    return None


def _missing(error: ForgeHttpError, permission: str) -> str:
    in_workflow = re.sub(r"([A-Z][a-z ]+): ", lambda found: f"{_workflow_name(found[1])}: ", permission)
    accepted = error.headers.get("X-Accepted-GitHub-Permissions", "")
    told = f"; it says {accepted}" if _ACCEPTED.fullmatch(accepted) else ""
    return (
        f"the token needs {permission} (fine-grained), the scope repo (classic), "
        f"or in a workflow permissions: {in_workflow}{told}"
    )


def _workflow_name(title: str) -> str:
    return _WORKFLOW_NAMES.get(title, title.lower().replace(" ", "-"))
