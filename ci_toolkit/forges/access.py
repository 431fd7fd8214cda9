"""Which project of a GitHub or Gitea is meant, and the token for it: keys first, then what a workflow says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ci_toolkit.effects.token import GITEA_FORGE_VARIABLES, GITHUB_FORGE_VARIABLES, first_token
from ci_toolkit.errors import ConfigError
from ci_toolkit.forges.addresses import check_service_url, workflow_project
from ci_toolkit.forges.asking import split_repository

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ci_toolkit.effects.token import Token
    from ci_toolkit.forges.spec import ForgeTools

# In a workflow it holds the workflow's own token, whatever the service is called: Gitea's and Forgejo's runners set it.
WORKFLOW_TOKEN = "GITHUB_TOKEN"  # noqa: S105 - the name of a variable


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """`url` is the service's own address; `api_url` None: it follows from that.

    `variables` may hold the token for it; `unencrypted`: the CI service itself sends its tokens that way.
    """

    url: str
    repository: str
    variables: tuple[str, ...]
    api_url: str | None = None
    unencrypted: bool = False


def forge_project(tools: ForgeTools, *, service: Literal["github", "gitea"], default: str | None) -> Project:
    """The project; ConfigError with the key to set when it cannot be told or a token must not go there."""
    workflow = workflow_project(tools.environ)
    job = workflow if workflow is not None and workflow.service == service else None
    url = (tools.settings.forge_url or (job.url if job else default) or "").rstrip("/")
    if not url:
        raise ConfigError("is missing", key="CI_FORGE_URL", hint="the address of the service, such as https://host")
    if job is not None and url != job.url:
        job = None
    check_service_url(url, is_job=job is not None)
    repository = tools.settings.forge_project or (job.repository if job else None)
    if not repository:
        raise ConfigError("is missing", key="CI_FORGE_PROJECT", hint="owner/name")
    try:
        split_repository(repository)
    except ConfigError as error:
        raise error.located(key="CI_FORGE_PROJECT") from None
    return Project(
        url=url,
        repository=repository,
        variables=_variables(service, is_job=job is not None, is_workflow=workflow is not None),
        api_url=job.api_url if job else None,
        unencrypted=job is not None and url.startswith("http://"),
    )


def workflow_variables(service: Literal["github", "gitea"]) -> tuple[str, ...]:
    """The variables that may hold a token for the service whose workflow it is, the first one first."""
    return GITHUB_FORGE_VARIABLES if service == "github" else (*GITEA_FORGE_VARIABLES, WORKFLOW_TOKEN)


def forge_token(environ: Mapping[str, str], names: Sequence[str], *, hint: str) -> Token:
    """The token in the first of these variables that is set; ConfigError when there is none."""
    try:
        token = first_token(environ, names)
    except ValueError:
        raise ConfigError("holds something that is no token", key=" or ".join(names)) from None
    if token is None:
        raise ConfigError("is missing", key=" or ".join(names), hint=hint)
    return token


def _variables(service: Literal["github", "gitea"], *, is_job: bool, is_workflow: bool) -> tuple[str, ...]:
    """A workflow's own token goes to nobody but the workflow's own service."""
    if is_job:
        return workflow_variables(service)
    if service == "gitea":
        return GITEA_FORGE_VARIABLES
    return tuple(name for name in GITHUB_FORGE_VARIABLES if name != WORKFLOW_TOKEN or not is_workflow)
