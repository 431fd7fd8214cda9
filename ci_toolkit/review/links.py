"""Addresses of pages about an upstream, built from checked parts and never taken from a package's text."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import quote

from ci_toolkit.model.names import is_oid

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ci_toolkit.review.subject import ReviewSubject

_AUR = "https://aur.archlinux.org"
_GIT = re.compile(r"https://(?P<host>[a-z0-9.-]+)/(?P<path>[A-Za-z0-9._~/-]+?)(?:\.git)?/?(?:#path=.*)?")
_PROJECT = re.compile(r"(?P<kind>github|gitlab|gitea):(?P<place>[A-Za-z0-9._/-]+)")
_GITHUB_SOURCE = re.compile(
    r"(?:[^:]+::)?https://github\.com/(?P<owner>[A-Za-z0-9-]{1,39})/(?P<name>[A-Za-z0-9._-]{1,100})/"
    r"(?:archive/(?:refs/tags/)?|releases/download/)(?P<tag>[A-Za-z0-9._+-]+?)(?:/[^/]+|\.tar\.[a-z0-9]+|\.zip)"
)
_GITLAB_SOURCE = re.compile(
    r"(?:[^:]+::)?https://gitlab\.com/(?P<owner>[A-Za-z0-9._/-]+)/(?P<name>[A-Za-z0-9._-]+)/-/archive/"
    r"(?P<tag>[A-Za-z0-9._+-]+)/[^/]+"
)


def upstream_links(subject: ReviewSubject) -> tuple[tuple[str, str], ...]:
    """Label and address of every page worth a look."""
    found = [*_upstream(subject)]
    if subject.link and all(url != subject.link for _, url in found):
        found.append(("this version", subject.link))
    if subject.compare:
        found.append(("compare the sources", subject.compare))
    return tuple(found)


def source_comparison(old: Iterable[str], new: Iterable[str]) -> str | None:
    """The page that compares the two versions of the first source that is an archive of a tag on GitHub or GitLab.

    Both versions must come from the same repository; the sources are those of `.SRCINFO`.
    """
    for pattern, between in ((_GITHUB_SOURCE, "/compare/"), (_GITLAB_SOURCE, "/-/compare/")):
        before = [match for text in old if (match := pattern.fullmatch(text))]
        for match in (match for text in new if (match := pattern.fullmatch(text))):
            home = match.span("owner")[0]
            for earlier in before:
                same = (earlier["owner"], earlier["name"]) == (match["owner"], match["name"])
                if same and earlier["tag"] != match["tag"]:
                    prefix = match.string[match.string.index("https://") : home]
                    steps = f"{quote(earlier['tag'], safe='')}...{quote(match['tag'], safe='')}"
                    return f"{prefix}{match['owner']}/{match['name']}{between}{steps}"
    return None


def _upstream(subject: ReviewSubject) -> Iterator[tuple[str, str]]:
    if subject.upstream == "aur":
        yield from _aur(subject)
        return
    home = _home(subject.upstream or "")
    if home is None:
        return
    yield "repository", home
    old, new = _commit(subject.old_revision), _commit(subject.revision)
    if old and new and old != new:
        yield "compare", f"{home}{_separator(home)}/compare/{old}...{new}"


def _aur(subject: ReviewSubject) -> Iterator[tuple[str, str]]:
    name = quote(subject.pkgbase, safe="")
    yield "package", f"{_AUR}/pkgbase/{name}"
    yield "commit log", f"{_AUR}/cgit/aur.git/log/?h={name}"
    old, new = _commit(subject.old_revision), _commit(subject.revision)
    if new:
        yield "this commit", f"{_AUR}/cgit/aur.git/commit/?h={name}&id={new}"
    if old and new and old != new:
        yield "compare", f"{_AUR}/cgit/aur.git/diff/?h={name}&id={new}&id2={old}"


def _home(upstream: str) -> str | None:
    """The page of a repository that an upstream names."""
    project = _PROJECT.fullmatch(upstream)
    if project is None:
        url = _GIT.fullmatch(upstream)
        return f"https://{url['host']}/{url['path']}" if url else None
    host, slash, path = project["place"].partition("/")
    if project["kind"] == "github":
        return f"https://github.com/{project['place']}"
    if project["kind"] == "gitea":
        return f"https://{host}/{path}" if slash else None
    if not slash or "." not in host:
        host, path = "gitlab.com", project["place"]
    # GitLab sends `/projects/<number>` on to the project itself, but not what stands below it.
    return f"https://{host}/projects/{path}" if path.isdigit() else f"https://{host}/{path}"


def _separator(home: str) -> str:
    return "/-" if "gitlab" in home.split("/")[2] else ""


def _commit(revision: str | None) -> str | None:
    """The commit in a revision: the whole of it, or what stands behind the version of a tag."""
    commit = (revision or "").rpartition(":")[2]
    return commit if is_oid(commit) else None
