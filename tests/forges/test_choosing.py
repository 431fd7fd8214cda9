"""`CI_FORGE=auto`: which service a run shows its reviews at when nobody has said so."""

from __future__ import annotations

import pytest

from ci_toolkit.forges.choosing import choose_forge
from tests.forges.test_access import GITEA_JOB, GITHUB_JOB
from tests.support.forge_world import settings_from

GITLAB_JOB = {"GITLAB_CI": "true", "CI_SERVER_URL": "https://git.example", "CI_PROJECT_ID": "7"}
FORGEJO_JOB = {**GITHUB_JOB, "FORGEJO_ACTIONS": "true"}


@pytest.mark.parametrize(
    ("environ", "name"),
    [
        ({}, "local"),
        ({"ACCESS_TOKEN": "t", "GITHUB_TOKEN": "t", "GITLAB_TOKEN": "t"}, "local"),
        ({**GITLAB_JOB, "ACCESS_TOKEN": "t"}, "gitlab"),
        ({**GITLAB_JOB, "GITLAB_TOKEN": "t"}, "gitlab"),
        ({**GITLAB_JOB, "ACCESS_TOKEN": "two words"}, "gitlab"),  # who sets one wants it, and is told what is wrong
        *(({**GITHUB_JOB, variable: "t"}, "github") for variable in ("ACCESS_TOKEN", "GH_TOKEN", "GITHUB_TOKEN")),
        *(
            ({**GITEA_JOB, variable: "t"}, "gitea")
            for variable in ("ACCESS_TOKEN", "GITEA_TOKEN", "FORGEJO_TOKEN", "GITHUB_TOKEN")
        ),
        ({**FORGEJO_JOB, "GITHUB_TOKEN": "t"}, "gitea"),
    ],
)
def test_a_job_with_a_token_shows_reviews_at_its_own_service(environ: dict[str, str], name: str) -> None:
    choice = choose_forge(settings_from({}), environ)
    assert (choice.name, choice.warning) == (name, None)


@pytest.mark.parametrize(
    ("environ", "variable"),
    [
        (GITLAB_JOB, "ACCESS_TOKEN or GITLAB_TOKEN"),
        ({**GITLAB_JOB, "ACCESS_TOKEN": " ", "GITHUB_TOKEN": "t", "CI_JOB_TOKEN": "t"}, "ACCESS_TOKEN or GITLAB_TOKEN"),
        (GITHUB_JOB, "ACCESS_TOKEN or GH_TOKEN or GITHUB_TOKEN"),
        ({"GITHUB_ACTIONS": "true"}, "ACCESS_TOKEN or GH_TOKEN or GITHUB_TOKEN"),
        ({**GITEA_JOB, "GH_TOKEN": "t"}, "ACCESS_TOKEN or GITEA_TOKEN or FORGEJO_TOKEN or GITHUB_TOKEN"),
    ],
)
def test_a_job_without_a_token_keeps_branches_and_says_what_to_set(environ: dict[str, str], variable: str) -> None:
    choice = choose_forge(settings_from({}), environ)
    assert choice.name == "local"
    assert f"reviews stay branches: set {variable} to" in (choice.warning or "")


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({"GITLAB_CI": "true", "ACCESS_TOKEN": "t"}, "CI_FORGE_PROJECT"),
        ({"GITHUB_ACTIONS": "true", "ACCESS_TOKEN": "t"}, "CI_FORGE_PROJECT"),
        ({**GITHUB_JOB, "GITHUB_REPOSITORY": "x/y/z", "ACCESS_TOKEN": "t"}, "GITHUB_REPOSITORY is no project"),
    ],
)
def test_a_job_that_does_not_say_of_which_project_it_is_keeps_branches(environ: dict[str, str], said: str) -> None:
    choice = choose_forge(settings_from({}), environ)
    assert choice.name == "local"
    assert said in (choice.warning or "")


@pytest.mark.parametrize("job", ["GITLAB_CI", "GITHUB_ACTIONS"])
def test_the_project_may_be_named_by_its_key(job: str) -> None:
    choice = choose_forge(settings_from({"CI_FORGE_PROJECT": "o/n"}), {job: "true", "ACCESS_TOKEN": "t"})
    assert choice.name == {"GITLAB_CI": "gitlab", "GITHUB_ACTIONS": "github"}[job]


@pytest.mark.parametrize("name", ["local", "gitlab", "gitea", "of-a-plugin"])
def test_what_is_named_is_taken(name: str) -> None:
    for environ in ({}, GITLAB_JOB, {**GITHUB_JOB, "ACCESS_TOKEN": "t"}):
        choice = choose_forge(settings_from({"CI_FORGE": name}), environ)
        assert (choice.name, choice.warning) == (name, None)
