"""The templates as texts: schemas, style, the programs in them, and the version that they pin."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ci_toolkit import __version__
from tests.support.templates import GITHUB_FILES, GITLAB_FILES, TEMPLATES, documents, name_of, with_defaults

if TYPE_CHECKING:
    from collections.abc import Iterator

BIN = Path(sys.executable).parent
STYLE = "{extends: default, rules: {line-length: {max: 120}, document-start: disable, truthy: {check-keys: false}}}"
PACKAGE_DATA = Path(__file__).parents[2] / "ci_toolkit/templates"
PIPELINE = TEMPLATES / "gitlab/pipeline.yml"


def output(*command: str | Path, stdin: str | None = None) -> str:
    """What a linter says; nothing where it has no finding."""
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False, input=stdin)
    return done.stdout + done.stderr if done.returncode else ""


@pytest.mark.parametrize("path", GITLAB_FILES, ids=name_of)
def test_gitlabs_schema(path: Path, tmp_path: Path) -> None:
    parts = path.read_text().split("\n---\n")
    assert len(parts) == 2
    for number, part in enumerate(parts):
        (tmp_path / f"{number}.yml").write_text(part)
    files = sorted(tmp_path.glob("*.yml"))
    assert output(BIN / "check-jsonschema", "--builtin-schema", "vendor.gitlab-ci", *files) == ""


def test_githubs_schemas() -> None:
    for schema, is_action in (("vendor.github-actions", True), ("vendor.github-workflows", False)):
        files = [path for path in GITHUB_FILES if (path.name == "action.yml") == is_action]
        assert output(BIN / "check-jsonschema", "--builtin-schema", schema, *files) == ""


def test_yamllint_finds_nothing() -> None:
    assert output(BIN / "yamllint", "--strict", "-d", STYLE, TEMPLATES, PACKAGE_DATA / "common") == ""


def _programs() -> Iterator[tuple[str, str]]:
    """Every script: where it is, and its text as one program."""
    for name, job in with_defaults(PIPELINE).items():
        for key in ("before_script", "script"):
            if key in job:
                yield f"{name} {key}", "\n".join(job[key])
    for path in GITHUB_FILES:
        for number, text in enumerate(_runs(documents(path)[0])):
            yield f"{name_of(path)} {number}", text.rstrip("\n")


def _runs(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("run"), str):
            yield value["run"]
        for part in value.values():
            yield from _runs(part)
    elif isinstance(value, list):
        for part in value:
            yield from _runs(part)


PROGRAMS = tuple(_programs())


@pytest.mark.parametrize(("where", "program"), PROGRAMS, ids=[where for where, _ in PROGRAMS])
def test_scripts_are_clean(where: str, program: str) -> None:
    # 1091: the parameters are made by an earlier job; 2154: and assign these.
    options = ("--shell=bash", "--exclude=SC1091,SC2154", "--enable=all", "--severity=info", "-")
    assert output(BIN / "shellcheck", *options, stdin=f"{program}\n") == ""
    assert output(BIN / "shfmt", "-ln=bash", "-d", stdin=f"{program}\n") == ""


def test_a_job_calls_the_program_and_nothing_else() -> None:
    """What is decided is decided by the program, where it is tested."""
    for name, job in with_defaults(PIPELINE).items():
        if name == "hand-over":  # its image has no ci-toolkit
            continue
        lines = job.get("script", [])
        assert all(line.startswith(".cache/venv/bin/ci-toolkit ") for line in lines), name
        assert len(lines) <= (2 if name == "pages" else 1), name
    for where, program in PROGRAMS:
        assert not re.search(r"\b(if|for|while|case)\b", program), where


def test_every_form_pins_this_version() -> None:
    texts = [
        path.read_text() for path in [*GITLAB_FILES, *GITHUB_FILES, PACKAGE_DATA / "common/pre-commit-config.yaml"]
    ]
    pins = [pin for text in texts for pin in re.findall(r"ci-toolkit==([\w.]+)", text)]
    assert pins == [__version__] * 7  # the pipeline, the component, three workflows, two hooks


def test_the_component_is_the_pipeline() -> None:
    """GitLab wants it at this place in a project of components, and follows no links."""
    component = TEMPLATES / "gitlab/component/templates/ci-toolkit/template.yml"
    assert component.read_text() == PIPELINE.read_text()
    assert not component.is_symlink()


def test_inputs_have_plain_defaults() -> None:
    spec = documents(PIPELINE)[0]["spec"]["inputs"]
    kinds = {name: (one["type"], one["default"]) for name, one in spec.items() if not isinstance(one["default"], str)}
    assert kinds == {"build_tags": ("array", []), "pages": ("boolean", False)}
    assert all("rules" not in one for one in spec.values())
    assert not re.search(r"\$\[\[[^]]*\|", PIPELINE.read_text())


def jobs() -> dict[str, dict[str, Any]]:
    """GitLab's jobs with what they extend."""
    found = with_defaults(PIPELINE)

    def whole(name: str) -> dict[str, Any]:
        job = found[name]
        return {**(whole(job["extends"]) if "extends" in job else {}), **job}

    return {name: whole(name) for name in found if not name.startswith(".")}


