"""GitLab's pipelines on this machine: gitlab-ci-local lists and runs what GitLab would."""

from __future__ import annotations

import csv
import io
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tests.support.npm import missing, npm_program, run_node

if TYPE_CHECKING:
    from collections.abc import Mapping

PROGRAM = "gitlab-ci-local/dist/index.js"
TOP = Path(__file__).parents[2]
# As it was when the tests were collected: pip wants the proxies and certificates of this machine.
_ENVIRONMENT = dict(os.environ)


def variables(values: Mapping[str, str]) -> list[str]:
    """The options that set them."""
    return [option for name, value in values.items() for option in ("--variable", f"{name}={value}")]


def gitlab(
    repository: Path, *arguments: str, env: Mapping[str, str], values: Mapping[str, str], check: bool = True
) -> subprocess.CompletedProcess[str]:
    """Ask it something about the pipeline of a clone; `values` are pipeline variables."""
    quiet = ("--ignore-predefined-vars", "CI_PIPELINE_SOURCE,CI_MERGE_REQUEST_DIFF_BASE_SHA,CI_COMMIT_BRANCH")
    # GitLab takes an empty list for no tags; only its schema for editors does not.
    lenient = ("--ignore-schema-paths", "#/definitions/tags/minItems")
    command = [str(npm_program(PROGRAM)), *quiet, *lenient, *arguments, *variables(values)]
    return run_node(command, cwd=repository, env=env, check=check)


def listed_jobs(repository: Path, *options: str, env: Mapping[str, str], values: Mapping[str, str]) -> list[str]:
    """The jobs that a pipeline with these variables has, in order."""
    shown = gitlab(repository, *options, "--list-csv", "--json-schema-validation=false", env=env, values=values).stdout
    table = shown[shown.index("name;") :]
    return [row["name"] for row in csv.DictReader(io.StringIO(table), delimiter=";")]


def build_wheel(folder: Path) -> Path:
    """A wheel of this project, made as its users make it; skips where it cannot be."""
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", f"--wheel-dir={folder}", str(TOP)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=_ENVIRONMENT)
    if done.returncode:
        missing(f"no wheel can be made: {done.stderr[-500:]}")
    return next(folder.glob("ci_toolkit-*.whl"))


def dependencies_alone(folder: Path) -> Path:
    """A folder for PYTHONPATH with everything that is installed here but ci-toolkit itself; `bin` in it is for PATH."""
    folder.mkdir()
    site = next(Path(name) for name in sys.path if name.endswith("site-packages"))
    for path in site.iterdir():
        if "ci_toolkit" not in path.name:
            (folder / path.name).symlink_to(path)
    (folder / "bin").mkdir()
    (folder / "bin/shfmt").symlink_to(Path(sys.executable).parent / "shfmt")
    return folder
