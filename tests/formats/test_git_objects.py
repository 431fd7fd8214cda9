"""Objects made in memory are the ones git makes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci_toolkit.errors import FormatError
from ci_toolkit.formats.git_objects import (
    HashName,
    Identity,
    ObjectDraft,
    TreeEntry,
    decode_commit,
    decode_tree,
    encode_tree,
    object_name,
)
from ci_toolkit.model.names import Oid
from tests.support.git import GitRepo
from tests.support.sealed import sealed_environment

if TYPE_CHECKING:
    from pathlib import Path

WHO = Identity(name="A <B>\n", email="a@b>", seconds=1_700_000_000)


@pytest.mark.parametrize("hash_name", ["sha1", "sha256"])
def test_git_takes_a_pack_of_ours_and_finds_nothing_wrong(tmp_path: Path, hash_name: HashName) -> None:
    repo = GitRepo(tmp_path, sealed_environment(tmp_path / "home"))
    repo.git("init", "-q", "--bare", f"--object-format={hash_name}")
    draft = ObjectDraft(hash_name=hash_name)
    blob = draft.add("blob", b"content\n")
    empty = draft.add("blob", b"")
    files = dict.fromkeys(("a", "a.b", "a-b", "b/a", "b/c/d", "b.c", "a0"), ("100644", blob))
    tree = draft.add_folder({**files, "run": ("100755", empty)})
    commit = draft.add_commit(tree=tree, parents=(), identity=WHO, message="subject\n\nbody\n")
    repo.git("index-pack", "--stdin", "--strict", stdin=draft.pack())
    repo.git("update-ref", "refs/heads/main", commit)
    assert repo.git("fsck", "--strict", "--no-dangling") == ""
    assert repo.git("hash-object", "--stdin", stdin=b"content\n") == blob
    assert repo.git("ls-tree", "-r", "--name-only", "main").split("\n") == [
        "a", "a-b", "a.b", "a0", "b.c", "b/a", "b/c/d", "run",
    ]  # fmt: skip
    assert repo.git("log", "-1", "--format=%an|%ae|%at|%s|%b", "main") == "A B|a@b|1700000000|subject|body"
    listing = repo.git("ls-tree", "main")
    remade = repo.git("mktree", stdin=listing.encode() + b"\n")
    assert remade == tree


names = st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=8)


@given(st.dictionaries(names, st.booleans(), max_size=12))
def test_a_tree_reads_back_as_written_and_writes_back_as_read(entries: dict[str, bool]) -> None:
    oid = object_name("blob", b"x")
    made = [TreeEntry(mode="40000" if folder else "100644", name=name, oid=oid) for name, folder in entries.items()]
    body = encode_tree(made)
    assert sorted(decode_tree(body), key=lambda entry: entry.name) == sorted(made, key=lambda entry: entry.name)
    assert encode_tree(decode_tree(body)) == body


@pytest.mark.parametrize("body", [b"100644 a\0short", b"100644", b"100644 a", b"\0" * 30])
def test_bytes_that_are_no_tree_are_refused(body: bytes) -> None:
    with pytest.raises(FormatError):
        decode_tree(body)


def test_a_commit_reads_back(tmp_path: Path) -> None:
    repo = GitRepo.bare(tmp_path, sealed_environment(tmp_path / "home"))
    first = repo.commit({"a": "1"}, "one")
    second = repo.commit({"a": "2"}, "two\n\nTrailer: x", when=1_700_000_123)
    raw = repo.git("cat-file", "commit", second).encode()
    commit = decode_commit(raw)
    assert (commit.parents, commit.committed_s) == ((Oid(first),), 1_700_000_123)
    assert (commit.author_email, commit.committer_email) == ("ada@example.org", "ada@example.org")
    assert commit.message == "two\n\nTrailer: x"


@pytest.mark.parametrize("body", [b"", b"tree x\n\nm", b"tree x\nauthor a <b> 1 +0000\ncommitter a <b> soon\n\nm"])
def test_bytes_that_are_no_commit_are_refused(body: bytes) -> None:
    with pytest.raises(FormatError):
        decode_commit(body)
