"""Which GitLab and which project there: keys of the configuration first, then what a GitLab CI job tells of itself."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ci_toolkit.errors import ConfigError
from ci_toolkit.forges.addresses import check_service_url

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ci_toolkit.model.settings import Settings

DEFAULT_URL = "https://gitlab.com"
_PROJECT = re.compile(r"[1-9][0-9]{0,17}|[A-Za-z0-9_][A-Za-z0-9_.-]*(?:/[A-Za-z0-9_][A-Za-z0-9_.-]*)+")


@dataclass(frozen=True, slots=True, kw_only=True)
class GitlabAddress:
    """`url` is where the service is, without a slash at its end; `project` its number or full path there.

    `unencrypted`: the CI service itself sends its tokens that way.
    """

    url: str
    project: str
    unencrypted: bool = False


def gitlab_address(settings: Settings, environ: Mapping[str, str]) -> GitlabAddress:
    """The address; ConfigError with the key to set when it cannot be told or the token must not go there."""
    of_job = environ.get("CI_SERVER_URL", "") or environ.get("CI_API_V4_URL", "").removesuffix("/api/v4")
    of_job = of_job.rstrip("/")
    url = (settings.forge_url or of_job or DEFAULT_URL).rstrip("/")
    check_service_url(url, is_job=url == of_job)
    project = settings.forge_project
    if project is None and url == of_job:
        project = environ.get("CI_PROJECT_ID") or environ.get("CI_PROJECT_PATH")
    if not project:
        raise ConfigError(
            "is missing", key="CI_FORGE_PROJECT", hint="the project's number or its path, such as group/project"
        )
    if _PROJECT.fullmatch(project) is None:
        raise ConfigError(
            "is neither a project's number nor its path", key="CI_FORGE_PROJECT", got=project, hint="group/project"
        )
    return GitlabAddress(url=url, project=project, unencrypted=url == of_job and url.startswith("http://"))


def tells_project(environ: Mapping[str, str]) -> bool:
    """Whether a job tells of which project on which GitLab it is."""
    where = ("CI_SERVER_URL", "CI_API_V4_URL")
    which = ("CI_PROJECT_ID", "CI_PROJECT_PATH")
    return all(any(environ.get(name) for name in names) for names in (where, which))
