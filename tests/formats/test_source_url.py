from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ci_toolkit.errors import ConfigError
from ci_toolkit.formats.source_url import GitRemote, VcsSource, parse_git_url, parse_vcs_source

CANARY = "glpat-CANARY"


@pytest.mark.parametrize(
    ("text", "url", "scheme", "host", "port"),
    [
        ("https://aur.archlinux.org/x.git", None, "https", "aur.archlinux.org", None),
        ("http://host/x", None, "http", "host", None),
        ("git://git.host.org:9418/x", None, "git", "git.host.org", 9418),
        ("ssh://aur@aur.archlinux.org/x.git", None, "ssh", "aur.archlinux.org", None),
        ("ssh://host:22/~user/x", None, "ssh", "host", 22),
        ("HTTPS://GitHub.COM:443/Owner/Name", "https://github.com:443/Owner/Name", "https", "github.com", 443),
        ("ssh://Git@HOST/X", "ssh://Git@host/X", "ssh", "host", None),
        ("https://[::1]:8080/x", None, "https", "::1", 8080),
        ("https://host/a/../b@c:d%20", None, "https", "host", None),
        ("https://host", None, "https", "host", None),
        ("https://my_host./x", None, "https", "my_host.", None),
        ("https://h/" + "x" * 2038, None, "https", "h", None),
    ],
)
def test_git_url(text: str, url: str | None, scheme: str, host: str, port: int | None) -> None:
    assert parse_git_url(text) == GitRemote(url=url or text, scheme=scheme, host=host, port=port)


def test_local_repository_only_when_allowed() -> None:
    remote = parse_git_url("FILE:///tmp/Repo", allow_local=True)
    assert remote == GitRemote(url="file:///tmp/Repo", scheme="file", host=None, port=None)
    with pytest.raises(ConfigError, match="has a scheme that is not allowed"):
        parse_git_url("file:///tmp/Repo")


@pytest.mark.parametrize("text", ["file://host/x", "file://", "file://x", "/tmp/x", "./x", "file:/x"])
def test_odd_local_repository_is_refused(text: str) -> None:
    with pytest.raises(ConfigError):
        parse_git_url(text, allow_local=True)


