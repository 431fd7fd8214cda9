"""When the folders of a repository changed last: real git, with what people do to histories."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from ci_toolkit.effects.git_repository import Repository, open_repository
from ci_toolkit.effects.process import Processes
from ci_toolkit.effects.redaction import Redactor
from ci_toolkit.errors import GitError
from ci_toolkit.model.names import Oid, Pkgbase
from ci_toolkit.model.observation import UpstreamFile
from ci_toolkit.pipelines.package_folders import RepositoryFolders
from tests.support.git import BASE_TIME_S, GitRepo

if TYPE_CHECKING:
    from pathlib import Path

ODD = ("a\x01b", "two\nlines", "-x", " ", "'\"\\", "\udcff\udcfe", "ä", "\x011700000000", "\n")


@pytest.fixture
def repo(tmp_path: Path) -> GitRepo:
    return GitRepo.bare(tmp_path / "bare", dict(os.environ))


def opened(repo: GitRepo) -> Repository:
    return open_repository(repo.path, processes=Processes(redactor=Redactor({})), environ=repo.env)


def changes(repo: GitRepo, *folders: str, at: str = "main") -> dict[str, int]:
    """Last changes, in seconds after the base."""
    found = opened(repo).last_changes(Oid(repo.git("rev-parse", at)), folders)
    return {name: time_s - BASE_TIME_S for name, time_s in found.items()}


def commit(repo: GitRepo, seconds: int, *paths: str, branch: str = "main", remove: tuple[str, ...] = ()) -> str:
    files = dict.fromkeys(paths, f"{seconds}")
    return repo.commit(files, "a subject\n\nand a body", branch=branch, remove=remove, when=BASE_TIME_S + seconds)


def merge(repo: GitRepo, seconds: int, tree: str, *parents: str) -> None:
    """Point main to a merge."""
    words = [word for parent in parents for word in ("-p", parent)]
    when = f"{BASE_TIME_S + seconds} +0000"
    env = {**repo.env, "GIT_COMMITTER_DATE": when, "GIT_AUTHOR_DATE": when}
    env |= {f"GIT_{who}_{what}": "x" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    argv = ["git", "-C", str(repo.path), "commit-tree", tree, *words, "-m", "merge"]
    made = subprocess.run(argv, env=env, check=True, capture_output=True, text=True).stdout.strip()
    repo.git("update-ref", "refs/heads/main", made)


def test_the_last_commit_that_touched_a_folder_counts(repo: GitRepo) -> None:
    commit(repo, 10, "a/x", "b/x", "top")
    commit(repo, 20, "b/deep/er/y")
    commit(repo, 30, "top")
    commit(repo, 40)
    assert changes(repo, "a", "b") == {"a": 10, "b": 20}
    assert changes(repo, "b") == {"b": 20}
    assert changes(repo) == {}


def test_a_commit_before_the_newest_is_asked_about_itself(repo: GitRepo) -> None:
    commit(repo, 10, "a/x")
    commit(repo, 20, "a/x")
    assert changes(repo, "a", at="main~1") == {"a": 10}


def test_what_was_never_there_and_a_file_of_that_name_have_no_time(repo: GitRepo) -> None:
    commit(repo, 10, "a/x", "file")
    assert changes(repo, "a", "file", "none", "a/x") == {"a": 10}


def test_a_file_that_leaves_changes_its_folder_and_a_rename_changes_both(repo: GitRepo) -> None:
    commit(repo, 10, "a/x", "a/y", "b/x", "c/x")
    commit(repo, 20, remove=("a/y",))
    repo.commit({"c/moved": "10"}, remove=["b/x"], when=BASE_TIME_S + 30)
    assert changes(repo, "a", "b", "c") == {"a": 20, "b": 30, "c": 30}


def test_a_mode_alone_is_a_change(repo: GitRepo) -> None:
    commit(repo, 10, "a/x")
    repo.commit({"a/x": "10"}, modes={"a/x": "100755"}, when=BASE_TIME_S + 20)
    assert changes(repo, "a") == {"a": 20}


def test_a_merge_changes_nothing_but_what_it_has_from_no_parent(repo: GitRepo) -> None:
    base = commit(repo, 10, "a/x", "b/x", "c/x")
    repo.git("update-ref", "refs/heads/side", base)
    one, two = commit(repo, 20, "a/x"), commit(repo, 30, "b/x", branch="side")
    repo.git("update-ref", "refs/heads/both", one)
    tree = repo.git("rev-parse", f"{commit(repo, 99, 'b/x', 'c/x', branch='both')}^{{tree}}")
    repo.git("update-ref", "refs/heads/main", one)
    merge(repo, 40, tree, one, two)
    # b/x has 99 in it, which is neither 10 nor 30; c/x differs from both parents, too.
    assert changes(repo, "a", "b", "c") == {"a": 20, "b": 40, "c": 40}
    repo.git("update-ref", "refs/heads/main", one)
    merge(repo, 50, repo.git("rev-parse", f"{two}^{{tree}}"), one, two)
    assert changes(repo, "b", "c") == {"b": 30, "c": 10}


def test_an_older_change_is_found_behind_hundreds_of_newer_ones(repo: GitRepo) -> None:
    commit(repo, 10, "a/x")
    lines = "".join(
        f"commit refs/heads/main\ncommitter x <x@x> {BASE_TIME_S + 100 + number} +0000\ndata 0\n"
        f"{'from refs/heads/main^0' if not number else ''}\nM 100644 inline b/x\ndata 4\n{number:04}\n"
        for number in range(350)
    )
    repo.git("fast-import", "--quiet", stdin=lines.encode())
    assert changes(repo, "a", "b") == {"a": 10, "b": 449}


@pytest.mark.parametrize("name", ODD, ids=ascii)
def test_odd_names_are_only_names(repo: GitRepo, name: str) -> None:
    commit(repo, 10, "a/x", "b/x", "lines/x")
    commit(repo, 20, f"a/{name}")
    commit(repo, 30, f"b/q{name}/b", f"b/{name}lines/c")
    commit(repo, 40, "a/x")
    assert changes(repo, "a", "b", "lines") == {"a": 40, "b": 30, "lines": 10}
    commit(repo, 50, f"{name}lines/y")
    assert changes(repo, f"{name}lines", "lines") == {f"{name}lines": 50, "lines": 10}


def test_settings_of_the_clone_change_nothing(repo: GitRepo) -> None:
    commit(repo, 10, "a/x", "b/x")
    commit(repo, 20, "b/ä")
    settings = ("log.showSignature=true", "core.quotePath=true", "diff.renames=copies", "log.showRoot=false")
    for setting in (*settings, "log.diffMerges=on", "format.pretty=fuller", "log.follow=true"):
        repo.git("config", *setting.split("="))
    assert changes(repo, "a", "b") == {"a": 10, "b": 20}


def test_a_shallow_clone_gives_the_oldest_time_that_it_knows(repo: GitRepo, tmp_path: Path) -> None:
    commit(repo, 10, "a/x", "b/x")
    commit(repo, 20, "c/x")
    commit(repo, 30, "b/x")
    argv = ["git", "clone", "-q", "--bare", "--depth=2", f"file://{repo.path}", str(tmp_path / "shallow")]
    subprocess.run(argv, env=dict(repo.env), check=True)
    assert changes(GitRepo(tmp_path / "shallow", repo.env), "a", "b", "c") == {"a": 20, "b": 30, "c": 20}


def read(repo: GitRepo, *names: str) -> dict[str, tuple[int, dict[str, UpstreamFile]]]:
    commit_ = Oid(repo.git("rev-parse", "main"))
    found = RepositoryFolders(repository=opened(repo), commit=commit_)(map(Pkgbase, names))
    for name, folder in found.items():
        assert folder.tree == repo.git("rev-parse", f"main:{name}")
    return {name: (folder.epoch_s - BASE_TIME_S, dict(folder.files)) for name, folder in found.items()}


def test_folders_are_read_with_modes_links_and_odd_names_and_nothing_of_their_neighbours(repo: GitRepo) -> None:
    commit(repo, 10, "b/x", "ab/x")
    files = {"a/run": "x", "a/.CI/config": "", "a/link": "../b/x", **{f"a/d/{name}": "y" for name in ODD}}
    repo.commit(files, modes={"a/run": "100755", "a/link": "120000"}, when=BASE_TIME_S + 20)
    plain = {f"d/{name}": UpstreamFile(mode="100644", content=b"y") for name in ODD}
    assert read(repo, "a") == {
        "a": (
            20,
            {
                "run": UpstreamFile(mode="100755", content=b"x"),
                ".CI/config": UpstreamFile(mode="100644", content=b""),
                "link": UpstreamFile(mode="120000", content=b"../b/x"),
                **plain,
            },
        )
    }
    assert list(read(repo, "b", "ab")) == ["b", "ab"]
    assert read(repo) == {}


def test_what_is_no_folder_and_what_has_a_submodule_is_refused_by_name(repo: GitRepo) -> None:
    commit(repo, 10, "a/x", "file")
    for name in ("none", "file"):
        with pytest.raises(GitError, match=f"has no folder {name}"):
            read(repo, "a", name)
    lines = f"commit refs/heads/main\ncommitter x <x@x> 1 +0000\ndata 0\nfrom refs/heads/main^0\nM 160000 {'1' * 40} a/sub\n"
    repo.git("fast-import", "--quiet", stdin=lines.encode())
    with pytest.raises(GitError, match="a/sub is a submodule"):
        read(repo, "a")
