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
TIMEOUT_S = 240
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
        ("foo/.CI/recipe.toml", {"recipe-file"}),
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


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    index = {name: value for name, value in os.environ.items() if name.startswith(_INDEX)}
    person = {f"GIT_{who}_{what}": value for who in ("AUTHOR", "COMMITTER") for what, value in (("NAME", "A"), ("EMAIL", "a@example.org"))}  # fmt: skip
    path = f"{PRE_COMMIT.parent}:{os.environ['PATH']}"
    # What is never imported need not be compiled.
    installing = {"PRE_COMMIT_HOME": str(tmp_path / "pre-commit"), "PIP_NO_COMPILE": "1"}
    return {**sealed_environment(tmp_path / "home"), **index, **person, **installing, "PATH": path}


def samples(top: Path, environment: Mapping[str, str]) -> GitRepo:
    shutil.copytree(SAMPLES, top)
    repo = GitRepo(top, environment)
    repo.git("init", "-q", "-b", "main")
    repo.git("add", "-A")
    repo.git("commit", "-qm", "feat: samples")
    return repo


def install(repo: GitRepo, hooks: GitRepo) -> Installed:
    """Our own example of a configuration, with what it leaves to the user switched on and no second program."""
    config = re.sub(r"repo: \S+", f"repo: {hooks.path}", CONFIG).replace("rev: v0.1.0", "rev: v1.0")
    config = re.sub(r"^ +additional_dependencies:.*\n", "", config, flags=re.MULTILINE)
    config = config.replace("# - id: pkgbuild-format ", "- id: pkgbuild-format ")
    (repo.path / ".pre-commit-config.yaml").write_text(config)
    repo.git("add", "-A")
    repo.git("commit", "-qm", "feat: hooks")
    argv = [str(PRE_COMMIT), "install", "--install-hooks"]
    subprocess.run(argv, cwd=repo.path, env=dict(repo.env), check=True, timeout=TIMEOUT_S)
    return Installed(repo)


BAD = (
    ("ci-config", "tally/.CI/config", "aur", "aur\nCI_NVCHEKER=true", "2: error: CI_NVCHEKER is no key of ci-toolkit"),
    ("pkgbuild-srcinfo", "tally/.SRCINFO", "pkgrel = ", "pkgrel = 9", "4: error: .SRCINFO has another pkgrel than PKGBUILD"),
    ("package-name", "lsdup/PKGBUILD", "=lsdup", "=lsdupe", "3: error: pkgbase is lsdupe, and the folder is called lsdup"),
    ("recipe-file", "leap-list/.CI/recipe.toml", "outputs", "output", "error: output is no key here"),
    ("pkgbuild-lint", "ini-diff/PKGBUILD", "pkgname=", "sudo true\npkgname=", "3: error: `sudo true` asks for the rights"),
    ("pkgbuild-format", "keyval/PKGBUILD", "pkgbase=", "   pkgbase=", "3: error: is not formatted as shfmt does"),
    ("nvchecker-config", "keyval/.CI/config", "aur", "aur\nCI_NVCHECKER=true", "2: error: CI_NVCHECKER is on, and there"),
    ("deptree", "libtally/.SRCINFO", "\tpkgver", "\tdepends = tally\n\tpkgver", "error: needs itself: libtally → tally"),
)  # fmt: skip


def test_all_samples_pass_good_commits_too_and_bad_ones_are_stopped(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    # One test for all, as installing takes most of the time.
    installed = install(samples(tmp_path / "samples", environment), snapshot(tmp_path / "hooks", environment))
    argv = [str(PRE_COMMIT), "run", "--all-files"]
    done = subprocess.run(
        argv, cwd=installed.repo.path, env=environment, capture_output=True, text=True, check=False, timeout=TIMEOUT_S
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("Passed") == len(CHECKS) - 1  # all but the one for messages

    for _, path, old, new, _ in BAD:
        text = (installed.repo.path / path).read_text()
        installed.write({path: text.replace(old, new, 1)})
    committed, said = installed.commit("chore: change")
    installed.reset()
    assert not committed
    blamed = {part.partition("\n")[0]: part for part in said.split("- hook id: ")[1:]}
    assert blamed.keys() == {hook for hook, *_ in BAD}
    assert [told for hook, *_, told in BAD if told not in blamed[hook]] == [], said

    installed.repo.git("rm", "-rq", "libtally")
    committed, said = installed.commit("chore: drop libtally")
    installed.reset()
    assert (committed, "needs libtally, which no package of this repository provides" in said) == (False, True), said

    for message, told in (("mend it", "is no conventional commit"), ("fix: it [deploy taly]", "did you mean tally")):
        installed.write({"notes.md": message})
        committed, said = installed.commit(message)
        installed.reset()
        assert (committed, told in said) == (False, True), said

    for path in ("tally/.CI/config", "tally/PKGBUILD", "leap-list/.CI/recipe.toml"):
        installed.write({path: f"{(installed.repo.path / path).read_text()}# a remark\n"})
    committed, said = installed.commit("chore(tally): leave a remark [deploy tally]")
    assert (committed, said.count("Passed")) == (True, len(CHECKS)), said
