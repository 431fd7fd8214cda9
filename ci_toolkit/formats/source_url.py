"""URLs of git repositories, and the sources in a PKGBUILD that come from a version control system.

Both are strangers' text that ends up in the arguments of git. `parse_git_url` is the allow-list on reading; whether a
host may be talked to (private, loopback addresses) and which protocols git itself allows is decided where it is run.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, Never, cast

from ci_toolkit.errors import ConfigError

URL_MAX = 2048
_HTTP = ("https", "http")
_SCHEMES = (*_HTTP, "ssh", "git")
_WRITE = "write https://host/path; ssh:// and git:// are possible, too"

_VISIBLE_ASCII = re.compile(r"[!-\[\]-~]*")  # neither blanks nor control characters nor the backslash
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_REST = re.compile(r"(?P<authority>[^/?#]*)(?P<path>.*)")
_AUTHORITY = re.compile(r"(?:(?P<user>.*)@)?(?P<host>\[[^\]@]*\]|[^:@\[\]]*)(?::(?P<port>[0-9]{1,5}))?")
_HOST = re.compile(r"[a-z0-9_][a-z0-9._-]*|\[[0-9a-f:.]+\]")
_USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+-]*")
_SCP_LIKE = re.compile(
    r"(?:[^/:]*@)?(?P<host>[A-Za-z0-9_.-]+):(?!:)(?P<path>[^@%?]*)"
)  # the path is shown: nothing secret in it
_PORT_MAX = 65535

Vcs = Literal["git", "hg", "svn", "bzr", "fossil"]
FragmentKind = Literal["branch", "tag", "commit", "revision"]

_VCS_SOURCE = re.compile(r"(?P<vcs>git|hg|svn|bzr|fossil)(?P<plus>\+?)(?P<url>.*)", re.DOTALL)
_FRAGMENT_KINDS = ("branch", "tag", "commit", "revision")


@dataclass(frozen=True, slots=True, kw_only=True)
class GitRemote:
    """The URL of a git repository that is fit to be given to git.

    `url` is as it was written, but for scheme and host in lower case; `host` has no brackets around an IPv6 address and
    is None for a local file; `port` is None for the usual one.
    """

    url: str
    scheme: str
    host: str | None
    port: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class VcsSource:
    """A source that is checked out instead of downloaded.

    `url` is without fragment and query and has *not* been checked. Without a fragment both parts of it are None; one
    that makepkg does not know has kind None and its whole text as value.
    """

    vcs: Vcs
    url: str
    fragment_kind: FragmentKind | None
    fragment_value: str | None


def parse_git_url(text: str, *, allow_local: bool = False) -> GitRemote:
    """The repository that `text` names; ConfigError, without any user name or password in it, when it may not be used.

    Schemes: https, http, ssh, git; with `allow_local` also `file:///path`. A user name is for ssh alone; passwords are
    refused everywhere: they belong into the credentials of whoever runs git.
    """
    _check_characters(text)
    scheme_match = _SCHEME.match(text)
    scheme = scheme_match[1].lower() if scheme_match else None
    if scheme_match is None or scheme is None:
        _refuse_without_scheme(text)
    if scheme not in _SCHEMES and not (scheme == "file" and allow_local):
        _refuse("has a scheme that is not allowed", text, _hint_for_scheme(scheme))
    rest = _REST.fullmatch(text, scheme_match.end())
    if rest is None:  # every visible text matches
        raise AssertionError(text)
    if scheme == "file":
        return _local_remote(text, rest["authority"], rest["path"])
    return _network_remote(text, scheme, rest["authority"], rest["path"])


def parse_vcs_source(entry: str) -> VcsSource | None:
    """A makepkg source `[name::][vcs+]url[#fragment][?query]`, None when it is a plain download or a local file.

    Cut as makepkg 6.0.2 cuts: the name ends at the first `::`, the URL at the first `#` or `?`, the fragment begins
    behind the first `#` and ends before its last `?`, its value is behind its last `=`. No text makes it raise.
    """
    _, colons, behind_name = entry.partition("::")
    source = _VCS_SOURCE.fullmatch(behind_name if colons else entry)
    if source is None:
        return None
    located = source["url"] if source["plus"] else f"{source['vcs']}{source['url']}"
    url = re.split(r"[#?]", located, maxsplit=1)[0]
    is_launchpad = source["vcs"] == "bzr" and bool(source["plus"]) and url.startswith("lp:")
    if not (is_launchpad or _SCHEME.match(url)) or (not source["plus"] and not url.startswith(f"{source['vcs']}://")):
        return None
    kind, value = _split_fragment(located)
    return VcsSource(vcs=cast("Vcs", source["vcs"]), url=url, fragment_kind=kind, fragment_value=value)


def _split_fragment(located: str) -> tuple[FragmentKind | None, str | None]:
    _, mark, behind = located.partition("#")
    fragment = behind.rpartition("?")[0] if "?" in behind else behind
    if not mark or not fragment:
        return None, None
    kind = fragment.partition("=")[0]
    if kind not in _FRAGMENT_KINDS:
        return None, fragment
    return cast("FragmentKind", kind), fragment.rpartition("=")[2]


def _check_characters(text: str) -> None:
    if not text:
        _refuse("is empty", text, _WRITE)
    if len(text) > URL_MAX:
        _refuse(f"is longer than {URL_MAX:,} characters", text, "no such repository is known")
    if not _VISIBLE_ASCII.fullmatch(text):
        _refuse(
            "has a blank, a control character, a backslash or a letter beyond ASCII",
            text,
            "percent-encode or remove it",
        )
    if text.startswith("-"):
        _refuse("begins with a hyphen", text, "git would take it for an option")
    for mark in "#?":
        if mark in text:
            # Programs disagree on where the host ends in https://good?@bad/.
            _refuse(f"has a `{mark}`, which no URL of a repository has", text, "a branch or tag cannot be chosen here")


def _refuse_without_scheme(text: str) -> Never:
    helper, colons, _ = text.partition("::")
    if colons and "/" not in helper:
        _refuse("names a remote helper of git, which could run any program", text, _WRITE)
    scp_like = _SCP_LIKE.fullmatch(text)
    if scp_like and not scp_like["path"].startswith("//"):
        path = scp_like["path"].removeprefix("/")
        _refuse("is the short form of an ssh address", text, f"write ssh://USER@{scp_like['host']}/{path}")
    _refuse("is no URL of a git repository", text, _WRITE)


def _hint_for_scheme(scheme: str) -> str:
    if scheme.startswith("git+"):
        return f"leave out `git+`, which only sources in a PKGBUILD have: {scheme.removeprefix('git+')}://…"
    return _WRITE


def _local_remote(text: str, authority: str, path: str) -> GitRemote:
    if authority or not path.startswith("/"):
        _refuse("is no local path", text, "write file:///path, with three slashes")
    return GitRemote(url=f"file://{path}", scheme="file", host=None, port=None)


def _network_remote(text: str, scheme: str, authority: str, path: str) -> GitRemote:
    parts = _AUTHORITY.fullmatch(authority)
    user = authority.rpartition("@")[0] if "@" in authority else None
    if user is not None:
        _check_user(text, scheme, user)
    if parts is None:
        _refuse("has an impossible host or port", text, _WRITE)
    host = parts["host"].lower()
    if not host:
        _refuse("names no host", text, _WRITE)
    if not _HOST.fullmatch(host):
        _refuse("has an impossible host", text, "letters, digits and . - _ only, no hyphen first")
    port = int(parts["port"]) if parts["port"] else None
    if port is not None and not 0 < port <= _PORT_MAX:
        _refuse("has an impossible port", text, f"ports are 1 to {_PORT_MAX}")
    shown_user = f"{user}@" if user is not None else ""
    shown_port = f":{parts['port']}" if port is not None else ""
    return GitRemote(
        url=f"{scheme}://{shown_user}{host}{shown_port}{path}", scheme=scheme, host=host.strip("[]"), port=port
    )


def _check_user(text: str, scheme: str, user: str) -> None:
    if scheme != "ssh":
        _refuse(
            "carries a user name, password or token", text, "leave it out; credentials are given to ci-toolkit itself"
        )
    if ":" in user:
        _refuse("carries a password", text, "ssh authenticates with a key; leave the user name only")
    if not _USER.fullmatch(user):
        _refuse("has an impossible user name", text, "letters, digits and . _ + - only, no hyphen first")


def _refuse(problem: str, text: str, hint: str) -> Never:
    raise ConfigError(problem, got=_redacted(text), hint=hint)


def _redacted(text: str) -> str:
    """`text` without anything that may be a secret: what is before the last `@`, however written, and the query."""
    scheme = _SCHEME.match(text)
    rest = text[scheme.end() if scheme else 0 :]
    *secrets, shown = re.split(r"@|%40", rest)
    hidden = "[hidden]@" if secrets else ""
    located, mark, _ = shown.partition("?")
    return f"{scheme[0] if scheme else ''}{hidden}{located}{f'{mark}[hidden]' if mark else ''}"
