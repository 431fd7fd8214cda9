"""Tags and releases of projects on GitHub, GitLab and Gitea.

Tags of GitHub and Gitea come from git itself, all with one request and without a limit for those who do not log in;
GitLab's come from its API, as a project is named by its number there. Sources: docs.github.com/rest/releases,
docs.gitlab.com/api/tags, /api/releases and /api/rest (paging), docs.gitea.com/api (v1.22).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urljoin, urlsplit

from ci_toolkit.effects.json_answers import read_json
from ci_toolkit.errors import ConfigError, UpstreamError
from ci_toolkit.formats.source_url import parse_git_url
from ci_toolkit.model.names import Oid, is_oid

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ci_toolkit.effects.web import Answer
    from ci_toolkit.formats.forge_project import ForgeProject
    from ci_toolkit.formats.source_url import GitRemote
    from ci_toolkit.sources.spec import SourceTools

MOST_PAGES = 10
_LIMIT_BYTES = 8 << 20
_GITEA_PAGE = 50
_NEXT = re.compile(r'<([^<>]*)>[^,<>]*;\s*rel="?next"?')
_COUNT = re.compile(r"[0-9]{1,9}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tag:
    """A tag as its forge names it, which may be any text, the commit behind it, and its web page if that is known."""

    name: str
    commit: Oid
    link: str | None


def fetch_tags(project: ForgeProject, tools: SourceTools) -> tuple[Tag, ...]:
    """All tags, of a GitLab the thousand that were updated last; UpstreamError when they cannot be found out."""
    if project.kind == "gitlab":
        return tuple(tag for page in _pages(_tags_url(project), tools) for tag in _gitlab_tags(page, project))
    remote = parse_git_url(f"{project.service.url}/{project.path}.git")
    tags = tools.heads.tags(remote)
    return tuple(Tag(name=name, commit=commit, link=_link(project, name)) for name, commit in tags.items())


def fetch_remote(project: ForgeProject, tools: SourceTools) -> GitRemote:
    """Where the project's git repository is; UpstreamError when its GitLab, which knows it by number, does not say."""
    service = project.service
    local = tools.settings.allow_local_upstreams
    if project.kind != "gitlab":
        return parse_git_url(f"{service.url}/{project.path}.git", allow_local=local)
    url = f"{service.url}/api/v4/projects/{project.path}"
    headers = {"Accept": "application/json"}
    match read_json(tools.web.get(url, limit_bytes=_LIMIT_BYTES, headers=headers, kind="api")):
        case {"http_url_to_repo": str(found)} if found.startswith(f"{service.url}/"):
            try:
                return parse_git_url(found, allow_local=local)
            except ConfigError as error:
                raise UpstreamError(f"{service.host} has project {project.path} at no URL: {error.what}") from error
    raise UpstreamError(f"{service.host} does not say where the repository of project {project.path} is")


def fetch_released(project: ForgeProject, tools: SourceTools) -> frozenset[str]:
    """Names of the tags that have a published release, neither draft nor pre-release nor upcoming.

    Of the latest thousand releases on GitHub and GitLab, the latest five hundred on Gitea; UpstreamError as above.
    """
    return frozenset(name for page in _pages(_releases_url(project), tools) for name in _published(page, project))


def _tags_url(project: ForgeProject) -> str:
    return f"{project.service.url}/api/v4/projects/{project.path}/repository/tags?per_page=100&order_by=updated"


def _releases_url(project: ForgeProject) -> str:
    service = project.service
    match project.kind:
        case "gitlab":
            return f"{service.url}/api/v4/projects/{project.path}/releases?per_page=100"
        case "gitea":
            return f"{service.url}/api/v1/repos/{project.path}/releases?limit={_GITEA_PAGE}"
        case "github":
            api = "https://api.github.com" if service.host == "github.com" else f"{service.url}/api/v3"
            return f"{api}/repos/{project.path}/releases?per_page=100"


def _link(project: ForgeProject, name: str) -> str:
    where = "src/tag" if project.kind == "gitea" else "releases/tag"
    return f"{project.service.url}/{project.path}/{where}/{quote(name)}"


# ------------------------------------------------------------------ lists


def _pages(url: str, tools: SourceTools) -> Iterator[list[Any]]:
    """The pages of a list, at most `MOST_PAGES`; UpstreamError when one is no list, or the next is elsewhere."""
    page: str | None = url
    number = seen = 0
    while page is not None and number < MOST_PAGES:
        answer = tools.web.get(page, limit_bytes=_LIMIT_BYTES, headers={"Accept": "application/json"}, kind="api")
        rows = read_json(answer)
        if not isinstance(rows, list):
            raise UpstreamError(f"{urlsplit(url).hostname} answers with something else than a list")
        yield rows
        number, seen = number + 1, seen + len(rows)
        page = _next_page(answer, url, number=number, seen=seen) if rows else None


def _next_page(answer: Answer, url: str, *, number: int, seen: int) -> str | None:
    """Where a list goes on behind page `number`, with `seen` rows so far; None where it ends.

    GitLab sends `X-Next-Page`, Gitea `X-Total-Count` (and a `Link` that has the host of its configuration, which may be
    another), GitHub a `Link` alone.
    """
    following, total = answer.headers.get("X-Next-Page"), answer.headers.get("X-Total-Count")
    if following is not None:
        return f"{url}&page={following}" if _COUNT.fullmatch(following) else None
    if total is not None and _COUNT.fullmatch(total):
        return f"{url}&page={number + 1}" if seen < int(total) else None
    link = _NEXT.search(answer.headers.get("Link", ""))
    if link is None:
        return None
    try:
        target: str = urljoin(answer.url, link[1])
        is_here = urlsplit(target)[:2] == urlsplit(answer.url)[:2]
    except ValueError:
        is_here = False
    if not is_here:
        raise UpstreamError(f"{urlsplit(url).hostname} has its next page at another host")
    return target


def _gitlab_tags(rows: list[Any], project: ForgeProject) -> Iterator[Tag]:
    for row in rows:
        match row:
            case {"name": str(name), "commit": {"id": str(commit), **more}} if is_oid(commit):
                page = _project_page(more.get("web_url"), project)
                link = f"{page}/-/tags/{quote(name, safe='')}" if page else None
                yield Tag(name=name, commit=Oid(commit), link=link)
            case {"name": str(), "commit": None}:
                continue  # a tag of something else than a commit
            case _:
                raise UpstreamError(f"{project.service.host} answers with something else than tags")


def _project_page(commit_page: object, project: ForgeProject) -> str | None:
    """The project's web page, from that of a commit, where that lies on the same GitLab."""
    shape = rf"({re.escape(project.service.url)}(?:/[A-Za-z0-9_-][A-Za-z0-9._-]*)+)/-/commit/[0-9a-f]+"
    found = re.fullmatch(shape, commit_page) if isinstance(commit_page, str) else None
    return found[1] if found else None


def _published(rows: list[Any], project: ForgeProject) -> Iterator[str]:
    # GitLab before 13.8 knows no releases of the future.
    flags = {"upcoming_release": False} if project.kind == "gitlab" else {"draft": None, "prerelease": None}
    for row in rows:
        said = [row.get(flag, usual) for flag, usual in flags.items()] if isinstance(row, dict) else [None]
        if not all(isinstance(flag, bool) for flag in said) or not isinstance(row.get("tag_name"), str):
            raise UpstreamError(f"{project.service.host} answers with something else than releases")
        if not any(said):
            yield row["tag_name"]
