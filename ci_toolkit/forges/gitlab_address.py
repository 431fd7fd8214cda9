"""Which GitLab and which project there: keys of the configuration first, then what a GitLab CI job tells of itself."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from ci_toolkit.errors import ConfigError
from ci_toolkit.formats.service_url import is_loopback

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ci_toolkit.model.settings import Settings

DEFAULT_URL = "https://gitlab.com"
_URL = re.compile(r"https?://(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::[0-9]{1,5})?(?:/[A-Za-z0-9._~-]+)*")
_PROJECT = re.compile(r"[1-9][0-9]{0,17}|[A-Za-z0-9_][A-Za-z0-9_.-]*(?:/[A-Za-z0-9_][A-Za-z0-9_.-]*)+")


@dataclass(frozen=True, slots=True, kw_only=True)
class GitlabAddress:
    """`url` is where the service is, without a slash at its end; `project` its number or full path there."""

    url: str
    project: str


def gitlab_address(settings: Settings, environ: Mapping[str, str]) -> GitlabAddress:
    """The address; ConfigError with the key to set when it cannot be told or the token must not go there."""
    of_job = environ.get("CI_SERVER_URL", "") or environ.get("CI_API_V4_URL", "").removesuffix("/api/v4")
    of_job = of_job.rstrip("/")
    url = (settings.forge_url or of_job or DEFAULT_URL).rstrip("/")
    _check(url, of_job)
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
    return GitlabAddress(url=url, project=project)


def _check(url: str, of_job: str) -> None:
    """A token goes unencrypted only to this machine, or where the CI service itself sends its own that way."""
    if _URL.fullmatch(url) is None:
        raise ConfigError("is no address of a service", key="CI_FORGE_URL", got=url, hint="write https://host")
    parts = urlsplit(url)
    if parts.scheme == "http" and url != of_job and not is_loopback(parts.hostname or ""):
        raise ConfigError("is not encrypted", key="CI_FORGE_URL", got=url, hint="write https://")
