"""CI_PKGBUILD_SOURCE where it names a project on a forge."""

from __future__ import annotations

import pytest

from ci_toolkit.errors import ConfigError
from ci_toolkit.formats.forge_project import parse_forge_project

GITHUB = "https://github.com"


@pytest.mark.parametrize(
    ("text", "url", "path"),
    [
        ("gitlab:42", "https://gitlab.com", "42"),
        ("gitlab:gitlab.gnome.org/42", "https://gitlab.gnome.org", "42"),
        ("gitlab:GitLab.example.org:8443/42", "https://gitlab.example.org:8443", "42"),
        ("gitlab:127.0.0.1:80/42", "http://127.0.0.1:80", "42"),
        ("github:o/n", GITHUB, "o/n"),
        ("github:o-o/n.js_x", GITHUB, "o-o/n.js_x"),
        ("gitea:codeberg.org/o/n", "https://codeberg.org", "o/n"),
        ("gitea:[::1]:3000/o/n", "http://[::1]:3000", "o/n"),
        ("gitea:localhost:3000/o/n", "http://localhost:3000", "o/n"),
    ],
)
def test_projects(text: str, url: str, path: str) -> None:
    project = parse_forge_project(text, github_url=GITHUB, allow_local=True)
    assert (project.kind, project.service.url, project.path) == (text.partition(":")[0], url, path)
    assert project.shown == f"{url.partition('://')[2]}/{path}"


def test_loopback_hosts_are_asked_with_https_like_others_unless_allowed() -> None:
    assert parse_forge_project("gitea:localhost/o/n", github_url=GITHUB).service.url == "https://localhost"


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("gitlab:group/project", "write gitlab:NUMBER"),
        ("gitlab:", "write gitlab:NUMBER"),
        ("gitlab:0", "write gitlab:NUMBER"),
        ("gitlab:４２", "write gitlab:NUMBER"),
        ("gitlab:42/", "write gitlab:NUMBER"),
        ("gitlab:a/b/42", "write gitlab:NUMBER"),
        ("gitlab:https://gitlab.com/42", "write gitlab:NUMBER"),
        ("gitlab:evil.org#/42", "write gitlab:NUMBER"),
        ("gitlab:user@evil.org/42", "write gitlab:NUMBER"),
        ("gitlab:" + "9" * 30, "write gitlab:NUMBER"),
        ("github:name", "write github:OWNER/NAME"),
        ("github:https://github.com/o/n", "write github:OWNER/NAME"),
        ("github:o/n.git", "write github:OWNER/NAME"),
        ("github:o/..", "write github:OWNER/NAME"),
        ("github:o/n?x", "write github:OWNER/NAME"),
        ("github:o/n\n", "write github:OWNER/NAME"),
        ("github:o/$(x)", "write github:OWNER/NAME"),
        ("github:o/" + "n" * 101, "write github:OWNER/NAME"),
        ("gitea:o/n", "write gitea:HOST/OWNER/NAME"),
        ("gitea:-x/o/n", "write gitea:HOST/OWNER/NAME"),
        ("gitea:host:x/o/n", "write gitea:HOST/OWNER/NAME"),
        ("gitea:/o/n", "write gitea:HOST/OWNER/NAME"),
        ("github", "write github:OWNER/NAME"),
        ("bitbucket:o/n", "write gitlab:NUMBER"),
    ],
)
def test_what_is_no_project_is_refused_with_what_to_write(text: str, hint: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_forge_project(text, github_url=GITHUB, allow_local=True)
    assert hint in (caught.value.hint or "")
    assert caught.value.got == text


def test_an_impossible_port_is_refused() -> None:
    with pytest.raises(ConfigError, match="impossible port"):
        parse_forge_project("gitea:host:99999/o/n", github_url=GITHUB)


def test_the_setting_is_blamed_where_it_is_wrong() -> None:
    with pytest.raises(ConfigError, match="CI_GITHUB_URL is not encrypted"):
        parse_forge_project("github:o/n", github_url="http://github.example.org")
