"""Addresses of whole services (a GitHub, a GitLab, a Gitea) and of repositories on them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ci_toolkit.errors import ConfigError
from ci_toolkit.formats.source_url import parse_git_url

if TYPE_CHECKING:
    from ci_toolkit.formats.source_url import GitRemote

_DEFAULT_PORTS = {"http": 80, "https": 443}
_LOOPBACK = re.compile(r"127(?:\.[0-9]{1,3}){3}|localhost|::1")
_NAME = re.compile(r"[A-Za-z0-9._-]{1,100}")
_OWNER_AND_NAME = re.compile(r"/(?P<owner>[^/]+)/(?P<name>[^/]+?)(?:\.git)?/?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """A service's address: `url` is `https://host[:port]`, without a path and without a slash at its end."""

    url: str
    host: str
    port: int

    def repository(self, remote: GitRemote) -> tuple[str, str] | None:
        """Owner and name where `remote` is `<service>/<owner>/<name>[.git]`, over http or https; None otherwise."""
        if remote.scheme not in _DEFAULT_PORTS or remote.host != self.host:
            return None
        if remote.port not in (None, self.port):
            return None
        path = _OWNER_AND_NAME.fullmatch("/" + remote.url.split("/", 3)[-1])
        if path is None or not is_repository_name(path["owner"]) or not is_repository_name(path["name"]):
            return None
        return path["owner"], path["name"]


def parse_service(text: str, *, allow_local: bool = False) -> Service:
    """The service at `https://host[:port]`; ConfigError for anything else.

    `http://` is for loopback hosts (`127.x.x.x`, `localhost`, `[::1]`) with `allow_local` alone.
    """
    remote = parse_git_url(text.rstrip("/"))
    authority = remote.url.partition("://")[2]
    if remote.scheme not in _DEFAULT_PORTS or "/" in authority or remote.host is None:
        raise ConfigError("is no address of a service", got=text, hint="write https://host, without a path")
    if remote.scheme == "http" and not (allow_local and is_loopback(remote.host)):
        raise ConfigError("is not encrypted", got=text, hint=f"write https://{authority}")
    return Service(url=remote.url, host=remote.host, port=remote.port or _DEFAULT_PORTS[remote.scheme])


def is_loopback(host: str) -> bool:
    """Whether a host, without brackets, is written as the machine itself. Names are not resolved."""
    return _LOOPBACK.fullmatch(host) is not None


def is_repository_name(text: str) -> bool:
    """Whether `text` may be the owner or the name of a repository: `[A-Za-z0-9._-]{1,100}`, not `.` or `..`."""
    return _NAME.fullmatch(text) is not None and text not in (".", "..")
