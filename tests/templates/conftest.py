"""A wheel of this project, built once a worker, and a clone with the templates in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.git import GitRepo
from tests.support.gitlab_runs import build_wheel, dependencies_alone
from tests.support.sealed import sealed_environment
from tests.support.templates import TEMPLATES

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel."""
    return build_wheel(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="session")
def dependencies(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """For PYTHONPATH: what is installed here, without ci-toolkit."""
    return dependencies_alone(tmp_path_factory.mktemp("dependencies") / "site")


@pytest.fixture(scope="session")
def gitlab_clone(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """A clone of a repository that has nothing but its pipeline, and an environment to work in it."""
    folder = tmp_path_factory.mktemp("gitlab")
    env = sealed_environment(folder / "home")
    origin = GitRepo.bare(folder / "origin.git", env)
    names = {".gitlab-ci.yml": "caller.yml", ".gitlab/ci-toolkit.yml": "pipeline.yml"}
    origin.commit({path: (TEMPLATES / "gitlab" / name).read_text() for path, name in names.items()})
    origin.git("clone", "-q", str(origin.path), str(folder / "clone"))
    return folder / "clone", env