@pytest.mark.parametrize(
    ("text", "problem", "hint"),
    [
        ("", "is empty", "https://"),
        ("-uhttps://h/x", "hyphen", "option"),
        ("--upload-pack=x", "hyphen", "option"),
        ("https://-h/x", "impossible host", "hyphen"),
        ("ssh://-oProxyCommand=x/y", "impossible host", "hyphen"),
        ("ssh://-l@h/x", "impossible user name", "hyphen"),
        ("ssh://@h/x", "impossible user name", ""),
        ("ssh://a@b@h/x", "impossible user name", ""),
        ("https:///x", "names no host", ""),
        ("https://:80/x", "names no host", ""),
        ("https://h:/x", "impossible host or port", ""),
        ("https://h:0/x", "impossible port", "65535"),
        ("https://h:65536/x", "impossible port", "65535"),
        ("https://h:8a/x", "impossible host or port", ""),
        ("https://[::1/x", "impossible host or port", ""),
        ("https://[x]/x", "impossible host", ""),
        ("https://h%2e/x", "impossible host", ""),
        ("https://h;id/x", "impossible host", ""),
        ("https://h/x y", "blank", ""),
        (" https://h/x", "blank", ""),
        ("https://h/x\n", "control character", ""),
        ("https://h/\0", "control character", ""),
        ("https://h/\x7f", "control character", ""),
        ("https://h\\@evil/x", "backslash", ""),
        ("https://hö/x", "beyond ASCII", ""),
        ("https://h/\ud800", "beyond ASCII", ""),
        ("https://h/" + "x" * 2039, "longer than 2,048", ""),
        ("https://h/x#branch=y", "has a `#`", "branch"),
        ("ftp://h/x", "scheme that is not allowed", "https://"),
        ("javascript://h/x", "scheme that is not allowed", ""),
        ("git+https://h/x", "scheme that is not allowed", "leave out `git+`"),
        ("ext::sh", "remote helper", "https://"),
        ("fd::17", "remote helper", ""),
        ("http::https://h/x", "remote helper", ""),
        ("git@host:path/x.git", "short form of an ssh address", "write ssh://USER@host/path/x.git"),
        ("host:path", "short form of an ssh address", "write ssh://USER@host/path"),
        ("host:/path", "short form of an ssh address", "write ssh://USER@host/path"),
        ("aur", "is no URL", ""),
        ("//h/x", "is no URL", ""),
        ("https:/h/x", "short form", ""),
    ],
)
def test_refused_git_url(text: str, problem: str, hint: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_git_url(text)
    assert problem in caught.value.problem
    assert hint in (caught.value.hint or "")


@pytest.mark.parametrize(
    "text",
    [
        f"https://{CANARY}@h/x",
        f"https://user:{CANARY}@h/x",
        f"http://user:{CANARY}@h/x",
        f"https://user:p@{CANARY}@h/x",
        f"https://user:p/{CANARY}@h/x",
        f"https://user:p?{CANARY}@h/x",
        f"https://user:p#{CANARY}@h/x",
        f"https://user:{CANARY}%40h/x",
        f"https://user:{CANARY} @h/x",
        f"https:/user:{CANARY}@h/x",
        f"git://user:{CANARY}@h/x",
        f"ssh://git:{CANARY}@h/x",
        f"ftp://user:{CANARY}@h/x",
        f"user:{CANARY}@h:x",
        f"{CANARY}@h:x",
        f"h:x?token={CANARY}",
        f"ftp://h/x?private_token={CANARY}",
        f"-https://user:{CANARY}@h/x",
        f"ext::https://user:{CANARY}@h/x",
        f"https://user:{CANARY}@h/" + "x" * 3000,
    ],
)
def test_no_error_shows_a_secret(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_git_url(text)
    assert CANARY not in str(caught.value)
    assert CANARY not in repr(vars(caught.value))
    assert caught.value.__cause__ is None


@example("HTTP://0?@")
@given(st.text(max_size=60) | st.text("ahtps:/@.-[]%?#git~1\\ ", max_size=30).map(lambda text: f"https://{text}"))
def test_any_text_is_a_clean_url_or_refused(text: str) -> None:
    try:
        remote = parse_git_url(text)
    except ConfigError as error:
        assert error.hint  # noqa: PT017  # refusing is one of the two right answers
        return
    assert parse_git_url(remote.url) == remote
    assert remote.host
    assert remote.url.startswith(f"{remote.scheme}://")
    assert not remote.host.startswith("-")
    assert "@" not in remote.url.split("/")[2] or remote.scheme == "ssh"


U = "https://h/x"


@pytest.mark.parametrize(
    ("entry", "vcs", "url", "kind", "value"),
    [
        (f"git+{U}.git", "git", f"{U}.git", None, None),
        (f"name::git+{U}", "git", U, None, None),
        (f"git+{U}#branch=dev/x", "git", U, "branch", "dev/x"),
        (f"git+{U}#tag=v1?signed", "git", U, "tag", "v1"),
        (f"git+{U}?signed#tag=v1", "git", U, "tag", "v1"),
        (f"git+{U}?signed", "git", U, None, None),
        (f"git+{U}#commit=abc", "git", U, "commit", "abc"),
        (f"git+{U}#branch=a?b?signed", "git", U, "branch", "a?b"),
        (f"git+{U}#branch=a=b", "git", U, "branch", "b"),
        (f"git+{U}#branch=a#b", "git", U, "branch", "a#b"),
        (f"git+{U}#tag", "git", U, "tag", "tag"),
        (f"git+{U}#", "git", U, None, None),
        (f"git+{U}#?signed", "git", U, None, None),
        (f"git+{U}#Branch=x", "git", U, None, "Branch=x"),
        ("git://h/x", "git", "git://h/x", None, None),
        ("n::git://h/x#tag=1", "git", "git://h/x", "tag", "1"),
        ("git+ssh://git@h/x", "git", "ssh://git@h/x", None, None),
        ("git+file:///x", "git", "file:///x", None, None),
        (f"hg+{U}#revision=1", "hg", U, "revision", "1"),
        (f"svn+{U}#revision=9", "svn", U, "revision", "9"),
        ("svn://h/x", "svn", "svn://h/x", None, None),
        (f"bzr+{U}", "bzr", U, None, None),
        ("bzr+lp:project#revision=3", "bzr", "lp:project", "revision", "3"),
        (f"fossil+{U}#branch=trunk", "fossil", U, "branch", "trunk"),
    ],
)
def test_vcs_source(entry: str, vcs: str, url: str, kind: str | None, value: str | None) -> None:
    source = parse_vcs_source(entry)
    assert isinstance(source, VcsSource)
    assert (source.vcs, source.url, source.fragment_kind, source.fragment_value) == (vcs, url, kind, value)


@pytest.mark.parametrize(
    "entry",
    [
        *("", "a.patch", "git", "git+", "git+x", "git:", "::", "git::", "name::", f"{U}", f"{U}.git", f"n::{U}"),
        *("github://h/x", "gitx://h", f"GIT+{U}", f" git+{U}", f"cvs+{U}", f"a::b::git+{U}", f"git+{U[:6]}/x", "lp:x"),
        *(f"{U}#git+{U}", "git+lp:x", f"git+{U}/a::b"),
    ],
)
def test_no_vcs_source(entry: str) -> None:
    assert parse_vcs_source(entry) is None


@given(st.text() | st.text("git+:/#?=hbranch\n", max_size=40).map(lambda text: f"git+https://{text}"))
@example("git+https://\n#branch=\ud800")
def test_no_source_makes_it_raise(entry: str) -> None:
    source = parse_vcs_source(entry)
    if source:
        assert "#" not in source.url
        assert "?" not in source.url
