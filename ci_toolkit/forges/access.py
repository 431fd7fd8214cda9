"""Which project of a GitHub or Gitea is meant, and the token for it: keys first, then what a workflow says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

from ci_toolkit.effects.token import first_token
from ci_toolkit.errors import ConfigError
from ci_toolkit.forges.addresses import workflow_project
from ci_toolkit.forges.asking import split_repository
from ci_toolkit.formats.service_url import is_loopback

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ci_toolkit.effects.token import Token
    from ci_toolkit.forges.spec import ForgeTools


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """`url` is the service's own address; `api_url` None: it follows from that."""

    url: str
    repository: str
    api_url: str | None = None


def forge_project(tools: ForgeTools, *, service: Literal["github", "gitea"], default: str | None) -> Project:
    """The project; ConfigError with the key to set when it cannot be told or a token must not go there."""
    job = workflow_project(tools.environ)
    if job is not None and job.service != service:
        job = None
    url = (tools.settings.forge_url or (job.url if job else default) or "").rstrip("/")
    if not url:
        raise ConfigError("is missing", key="CI_FORGE_URL", hint="the address of the service, such as https://host")
    is_job = job is not None and url == job.url
    _check(url, is_job=is_job)
    repository = tools.settings.forge_project or (job.repository if job and is_job else None)
    if not repository:
        raise ConfigError("is missing", key="CI_FORGE_PROJECT", hint="owner/name")
    split_repository(repository)
    return Project(url=url, repository=repository, api_url=job.api_url if job and is_job else None)


def forge_token(environ: Mapping[str, str], names: Sequence[str], *, hint: str) -> Token:
    """The token in the first of these variables that is set; ConfigError when there is none."""
    try:
        token = first_token(environ, names)
    except ValueError:
        raise ConfigError("holds something that is no token", key=" or ".join(names)) from None
    if token is None:
        raise ConfigError("is missing", key=" or ".join(names), hint=hint)
    return token


def _check(url: str, *, is_job: bool) -> None:
    """A token goes unencrypted only to this machine, or where the CI service itself sends its own that way."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc or parts.query:
        raise ConfigError("is no address of a service", key="CI_FORGE_URL", got=url, hint="write https://host")
    if parts.scheme == "http" and not is_job and not is_loopback(parts.hostname):
        raise ConfigError("is not encrypted", key="CI_FORGE_URL", got=url, hint="write https://")
