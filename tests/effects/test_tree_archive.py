"""Trees on disk become the archives that nix-store makes of them, and come back from them."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

import pytest

from ci_toolkit.effects.tree_archive import tree_entries, unpack_tree
from ci_toolkit.errors import FormatError, MachineError, RefusedError
from ci_toolkit.formats.byte_stream import pieces_of
from ci_toolkit.formats.nar import NarFile, NarFolder, NarLink, format_nar, parse_nar
from tests.support.nix_store import NixStore, needs_nix

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ci_toolkit.formats.nar import NarEntry


def grown(top: Path) -> Path:
    """A tree with everything that an archive can have."""
    (top / "a/b").mkdir(parents=True)
    (top / "a/empty").mkdir()
    (top / "a/b/script").write_text("#!/bin/sh\n")
    (top / "a/b/script").chmod(0o755)
    (top / "a/nothing").touch()
    (top / "a-b").write_bytes(bytes(range(256)) * 5000)  # larger than a piece; "-" sorts before "/"
    (top / "a/up").symlink_to("../../..")
    (top / os.fsdecode(b"\xff odd")).write_text("x")
    (top / "back").symlink_to("a", target_is_directory=True)
    return top


def archive(top: Path) -> bytes:
    return b"".join(format_nar(tree_entries(top)))


@needs_nix
def test_archives_are_those_of_nix_in_both_directions(tmp_path: Path) -> None:
    nix, tree = NixStore(tmp_path / "nix"), grown(tmp_path / "tree")
    theirs = nix.run("nix-store", "--dump", str(tree))
    assert archive(tree) == theirs
    unpack_tree(parse_nar([theirs]), tmp_path / "ours")
    assert nix.run("nix-store", "--dump", str(tmp_path / "ours")) == theirs
    nix.run("nix-store", "--restore", str(tmp_path / "restored"), given=archive(tree))
    assert archive(tmp_path / "restored") == theirs


def test_a_tree_comes_back_as_it_was(tmp_path: Path) -> None:
    tree = grown(tmp_path / "tree")
    unpack_tree(tree_entries(tree), tmp_path / "deep/again")
    assert archive(tmp_path / "deep/again") == archive(tree)
    assert str((tmp_path / "deep/again/a/up").readlink()) == "../../.."
    assert (tmp_path / "deep/again/a/b/script").stat().st_mode & 0o777 == 0o755
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["again"]


@pytest.mark.parametrize("kind", ["file", "link"])
def test_something_else_than_a_folder_is_a_tree_too(tmp_path: Path, kind: str) -> None:
    top = tmp_path / "top"
    top.symlink_to("/nowhere") if kind == "link" else top.write_text("x")
    unpack_tree(tree_entries(top), tmp_path / "again")
    assert archive(tmp_path / "again") == archive(top)
    assert (tmp_path / "again").is_symlink() == (kind == "link")


def fifo(path: Path) -> None:
    os.mkfifo(path)


def bound(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))


@pytest.mark.parametrize("make", [fifo, bound])
def test_what_no_archive_has_is_named(tmp_path: Path, make: Callable[[Path], None]) -> None:
    (tmp_path / "t/in").mkdir(parents=True)
    make(tmp_path / "t/in/odd")
    with pytest.raises(FormatError, match="is no file, folder or link") as caught:
        archive(tmp_path / "t")
    assert caught.value.key == "in/odd"


def test_what_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(MachineError, match="nothing cannot be read: No such file"):
        archive(tmp_path / "nothing")


def test_nothing_is_written_over(tmp_path: Path) -> None:
    (tmp_path / "there").symlink_to("/nowhere")
    with pytest.raises(RefusedError, match="is there already"):
        unpack_tree([NarFolder(path=b"")], tmp_path / "there")
    assert str((tmp_path / "there").readlink()) == "/nowhere"


def test_what_breaks_in_the_middle_leaves_nothing(tmp_path: Path) -> None:
    data = archive(grown(tmp_path / "tree"))
    (tmp_path / "target").mkdir()
    for end in (100, len(data) // 2, len(data) - 1):
        with pytest.raises(FormatError):
            unpack_tree(parse_nar([data[:end]]), tmp_path / "target/again")
    assert not list((tmp_path / "target").iterdir())


def test_a_link_is_never_written_through(tmp_path: Path) -> None:
    """No archive that was read has such entries; the disk refuses them, too."""
    (tmp_path / "outside").mkdir()
    link = NarLink(path=b"a", target=os.fsencode(tmp_path / "outside"))
    file = NarFile(path=b"a/file", size_bytes=1, is_executable=False, content=[b"x"])
    stories: list[list[NarEntry]] = [
        [NarFolder(path=b""), link, NarFolder(path=b"a"), file],
        [NarFolder(path=b""), link, file],
    ]
    for entries in stories:
        with pytest.raises((MachineError, FormatError)):
            unpack_tree(entries, tmp_path / "target")
    assert not list((tmp_path / "outside").iterdir())
    assert not (tmp_path / "target").exists()


def test_an_archive_may_come_from_a_file(tmp_path: Path) -> None:
    tree = grown(tmp_path / "tree")
    (tmp_path / "x.nar").write_bytes(archive(tree))
    with (tmp_path / "x.nar").open("rb") as file:
        unpack_tree(parse_nar(pieces_of(file)), tmp_path / "again")
    assert archive(tmp_path / "again") == archive(tree)
