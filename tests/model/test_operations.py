"""What the variables of a pipeline ask for."""

from __future__ import annotations

import pytest

from ci_toolkit.errors import ConfigError
from ci_toolkit.model.operations import operation_of


@pytest.mark.parametrize(
    ("variables", "command"),
    [
        ({"OPERATION": "Bump Packages", "PACKAGES": "a"}, "bump"),
        ({"OPERATION": "Schedule Packages"}, "schedule"),
        ({"OPERATION": "Run Schedule", "TRIGGER": "daily"}, "run-schedule"),
        ({"OPERATION": "Drop Packages"}, "drop"),
        ({"OPERATION": "Add Packages", "CI_PIPELINE_SOURCE": "web"}, "add"),
        ({"OPERATION": "run-schedule"}, "run-schedule"),
        ({"OPERATION": " bump packages "}, "bump"),
        ({"OPERATION": "on_commit", "CI_PIPELINE_SOURCE": "api"}, "on-commit"),
        ({"OPERATION": "None", "TRIGGER": "daily", "CI_PIPELINE_SOURCE": "schedule"}, "run-schedule"),
        ({"TRIGGER": "daily"}, "run-schedule"),
        ({"CI_PIPELINE_SOURCE": "push", "OPERATION": "None", "TRIGGER": ""}, "on-commit"),
        ({"GITHUB_EVENT_NAME": "push"}, "on-commit"),
        ({"CI_PIPELINE_SOURCE": "push", "PACKAGES": "all"}, "on-commit"),
        ({"CI_PIPELINE_SOURCE": "schedule"}, "on-schedule"),
        ({"GITHUB_EVENT_NAME": "schedule"}, "on-schedule"),
        ({"GITHUB_EVENT_NAME": "workflow_dispatch", "OPERATION": "None"}, "on-schedule"),
        ({"CI_PIPELINE_SOURCE": "web"}, "on-schedule"),
        ({"CI_PIPELINE_SOURCE": "web", "ADD_PACKAGES": "paru/aur"}, "add"),
        ({"OPERATION": "Bump Packages", "CI_PIPELINE_SOURCE": "push"}, "bump"),
    ],
)
def test_the_obvious_thing(variables: dict[str, str], command: str) -> None:
    assert operation_of(variables) == command


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({}, "neither OPERATION nor TRIGGER"),
        ({"CI_PIPELINE_SOURCE": "merge_request_event"}, "merge_request_event"),
        ({"GITHUB_EVENT_NAME": "pull_request"}, "pull_request"),
        ({"OPERATION": "Bmp Packages"}, "did you mean Bump Packages"),
        ({"OPERATION": "Nothing"}, "OPERATION names no operation: 'Nothing'"),
        ({"OPERATION": "../config"}, "names no operation"),
        ({"OPERATION": "pipeline"}, "names no operation"),
        ({"CI_PIPELINE_SOURCE": "web", "PACKAGES": "a"}, "PACKAGES is set, but not what is to be done with them"),
    ],
)
def test_what_is_not_understood_is_answered_with_all_that_is(variables: dict[str, str], said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        operation_of(variables)
    assert said in str(caught.value)
    assert "Schedule Packages, Bump Packages, Drop Packages, Add Packages, Run Schedule" in str(caught.value)
