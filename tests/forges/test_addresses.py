from __future__ import annotations

import pytest

from ci_toolkit.effects.token import GITEA_FORGE_VARIABLES, GITHUB_FORGE_VARIABLES, first_token
from ci_toolkit.errors import ConfigError
from ci_toolkit.forges.addresses import ForgeProject, github_api_url, project_of, workflow_project

SECRET = "ghp_canary0123456789"

REMOTES = {
    "https://github.com/owner/name": ("github.com", "owner/name"),
    "https://GitHub.com/Owner/Name.git/": ("github.com", "Owner/Name"),
    "https://github.com/owner/name.git": ("github.com", "owner/name"),
    "https://git.example.org:3000/owner/na.me.git": ("git.example.org:3000", "owner/na.me"),
    f"https://x-access-token:{SECRET}@github.com/owner/name.git": ("github.com", "owner/name"),
    "git@github.com:owner/name.git": ("github.com", "owner/name"),
    "forgejo@codeberg.org:owner/name": ("codeberg.org", "owner/name"),
    "ssh://git@git.example.org:2222/owner/name.git": ("git.example.org", "owner/name"),
    "http://[::1]:3000/owner/name": ("[::1]:3000", "owner/name"),
}


@pytest.mark.parametrize(("remote", "project"), REMOTES.items(), ids=REMOTES)
def test_a_remote_tells_its_project(remote: str, project: tuple[str, str]) -> None:
    assert project_of(remote) == project


@pytest.mark.parametrize(
    "remote",
    [
        "",
        "name",
        "/srv/git/owner/name.git",
        "file:///srv/git/owner/name.git",
        "https://github.com",
        "https://github.com/owner",
        "https://github.com/group/sub/name",
        "https://github.com/owner/..",
        "https://github.com/./name",
        "https://github.com//name",
        "https://github.com/owner/name?x=1",
        "https://github.com/owner/name#x",
        "https://github.com/owner/na me",
        "https://github.com/owner/name\n",
        f"https://{SECRET}@good.example.org@evil.example.org/owner/name",
        "https://evil.example.org\\@github.com/owner/name",
        "ext::sh -c touch% /tmp/x",
        "git@github.com:/owner/name",
        "-oProxyCommand=x:owner/name",
    ],
)
def test_what_names_no_project_is_refused_without_its_secrets(remote: str) -> None:
    with pytest.raises(ConfigError) as caught:
        project_of(remote)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "api_url"),
    [
        ("https://github.com", "https://api.github.com"),
        ("https://GitHub.com", "https://api.github.com"),
        ("https://github.example.org:8443", "https://github.example.org:8443/api/v3"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080/api/v3"),
    ],
)
def test_where_the_api_of_a_github_is(url: str, api_url: str) -> None:
    assert github_api_url(url) == api_url


def variables(server: str, api: str, **more: str) -> dict[str, str]:
    return {"GITHUB_SERVER_URL": server, "GITHUB_API_URL": api, "GITHUB_REPOSITORY": "owner/name", **more}


@pytest.mark.parametrize(
    ("environ", "service", "api_url"),
    [
        (variables("https://github.com", "https://api.github.com"), "github", "https://api.github.com"),
        (variables("https://g.example.org", "https://g.example.org/api/v3/"), "github", "https://g.example.org/api/v3"),
        (variables("https://codeberg.org/", "https://codeberg.org/api/v1"), "gitea", "https://codeberg.org/api/v1"),
        (
            variables("https://x.example.org", "https://x.example.org/y", GITEA_ACTIONS="true"),
            "gitea",
            "https://x.example.org/y",
        ),
        (
            variables("https://x.example.org", "https://x.example.org/y", FORGEJO_ACTIONS="true"),
            "gitea",
            "https://x.example.org/y",
        ),
    ],
)
def test_a_workflow_tells_its_project(environ: dict[str, str], service: str, api_url: str) -> None:
    project = workflow_project(environ)
    assert isinstance(project, ForgeProject)
    assert (project.service, project.api_url, project.repository) == (service, api_url, "owner/name")
    assert not project.url.endswith("/")


def test_outside_of_a_workflow_there_is_none() -> None:
    assert workflow_project({}) is None
    assert workflow_project({"GITHUB_REPOSITORY": "owner/name"}) is None
    with pytest.raises(ConfigError, match="no project"):
        workflow_project(variables("https://github.com", "https://api.github.com") | {"GITHUB_REPOSITORY": "a/b/c"})


@pytest.mark.parametrize(
    ("names", "environ", "text"),
    [
        (GITHUB_FORGE_VARIABLES, {"ACCESS_TOKEN": "c", "GITHUB_TOKEN": "b", "GH_TOKEN": "a"}, "c"),
        (GITHUB_FORGE_VARIABLES, {"ACCESS_TOKEN": " ", "GITHUB_TOKEN": "b", "GH_TOKEN": "a"}, "a"),
        (GITHUB_FORGE_VARIABLES, {"ACCESS_TOKEN": " c\n", "GITEA_TOKEN": "x"}, "c"),
        (GITEA_FORGE_VARIABLES, {"FORGEJO_TOKEN": "b", "GITHUB_TOKEN": "x"}, "b"),
    ],
)
def test_which_variable_holds_the_token(names: tuple[str, ...], environ: dict[str, str], text: str) -> None:
    token = first_token(environ, names)
    assert token is not None
    assert token.header("token") == {"Authorization": f"token {text}"}
    assert first_token({}, names) is None