def test_jobs_that_push_go_one_after_the_other_and_are_not_cut_off() -> None:
    pushing = {"on-commit", "on-schedule", "run-schedule", "schedule", "bump", "drop", "add", "unknown-operation"}
    assert {name for name, job in jobs().items() if job.get("resource_group") == "ci-toolkit"} == pushing
    assert {name for name, job in jobs().items() if job["interruptible"]} == {"check", "review"}
    assert all(jobs()[name]["artifacts"]["when"] == "always" for name in pushing)


def test_the_hand_over_sees_nothing_but_what_was_handed_over() -> None:
    """A checkout could bring a file of that name, and a reused folder has the one of an earlier pipeline."""
    assert jobs()["hand-over"]["variables"] == {"GIT_STRATEGY": "empty"}


def test_the_hand_over_waits_for_no_success() -> None:
    """gitlab-ci-local takes a failure for allowed if any status is, so it cannot show this."""
    hand_over, build = jobs()["hand-over"], jobs()["build"]
    assert hand_over["rules"][-1] == {"if": "$CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH", "when": "always"}
    assert [rule["when"] for rule in build["rules"]] == ["always"]
    working = {name for name, job in jobs().items() if job.get("resource_group") == "ci-toolkit"}
    assert {need["job"] for need in hand_over["needs"]} == working - {"unknown-operation"}
    assert build["needs"] == hand_over["needs"]


def test_only_failures_of_the_runner_are_retried_and_everything_ends() -> None:
    for name, job in jobs().items():
        assert job["retry"]["when"] == ["runner_system_failure", "scheduler_failure", "api_failure"], name
        assert job["timeout"], name
        if "artifacts" in job:
            assert job["artifacts"]["expire_in"], name


def test_secrets_can_be_kept_from_the_other_jobs() -> None:
    """A variable of an environment reaches the jobs that name it; those of merge requests name none."""
    environments = {name: job.get("environment", {}).get("name") for name, job in jobs().items()}
    assert environments["hand-over"] == "ci-toolkit/hand-over"
    assert environments["on-commit"] == environments["on-schedule"] == "ci-toolkit/process"
    assert environments["check"] is environments["review"] is None
    assert environments["build"] == "ci-toolkit/build"
    assert environments["pages"] is None
    assert "DEPLOY_KEY" not in str({name: job for name, job in jobs().items() if name != "hand-over"})


def test_builds_have_their_data_to_themselves_and_keep_it_when_one_fails() -> None:
    group = {name for name, job in jobs().items() if job.get("resource_group") == "ci-toolkit-build"}
    assert group == {"build", "pages"}
    data = {name: job["cache"][0] for name, job in jobs().items() if name in group}
    assert data == {
        "build": {"key": "ci-toolkit-builds", "paths": [".cache/data"], "when": "always"},
        "pages": {"key": "ci-toolkit-builds", "paths": [".cache/data"], "policy": "pull"},
    }
    folder = documents(PIPELINE)[0]["spec"]["inputs"]["build_data"]["default"]
    assert folder == "$CI_PROJECT_DIR/.cache/data"
    assert jobs()["build"]["allow_failure"] == {"exit_codes": [5]}
    assert jobs()["build"]["artifacts"]["when"] == "always"
