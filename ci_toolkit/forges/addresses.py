"""Which project on which service this is: from a remote's URL, or from the variables of a workflow."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

from ci_toolkit.errors import ConfigError
from ci_toolkit.forges.asking import split_repository
from ci_toolkit.formats.service_url import is_loopback

if TYPE_CHECKING:
    from collections.abc import Mapping

_HOST = r"(?P<host>[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?|\[[0-9A-Fa-f:.]{2,45}\])"
_PATH = r"(?P<path>[A-Za-z0-9._/-]{1,400})"
_USER = r"[^@/?#\\\s]{0,2000}"
# A user name and password before the host are what CI services put there; they are not looked at and not kept.
_HTTP = re.compile(rf"(?i:https?)://(?:{_USER}@)?{_HOST}(?P<port>:[0-9]{{1,5}})?/{_PATH}")
_SSH = re.compile(rf"(?i:ssh)://(?:{_USER}@)?{_HOST}(?::[0-9]{{1,5}})?/{_PATH}")
_SCP_LIKE = re.compile(rf"(?:[A-Za-z0-9._-]+@)?{_HOST}:(?!/){_PATH}")
_PUBLIC = "https://github.com"
_SERVICE = re.compile(r"https?://(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::[0-9]{1,5})?(?:/[A-Za-z0-9._~-]+)*")


@dataclass(frozen=True, slots=True, kw_only=True)
class ForgeProject:
    """A project: `api_url` is for GithubReviews, `url`, the service's own address, for GiteaReviews."""

    service: Literal["github", "gitea"]
    url: str
    api_url: str
    repository: str


def project_of(remote_url: str) -> tuple[str, str]:
    """Host (with its port, for http and https) and `owner/name` of a remote; ConfigError, without secrets, otherwise.

    >>> project_of("git@github.com:owner/name.git")
    ('github.com', 'owner/name')
    >>> project_of("https://git.example.org:3000/owner/name")
    ('git.example.org:3000', 'owner/name')
    """
    for form in (_HTTP, _SSH, _SCP_LIKE):
        found = form.fullmatch(remote_url)
        if found is not None:
            owner_and_name = found["path"].removesuffix("/").removesuffix(".git")
            split_repository(owner_and_name)
            return found["host"].lower() + (found.groupdict().get("port") or ""), owner_and_name
    raise ConfigError("is no remote on a service with projects", hint="https://host/owner/name or git@host:owner/name")


def github_api_url(url: str) -> str:
    """Where the API of the GitHub at `https://host[:port]` is."""
    return "https://api.github.com" if url.lower() == _PUBLIC else f"{url}/api/v3"


def workflow_project(environ: Mapping[str, str]) -> ForgeProject | None:
    """The project whose workflow this is, None outside of one; ConfigError when it is named in another way.

    Gitea and Forgejo set the variables of GitHub, with addresses of their own, and one that tells who they are:
    docs.github.com/actions, "Variables reference"; docs.gitea.com/usage/actions; forgejo.org/docs, "Actions reference".
    """
    url, api_url = environ.get("GITHUB_SERVER_URL", ""), environ.get("GITHUB_API_URL", "")
    repository = environ.get("GITHUB_REPOSITORY", "")
    if not (url and api_url and repository):
        return None
    try:
        split_repository(repository)
    except ConfigError as error:
        raise error.located(key="GITHUB_REPOSITORY") from None
    is_gitea = any(environ.get(name) == "true" for name in ("GITEA_ACTIONS", "FORGEJO_ACTIONS"))
    is_gitea = is_gitea or api_url.rstrip("/").endswith("/api/v1")
    return ForgeProject(
        service="gitea" if is_gitea else "github",
        url=url.rstrip("/"),
        api_url=api_url.rstrip("/"),
        repository=repository,
    )


def check_service_url(url: str, *, is_job: bool) -> None:
    """ConfigError when CI_FORGE_URL is no address; `is_job`: it is that of the CI service whose job this is.

    A token goes unencrypted only to this machine, or where the CI service itself sends its own that way.
    """
    if _SERVICE.fullmatch(url) is None:
        shown = url.rpartition("@")[2]  # what is before it may be a password
        raise ConfigError("is no address of a service", key="CI_FORGE_URL", got=shown, hint="write https://host")
    parts = urlsplit(url)
    if parts.scheme == "http" and not is_job and not is_loopback(parts.hostname or ""):
        raise ConfigError("is not encrypted", key="CI_FORGE_URL", got=url, hint="write https://")
