"""`CI_FORGE=auto`: the service whose CI job this is, when a token lets reviews be opened there; else none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ci_toolkit.effects.token import GITHUB_FORGE_VARIABLES, GITLAB_VARIABLES
from ci_toolkit.errors import ConfigError
from ci_toolkit.forges.access import workflow_variables
from ci_toolkit.forges.addresses import workflow_project
from ci_toolkit.forges.gitlab_address import tells_project

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ci_toolkit.model.settings import Settings

AUTO = "auto"
_LOCAL = "local"


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The forge's name, and why it is not the one that a person might expect."""

    name: str
    warning: str | None = None


def choose_forge(settings: Settings, environ: Mapping[str, str]) -> Choice:
    """What CI_FORGE names, or for `auto` what this run's surroundings speak for."""
    if settings.forge != AUTO:
        return Choice(name=settings.forge)
    if environ.get("GITLAB_CI"):
        is_known = settings.forge_project is not None or tells_project(environ)
        return _for_job("gitlab", GITLAB_VARIABLES, environ, is_known=is_known)
    if environ.get("GITHUB_ACTIONS") == "true":
        return _for_workflow(settings, environ)
    return Choice(name=_LOCAL)


def _for_workflow(settings: Settings, environ: Mapping[str, str]) -> Choice:
    try:
        project = workflow_project(environ)
    except ConfigError as error:
        return Choice(name=_LOCAL, warning=f"reviews stay branches: {error.what}")
    if project is None:
        is_known = settings.forge_project is not None
        return _for_job("github", GITHUB_FORGE_VARIABLES, environ, is_known=is_known)
    return _for_job(project.service, workflow_variables(project.service), environ, is_known=True)


def _for_job(name: str, variables: Sequence[str], environ: Mapping[str, str], *, is_known: bool) -> Choice:
    if not any(environ.get(variable, "").strip() for variable in variables):
        wanted = " or ".join(variables)
        return Choice(name=_LOCAL, warning=f"reviews stay branches: set {wanted} to have them shown, or CI_FORGE=local")
    if not is_known:
        problem = "the job does not say which project it belongs to"
        return Choice(name=_LOCAL, warning=f"reviews stay branches: {problem}; set CI_FORGE_PROJECT, or CI_FORGE=local")
    return Choice(name=name)
