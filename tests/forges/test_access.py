"""Which project is meant and which token goes there, for GitHub and Gitea."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pytest

from ci_toolkit.errors import ConfigError
from ci_toolkit.forges.access import forge_project, forge_token
from ci_toolkit.plugins import load_forge
from tests.support.forge_world import forge_tools

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ci_toolkit.forges.access import Project

Service = Literal["github", "gitea"]
DEFAULTS: Mapping[Service, str | None] = {"github": "https://github.com", "gitea": None}
CANARY = "canary0123456789"
GITHUB_JOB = {
    "GITHUB_ACTIONS": "true",
    "GITHUB_SERVER_URL": "https://github.com",
    "GITHUB_API_URL": "https://api.github.com",
    "GITHUB_REPOSITORY": "owner/of-job",
}
GITEA_JOB = {
    "GITHUB_ACTIONS": "true",
    "GITEA_ACTIONS": "true",
    "GITHUB_SERVER_URL": "http://git.lan:3000",
    "GITHUB_API_URL": "http://git.lan:3000/api/v1",
    "GITHUB_REPOSITORY": "owner/of-job",
}
GITEA_KEYS = {"CI_FORGE_URL": "https://git.example", "CI_FORGE_PROJECT": "o/n"}


def project(service: Service, environ: Mapping[str, str], **keys: str) -> Project:
    return forge_project(forge_tools(keys, environ, Path()), service=service, default=DEFAULTS[service])


@pytest.mark.parametrize(
    ("service", "environ", "keys", "expected"),
    [
        ("github", GITHUB_JOB, {}, ("https://github.com", "owner/of-job", "https://api.github.com")),
        ("github", GITHUB_JOB, {"CI_FORGE_PROJECT": "o/n"}, ("https://github.com", "o/n", "https://api.github.com")),
        ("github", {}, {"CI_FORGE_PROJECT": "o/n"}, ("https://github.com", "o/n", None)),
        ("github", GITEA_JOB, {"CI_FORGE_PROJECT": "o/n"}, ("https://github.com", "o/n", None)),
        (
            "github",
            GITHUB_JOB,
            {"CI_FORGE_URL": "https://ghe.example/", "CI_FORGE_PROJECT": "o/n"},
            ("https://ghe.example", "o/n", None),
        ),
        ("gitea", GITEA_JOB, {}, ("http://git.lan:3000", "owner/of-job", "http://git.lan:3000/api/v1")),
        ("gitea", {}, GITEA_KEYS, ("https://git.example", "o/n", None)),
        ("gitea", GITHUB_JOB, GITEA_KEYS, ("https://git.example", "o/n", None)),
        (
            "gitea",
            {},
            {**GITEA_KEYS, "CI_FORGE_URL": "http://127.0.0.1:3000/sub"},
            ("http://127.0.0.1:3000/sub", "o/n", None),
        ),
    ],
)
def test_keys_count_more_than_what_the_services_own_workflow_tells(
    service: Service, environ: dict[str, str], keys: dict[str, str], expected: tuple[str, str, str | None]
) -> None:
    found = project(service, environ, **keys)
    assert (found.url, found.repository, found.api_url) == expected


@pytest.mark.parametrize(
    ("service", "environ", "keys", "problem"),
    [
        ("github", {}, {}, "CI_FORGE_PROJECT is missing"),
        ("github", GITEA_JOB, {}, "CI_FORGE_PROJECT is missing"),
        ("github", GITHUB_JOB, {"CI_FORGE_URL": "https://ghe.example"}, "CI_FORGE_PROJECT is missing"),
        ("gitea", {}, {"CI_FORGE_PROJECT": "o/n"}, "CI_FORGE_URL is missing"),
        ("gitea", GITHUB_JOB, {}, "CI_FORGE_URL is missing"),
        ("gitea", {}, {**GITEA_KEYS, "CI_FORGE_PROJECT": "group/sub/name"}, "CI_FORGE_PROJECT is no project"),
        ("gitea", {}, {**GITEA_KEYS, "CI_FORGE_PROJECT": "../o"}, "CI_FORGE_PROJECT is no project"),
        ("github", {**GITHUB_JOB, "GITHUB_REPOSITORY": "x"}, {}, "GITHUB_REPOSITORY is no project"),
        *(
            ("gitea", {}, {**GITEA_KEYS, "CI_FORGE_URL": url}, "CI_FORGE_URL is no address")
            for url in (
                "git.example",
                "ssh://git.example",
                f"https://user:{CANARY}@git.example",
                f"https://git.example/?token={CANARY}",
                "https://",
                "https://[",
                "https://git.example:port",
                "https://git.example/a b",
            )
        ),
        ("gitea", {}, {**GITEA_KEYS, "CI_FORGE_URL": "http://git.lan:3000"}, "CI_FORGE_URL is not encrypted"),
        ("gitea", GITHUB_JOB, {**GITEA_KEYS, "CI_FORGE_URL": "http://git.lan:3000"}, "CI_FORGE_URL is not encrypted"),
        ("github", GITEA_JOB, {**GITEA_KEYS, "CI_FORGE_URL": "http://git.lan:3000"}, "CI_FORGE_URL is not encrypted"),
    ],
)
def test_what_cannot_be_told_or_trusted_is_named_with_its_key(
    service: Service, environ: dict[str, str], keys: dict[str, str], problem: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        project(service, environ, **keys)
    assert problem in str(caught.value)
    assert f":{CANARY}" not in str(caught.value)


@pytest.mark.parametrize(
    ("service", "environ", "keys", "takes"),
    [
        ("github", {}, {"CI_FORGE_PROJECT": "o/n"}, True),
        ("github", GITHUB_JOB, {}, True),
        ("github", GITHUB_JOB, {"CI_FORGE_URL": "https://ghe.example", "CI_FORGE_PROJECT": "o/n"}, False),
        ("github", GITEA_JOB, {"CI_FORGE_PROJECT": "o/n"}, False),
        ("gitea", GITEA_JOB, {}, True),
        ("gitea", GITEA_JOB, GITEA_KEYS, False),
        ("gitea", GITHUB_JOB, GITEA_KEYS, False),
        ("gitea", {}, GITEA_KEYS, False),
    ],
)
def test_a_workflows_own_token_goes_to_its_own_service_alone(
    service: Service, environ: dict[str, str], keys: dict[str, str], takes: bool
) -> None:
    variables = project(service, environ, **keys).variables
    assert ("GITHUB_TOKEN" in variables) is takes
    assert variables[0] == "ACCESS_TOKEN", "what pushes has rights"


def test_a_service_of_the_network_is_asked_as_its_runner_asks_it() -> None:
    tools = forge_tools({}, {**GITEA_JOB, "GITHUB_TOKEN": CANARY}, Path())
    forge: Any = load_forge("gitea")
    with forge.connect(tools) as client:
        assert client.requests == 0


def test_a_token_that_is_none_is_not_shown() -> None:
    with pytest.raises(ConfigError) as caught:
        forge_token({"GH_TOKEN": f"{CANARY} \x1b[31m"}, ("ACCESS_TOKEN", "GH_TOKEN"), hint="x")
    assert str(caught.value) == "ACCESS_TOKEN or GH_TOKEN holds something that is no token"
