"""`CI_PKGBUILD_SOURCE` where it names a project on a forge, whose tags are the package's versions.

    gitlab:<id>               the project's number at gitlab.com
    gitlab:<host>/<id>        at another GitLab
    github:<owner>/<name>     at the GitHub of CI_GITHUB_URL
    gitea:<host>/<owner>/<name>

A host may have a port, `[::1]:3000` is one, too. What is asked is always https, but for loopback hosts where local
upstreams are allowed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

from ci_toolkit.errors import ConfigError
from ci_toolkit.formats.service_url import Service, is_loopback, is_repository_name, parse_service

if TYPE_CHECKING:
    from collections.abc import Sequence

ForgeKind = Literal["gitlab", "github", "gitea"]

_GITLAB = "gitlab.com"
_NUMBER = re.compile(r"[1-9][0-9]{0,17}")
_HOST = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_][A-Za-z0-9._-]*)(?::[0-9]{1,5})?")
_FORMS = {
    "gitlab": "write gitlab:NUMBER or gitlab:HOST/NUMBER, with the number that the project's page shows",
    "github": "write github:OWNER/NAME",
    "gitea": "write gitea:HOST/OWNER/NAME",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ForgeProject:
    """A project: `path` is its number as text on a GitLab and `owner/name` elsewhere."""

    kind: ForgeKind
    service: Service
    path: str

    @property
    def shown(self) -> str:
        """As people know it: `codeberg.org/owner/name`."""
        return f"{self.service.url.partition('://')[2]}/{self.path}"


def parse_forge_project(text: str, *, github_url: str, allow_local: bool = False) -> ForgeProject:
    """The project that `text` names; ConfigError, which says what to write instead, when it names none."""
    kind, colon, rest = text.partition(":")
    words = rest.split("/")
    match kind:
        case "gitlab" if colon and len(words) <= 2:
            *host, number = words
            service = _service(text, host[0] if host else _GITLAB, allow_local=allow_local)
            if not _NUMBER.fullmatch(number):
                raise _refusal(text, "is no project's number")
            return ForgeProject(kind="gitlab", service=service, path=number)
        case "github" if colon and len(words) == 2:
            return ForgeProject(kind="github", service=_github(github_url, allow_local), path=_path(text, words))
        case "gitea" if colon and len(words) == 3:
            service = _service(text, words[0], allow_local=allow_local)
            return ForgeProject(kind="gitea", service=service, path=_path(text, words[1:]))
    raise _refusal(text, "names no project")


def _refusal(text: str, problem: str) -> ConfigError:
    kind = text.partition(":")[0]
    hint = _FORMS[kind] if kind in get_args(ForgeKind) else "; ".join(_FORMS.values())
    return ConfigError(problem, got=text, hint=hint)


def _github(url: str, allow_local: bool) -> Service:
    try:
        return parse_service(url, allow_local=allow_local)
    except ConfigError as error:
        raise error.located(key="CI_GITHUB_URL") from None


def _service(text: str, host: str, *, allow_local: bool) -> Service:
    found = _HOST.fullmatch(host)
    if found is None:
        raise _refusal(text, "has an impossible host")
    scheme = "http" if allow_local and is_loopback(found["host"].strip("[]").lower()) else "https"
    return parse_service(f"{scheme}://{host}", allow_local=allow_local)


def _path(text: str, words: Sequence[str]) -> str:
    if not all(map(is_repository_name, words)):
        raise _refusal(text, "has an impossible owner or name")
    if words[-1].endswith(".git"):
        raise _refusal(text, "is a project's name with `.git`, which is left out")
    return "/".join(words)
