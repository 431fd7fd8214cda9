"""The hooks as pre-commit runs them: installed from this checkout, on good and bad commits of the sample repository."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ci_toolkit.checks.registry import CHECKS
from tests.support.git import GitRepo
from tests.support.sealed import sealed_environment

if TYPE_CHECKING:
    from collections.abc import Mapping

TOP = Path(__file__).parents[2]
SAMPLES = TOP / "sample-pkgbuilds"
PRE_COMMIT = Path(sys.executable).with_name("pre-commit")
HOOKS = (TOP / ".pre-commit-hooks.yaml").read_text()
CONFIG = (TOP / "hooks/.pre-commit-config.yaml").read_text()
_INDEX = ("PIP_", "UV_", "SSL_CERT", "REQUESTS_CA")


def test_every_check_has_a_hook_and_every_hook_is_offered() -> None:
    assert sorted(re.findall(r"^- id: (\S+)$", HOOKS, re.MULTILINE)) == sorted(CHECKS)
    for check in CHECKS:
        assert f"entry: ci-toolkit check --only {check}\n" in HOOKS
        assert f"- id: {check}" in CONFIG
    assert HOOKS.count("stages:") == HOOKS.count("minimum_pre_commit_version:") == len(CHECKS)


@pytest.mark.parametrize("path", [".pre-commit-hooks.yaml", "hooks/.pre-commit-config.yaml"])
def test_pre_commit_takes_the_files(path: str) -> None:
    verb = "validate-manifest" if path.endswith("hooks.yaml") else "validate-config"
    done = subprocess.run([PRE_COMMIT, verb, TOP / path], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("path", "hooks"),
    [
        ("foo/PKGBUILD", {"pkgbuild-srcinfo", "package-name", "pkgbuild-lint", "pkgbuild-format"}),
        ("foo/.SRCINFO", {"pkgbuild-srcinfo", "package-name"}),
        ("foo/.CI/config", {"ci-config", "nvchecker-config"}),
        (".ci/config", {"ci-config"}),
        (".ci/review.toml", {"ci-config"}),
        ("foo/.nvchecker.toml", {"nvchecker-config"}),
        (".upstreams/foo/PKGBUILD", set()),
        ("foo/sub/PKGBUILD", set()),
        ("README.md", set()),
    ],
)
def test_a_hook_gets_the_files_that_it_can_read(path: str, hooks: set[str]) -> None:
    patterns = re.findall(r"^- id: (\S+)$(?:\n  .*)*?\n  files: '(.*)'$", HOOKS, re.MULTILINE)
    assert {name for name, pattern in patterns if re.search(pattern, path)} == hooks


@dataclass
class Installed:
    """The sample repository with our hooks installed."""

    repo: GitRepo

    def write(self, files: Mapping[str, str]) -> None:
        for path, text in files.items():
            (self.repo.path / path).parent.mkdir(parents=True, exist_ok=True)
            (self.repo.path / path).write_text(text)
        self.repo.git("add", "-A")

    def commit(self, message: str) -> tuple[bool, str]:
        """Whether it was committed, and what was said."""
        argv = ["git", "-C", str(self.repo.path), "commit", "-m", message]
        done = subprocess.run(argv, env=dict(self.repo.env), capture_output=True, text=True, check=False)
        return done.returncode == 0, done.stdout + done.stderr

    def reset(self) -> None:
        self.repo.git("reset", "-q", "--hard")


def snapshot(folder: Path, env: Mapping[str, str]) -> GitRepo:
    """This checkout, as it is now, as a repository to install hooks from."""
    listed = subprocess.run(
        ["git", "-C", str(TOP), "ls-files", "-z", "-co", "--exclude-standard"], capture_output=True, check=True
    )
    for name in filter(None, listed.stdout.decode().split("\0")):
        if (TOP / name).is_file() and name.startswith(("ci_toolkit/", "pyproject", "README", "LICENSE", ".pre-commit")):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(TOP / name, folder / name)
    repo = GitRepo(folder, env)
    repo.git("init", "-q", "-b", "main")
    repo.git("add", "-A")
    repo.git("commit", "-qm", "feat: hooks")
    repo.git("tag", "v1.0")
    return repo


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    home = tmp_path_factory.mktemp("home")
    index = {name: value for name, value in os.environ.items() if name.startswith(_INDEX)}
    person = {f"GIT_{who}_{what}": value for who in ("AUTHOR", "COMMITTER") for what, value in (("NAME", "A"), ("EMAIL", "a@example.org"))}  # fmt: skip
    beside = f"{PRE_COMMIT.parent}:{os.environ['PATH']}"
    return {**sealed_environment(home), **index, **person, "PATH": beside, "PRE_COMMIT_HOME": str(home / "pre-commit")}


@pytest.fixture(scope="module")
def hooks(tmp_path_factory: pytest.TempPathFactory, environment: dict[str, str]) -> GitRepo:
    return snapshot(tmp_path_factory.mktemp("hooks"), environment)


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory, environment: dict[str, str], hooks: GitRepo) -> Installed:
    """Installing takes the time that pip needs, so it happens once."""
    top = tmp_path_factory.mktemp("samples") / "repository"
    shutil.copytree(SAMPLES, top)
    repo = GitRepo(top, environment)
    config = re.sub(r"repo: \S+", f"repo: {hooks.path}", CONFIG).replace("rev: v0.1.0", "rev: v1.0")
    # What the example leaves to the user to switch on, and no second program to download.
    config = re.sub(r"^ +additional_dependencies:.*\n", "", config, flags=re.MULTILINE)
    (top / ".pre-commit-config.yaml").write_text(config.replace("# - id: pkgbuild-format ", "- id: pkgbuild-format "))
    repo.git("init", "-q", "-b", "main")
    repo.git("add", "-A")
    repo.git("commit", "-qm", "feat: samples")
    subprocess.run([PRE_COMMIT, "install", "--install-hooks"], cwd=top, env=environment, check=True, timeout=240)
    return Installed(repo)


def test_a_good_commit_passes_all_hooks(samples: Installed) -> None:
    config = (samples.repo.path / "tally/.CI/config").read_text()
    pkgbuild = (samples.repo.path / "tally/PKGBUILD").read_text()
    samples.write({"tally/.CI/config": f"{config}# a remark\n", "tally/PKGBUILD": f"{pkgbuild}# a remark\n"})
    done, said = samples.commit("chore(tally): leave a remark [deploy tally]")
    assert done, said
    assert said.count("Passed") == len(CHECKS)


@pytest.mark.parametrize(
    ("path", "old", "new", "hook", "told"),
    [
        ("tally/.CI/config", "aur", "aur\nCI_NVCHEKER=true", "ci-config", "tally/.CI/config\n  2: error: CI_NVCHEKER is no key"),
        ("tally/.SRCINFO", "pkgrel = ", "pkgrel = 9", "pkgbuild-srcinfo", "another pkgrel than PKGBUILD"),
        ("lsdup/PKGBUILD", "pkgname=lsdup", "pkgname=lsdupe", "package-name", "pkgbase is lsdupe, and the folder is called lsdup"),
        ("keyval/PKGBUILD", "pkgname=", "sudo true\npkgname=", "pkgbuild-lint", "asks for the rights of another user"),
        ("keyval/PKGBUILD", "pkgname=", "   pkgname=", "pkgbuild-format", "not formatted"),
        ("keyval/.CI/config", "aur", "aur\nCI_NVCHECKER=true", "nvchecker-config", "there is neither nvchecker.toml"),
        ("libtally/.SRCINFO", "\tpkgver = ", "\tdepends = tally\n\tpkgver = ", "deptree", "needs itself: libtally → tally → libtally"),
    ],
    ids=lambda value: value if value in CHECKS else "",
)  # fmt: skip
def test_a_bad_commit_is_stopped_by_its_hook(
    samples: Installed, path: str, old: str, new: str, hook: str, told: str
) -> None:
    text = (samples.repo.path / path).read_text()
    samples.write({path: text.replace(old, new, 1)})
    done, said = samples.commit("chore: change")
    samples.reset()
    assert not done
    assert f"hook id: {hook}\n" in said
    assert told in said


def test_dropping_what_others_need_is_stopped(samples: Installed) -> None:
    samples.repo.git("rm", "-rq", "libtally")
    done, said = samples.commit("chore: drop libtally")
    samples.reset()
    assert not done
    assert "needs libtally, which no package of this repository provides any more" in said


@pytest.mark.parametrize(
    ("message", "told"),
    [
        ("mend it", "the first line is no conventional commit"),
        ("fix: it [deploy taly]", "did you mean tally, libtally?"),
    ],
)
def test_a_bad_message_is_stopped(samples: Installed, message: str, told: str) -> None:
    samples.write({"notes.md": message})
    done, said = samples.commit(message)
    samples.reset()
    assert not done
    assert told in said


def test_try_repo_finds_every_hook(samples: Installed, hooks: GitRepo, environment: dict[str, str]) -> None:
    argv = [PRE_COMMIT, "try-repo", str(hooks.path), "--all-files", "--ref", "v1.0"]
    done = subprocess.run(
        argv, cwd=samples.repo.path, env=environment, capture_output=True, text=True, check=False, timeout=240
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("Passed") == len(CHECKS) - 1  # all but the one for messages
