"""Which jobs a pipeline has: by its source, the operation that was asked for, and the trigger."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.gitlab_runs import gitlab, listed_jobs

if TYPE_CHECKING:
    from pathlib import Path

    Clone = tuple[Path, dict[str, str]]

SOURCES = ("push", "schedule", "web", "api", "trigger")
OPERATIONS = {
    "": "",
    "schedule": "schedule",
    "bump": "bump",
    "drop": "drop",
    "add": "add",
    "run-schedule": "run-schedule",
    "bmup": "unknown-operation",
}
# As they were called in the bash template.
OLD_NAMES = {
    "Schedule Packages": "schedule",
    "Bump Packages": "bump",
    "Drop Packages": "drop",
    "Add Packages": "add",
    "Run Schedule": "on-schedule",
}


def expected(source: str, operation: str, trigger: str) -> str:
    """The one job that works, beside the hand-over."""
    job = OPERATIONS[operation]
    if job == "run-schedule":
        return "run-schedule" if trigger else "on-schedule"
    if job:
        return job
    if source == "push":
        return "on-commit"
    if trigger:
        return "run-schedule"
    return "on-schedule" if source == "schedule" else "on-commit"


def triggers(source: str, operation: str) -> tuple[str, ...]:
    """Both where source and trigger make a difference; elsewhere each once, with a source in turn."""
    if operation in ("", "run-schedule"):
        return ("", "nightly")
    turn = (SOURCES.index(source) - list(OPERATIONS).index(operation)) % len(SOURCES)
    return {0: ("",), 2: ("nightly",)}.get(turn, ())


@pytest.mark.parametrize("source", SOURCES)
def test_the_default_branch(gitlab_clone: Clone, source: str) -> None:
    clone, env = gitlab_clone
    for operation, trigger in ((one, trigger) for one in OPERATIONS for trigger in triggers(source, one)):
        values = {"CI_PIPELINE_SOURCE": source, "OPERATION": operation, "TRIGGER": trigger}
        given = {name: value for name, value in values.items() if value}
        assert listed_jobs(clone, env=env, values=given) == [expected(source, operation, trigger), "hand-over"], given


@pytest.mark.parametrize("operation", OLD_NAMES)
def test_names_of_the_bash_template_still_count(gitlab_clone: Clone, operation: str) -> None:
    clone, env = gitlab_clone
    values = {"CI_PIPELINE_SOURCE": "api", "OPERATION": operation}
    assert listed_jobs(clone, env=env, values=values) == [OLD_NAMES[operation], "hand-over"]


def test_a_merge_request_is_checked_and_reviewed(gitlab_clone: Clone) -> None:
    clone, env = gitlab_clone
    values = {"CI_PIPELINE_SOURCE": "merge_request_event", "CI_COMMIT_BRANCH": ""}
    assert listed_jobs(clone, env=env, values=values) == ["check", "review"]


@pytest.mark.parametrize("operation", ["", "drop", "run-schedule"])
def test_another_branch_has_no_job(gitlab_clone: Clone, operation: str) -> None:
    """Of an operation, too: its secrets are for the default branch."""
    clone, env = gitlab_clone
    values = {"CI_PIPELINE_SOURCE": "web", "CI_COMMIT_BRANCH": "update-foo", "OPERATION": operation, "TRIGGER": "x"}
    assert listed_jobs(clone, env=env, values=values) == []


def test_inputs_say_the_same_as_variables_and_a_variable_wins(gitlab_clone: Clone) -> None:
    clone, env = gitlab_clone
    options, web = ("--list-csv", "--input", "operation=bump"), {"CI_PIPELINE_SOURCE": "web"}
    assert "\nbump;" in gitlab(clone, *options, env=env, values=web).stdout
    both = gitlab(clone, *options, env=env, values={**web, "OPERATION": "drop"}).stdout
    assert "\ndrop;" in both
    assert "\nbump;" not in both


@pytest.mark.parametrize(
    ("inputs", "jobs"),
    [
        (("backend=build_job",), ["on-commit", "build"]),
        (("backend=build_job", "pages=true"), ["on-commit", "build", "pages"]),
        (("pages=true",), ["on-commit", "hand-over"]),
        (("backend=buildbot",), ["on-commit"]),
    ],
    ids=["build here", "and publish", "nothing to publish", "a farm"],
)
def test_builds_are_handed_over_or_done_here(gitlab_clone: Clone, inputs: tuple[str, ...], jobs: list[str]) -> None:
    clone, env = gitlab_clone
    options = [word for one in inputs for word in ("--input", one)]
    assert listed_jobs(clone, *options, env=env, values={"CI_PIPELINE_SOURCE": "push"}) == jobs


def test_a_merge_request_builds_nothing(gitlab_clone: Clone) -> None:
    """Its cache would be the one of the default branch, where that is not protected."""
    clone, env = gitlab_clone
    values = {"CI_PIPELINE_SOURCE": "merge_request_event", "CI_COMMIT_BRANCH": ""}
    options = ("--input", "backend=build_job", "--input", "pages=true")
    assert listed_jobs(clone, *options, env=env, values=values) == ["check", "review"]


@pytest.mark.parametrize("source", ["push", "schedule"])
def test_no_job_waits_for_one_that_is_not_there(gitlab_clone: Clone, source: str) -> None:
    clone, env = gitlab_clone
    shown = gitlab(clone, "--validate-dependency-chain", env=env, values={"CI_PIPELINE_SOURCE": source})
    assert "All job dependencies are valid" in shown.stdout
