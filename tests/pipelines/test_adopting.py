"""Taking over a repository of the bash template, and giving it back."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from ci_toolkit.effects import template_files
from ci_toolkit.errors import ConfigError, GitError, RefusedError
from ci_toolkit.formats.git_objects import object_name
from ci_toolkit.pipelines.caller_files import caller_files
from tests.support.packages import SamplePackage

if TYPE_CHECKING:
    from tests.support.world import World

SCRIPTS = {
    ".ci/on-commit.sh": "#!/bin/bash\n# on-commit of some version\n",
    ".ci/util.shlib": "# util of some version\n",
    ".gitlab-ci.yml": "on-commit:\n  script: .ci/on-commit.sh\n",
}
FOO = SamplePackage(name="foo")


@pytest.fixture(autouse=True)
def _versions(monkeypatch: pytest.MonkeyPatch) -> None:
    known = {path: frozenset({object_name("blob", text.encode())[:16]}) for path, text in SCRIPTS.items()}
    monkeypatch.setattr(template_files, "known_versions", lambda: known)


def git(world: World, *arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=world.work, env=world.env, capture_output=True, check=True, text=True
    )
    return done.stdout.strip()


def files(world: World) -> set[str]:
    return set(git(world, "ls-tree", "-r", "--name-only", "HEAD").split("\n"))


def test_one_commit_takes_it_over_and_one_gives_it_back(world: World) -> None:
    kept = {".ci/aur-maintainers": "ada\n", ".ci/my-own.sh": "mine\n", "README.md": "x\n"}
    world.start({**FOO.folder(), **SCRIPTS, **kept})
    before = git(world, "rev-parse", "HEAD")
    result = world.run("adopt", "gitlab")
    assert result.status == 0, result.stderr
    assert git(world, "rev-parse", "HEAD^") == before
    assert files(world) == {*kept, *FOO.folder(), ".ci/config", ".editorconfig", *caller_files("gitlab")}
    assert (world.work / ".gitlab-ci.yml").read_bytes() == caller_files("gitlab")[".gitlab-ci.yml"]
    assert git(world, "status", "--porcelain") == ""
    assert "  .ci/util.shlib\n" in result.stdout
    undone = world.run("adopt", "--undo")
    assert undone.status == 0, undone.stderr
    assert git(world, "rev-parse", "HEAD^{tree}") == git(world, "rev-parse", f"{before}^{{tree}}")
    assert git(world, "rev-parse", "HEAD~2") == before
    again = world.run("adopt", "--undo")
    assert (again.status, "nothing to undo" in again.stderr) == (RefusedError.exit_status, True)


def test_what_a_person_edited_is_kept_aside_and_named(world: World) -> None:
    world.start({**FOO.folder(), **SCRIPTS, ".ci/on-commit.sh": "edited\n", ".gitlab-ci.yml": "edited: too\n"})
    result = world.run("adopt", "gitlab")
    assert result.status == 0
    assert (world.work / ".ci/before-ci-toolkit/on-commit.sh").read_text() == "edited\n"
    assert (world.work / ".ci/before-ci-toolkit/.gitlab-ci.yml").read_text() == "edited: too\n"
    assert "it was edited: it is kept as .ci/before-ci-toolkit/on-commit.sh" in result.stdout
    assert not (world.work / ".ci/on-commit.sh").exists()


def test_a_dry_run_and_a_new_branch_leave_what_is_checked_out(world: World) -> None:
    world.start({**FOO.folder(), **SCRIPTS})
    refs = git(world, "for-each-ref")
    assert world.run("adopt", "github", "--dry-run").status == 0
    assert git(world, "for-each-ref") == refs
    assert world.run("adopt", "github", "--new-branch", "switch").status == 0
    assert git(world, "rev-parse", "main") == git(world, "rev-parse", "switch^")
    assert ".github/workflows/ci-toolkit.yml" in git(world, "ls-tree", "-r", "--name-only", "switch")
    assert git(world, "status", "--porcelain") == ""


def test_uncommitted_changes_are_never_overwritten(world: World) -> None:
    world.start({**FOO.folder(), **SCRIPTS})
    (world.work / ".gitlab-ci.yml").write_text("half done\n")
    result = world.run("adopt", "gitlab")
    assert (result.status, ".gitlab-ci.yml" in result.stderr) == (GitError.exit_status, True)
    assert (world.work / ".gitlab-ci.yml").read_text() == "half done\n"


def test_later_changes_of_the_same_files_stop_the_undoing(world: World) -> None:
    world.start({**FOO.folder(), **SCRIPTS})
    world.run("adopt", "gitlab")
    (world.work / ".gitlab-ci.yml").write_text("changed: later\n")
    git(world, "-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qam", "later")
    result = world.run("adopt", "--undo")
    assert result.status == RefusedError.exit_status
    assert ".gitlab-ci.yml changed since the adoption" in result.stderr


def test_without_the_template_or_an_adoption_it_refuses(world: World) -> None:
    world.start(FOO.folder())
    assert "no file of the bash template" in world.run("adopt", "gitlab").stderr
    assert "nothing to undo" in world.run("adopt", "--undo").stderr
    assert world.run("adopt").status == ConfigError.exit_status


def test_what_will_be_different_is_told_for_each_package(world: World) -> None:
    lib, app = SamplePackage(name="lib++"), SamplePackage(name="app", depends=("lib++",))
    packages = {
        **FOO.folder("CI_PKGBUILD_SOURCE='aur'\nCI_MANAGE_AUR=True\nCI_TAG_FILTER=v(.*)\n"),
        **SamplePackage(name="same").folder(),
        **SamplePackage(name="bad").folder("BUILDER_EXTRA_TIMEOUT=fast\n"),
        **SamplePackage(name="Upper").folder(),
        **SamplePackage(name="old-svn").folder(),
        **SamplePackage(name="odd").folder("CI_PKGBUILD_SOURCE=gitlab:name\n"),
        **lib.folder(),
        **app.folder(),
    }
    world.start({**packages, **SCRIPTS}, settings={"CI_REBUILD_BLACKLIST": '"glibc"'})
    said = world.run("adopt", "gitlab", "--dry-run").stdout.split("\n")
    for line in (
        "CI_REBUILD_BLACKLIST: '\"glibc\"' -> 'glibc'",
        "foo: CI_PKGBUILD_SOURCE: \"'aur'\" -> 'aur'",
        "foo: CI_MANAGE_AUR: off, as 'True' is not 'true' -> on",
        "foo: CI_TAG_FILTER: ignored -> v(.*)",
        "app: build order: - -> after lib++",
        "old-svn: VCS head: not followed -> followed",
    ):
        assert f"  {line}" in said
    starts = ("  bad: .CI/config: read as it stands -> refused: ", "  Upper: name: scheduled -> the chaotic-manager ")
    for start in starts:
        assert any(line.startswith(start) for line in said)
    assert not any("same:" in line for line in said)


def test_needs_taken_for_names_are_told_once(world: World) -> None:
    nameless = SamplePackage(name="a.b", depends=("glibc",))
    others = [SamplePackage(name=f"p{number}", depends=("glibc",)) for number in range(5)]
    world.start({**SCRIPTS, **{path: text for one in (nameless, *others) for path, text in one.folder().items()}})
    said = world.run("adopt", "gitlab", "--dry-run").stdout
    old, new = (f"{count} packages of the repository wait for it" for count in (5, 0))
    assert f"a.b: its place in the build order: {old} -> {new}" in said
    assert "p1: build order" not in said
