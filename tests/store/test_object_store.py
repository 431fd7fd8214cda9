"""What was built, kept once and checked whenever it is read."""

from __future__ import annotations

import errno
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from ci_toolkit.effects.files import sha256_of
from ci_toolkit.errors import NotReadyError
from ci_toolkit.store.object_store import ObjectStore, open_store
from ci_toolkit.store.store_reader import FaultKind, StoreFault
from tests.support.killed_store import CONTENTS, prepare
from tests.support.killings import killed_everywhere
from tests.support.stores import add, contents, damage, files

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path


def path_of(store: ObjectStore, identity: str, name: str) -> Path:
    build = store._index.build(identity)
    assert build is not None
    return store.path(next(one.sha256 for one in build.packages if one.name == name))


def mended(store: ObjectStore) -> list[FaultKind]:
    """What was wrong, which is not so any more."""
    faults = store.check()
    store.mend(faults)
    assert store.check() == ()
    assert not [path for path in files(store) if path.parent.name.startswith(".")]
    return [fault.kind for fault in faults]


def collected(store: ObjectStore, *, before_s: float, referenced: Iterable[str] = ()) -> tuple[int, int]:
    """How many objects went, and their bytes."""
    removal = store.collect(before_s=before_s, referenced=referenced)
    return len(removal.objects), removal.size_bytes


# what is there


def test_a_build_is_given_back_as_it_was_added(store: ObjectStore, tmp_path: Path) -> None:
    made = add(store, tmp_path, "x", a="one", b="two")
    assert store.build("x") == made
    assert contents(store, "x") == {"a": "one", "b": "two"}
    [one, _] = made.packages
    assert (one.file, one.version, one.provides, one.depends) == (
        "a-1-1-any.pkg.tar.zst",
        "1-1",
        ("a-x",),
        ("glibc>=2",),
    )
    assert made.built_with == (("lib", "lib", "1-1"),)
    assert store.build("y") is None
    assert store.check() == ()


def test_it_is_there_when_the_store_is_opened_again_and_no_file_can_be_changed_by_accident(tmp_path: Path) -> None:
    with open_store(tmp_path / "store") as store:
        made = add(store, tmp_path, "x", a="one")
    with open_store(tmp_path / "store") as store:
        assert store.build("x") == made
        assert path_of(store, "x", "a").stat().st_mode & 0o222 == 0
    assert (tmp_path / "store").stat().st_mode & 0o077 == 0


def test_the_same_content_is_kept_once_whatever_it_is_called(store: ObjectStore, tmp_path: Path) -> None:
    add(store, tmp_path, "x", a="same", b="same")
    add(store, tmp_path, "y", a="same", c="other")
    assert store.size() == (2, len("same") + len("other"))
    assert len(list(files(store))) == 2


def test_the_same_identity_again_is_what_was_made_last(store: ObjectStore, tmp_path: Path) -> None:
    add(store, tmp_path, "x", a="one", b="two")
    add(store, tmp_path, "x", a="three")
    assert contents(store, "x") == {"a": "three"}


def test_what_owners_put_in_is_told_of_an_object(store: ObjectStore, tmp_path: Path) -> None:
    made = add(store, tmp_path, "x", 100.0, "one", a="same")
    add(store, tmp_path, "y", 100.0, "two", a="same")
    assert store.origins(made.packages[0].sha256) == {"one", "two"}
    assert store.origins("0" * 64) == frozenset()


def test_a_build_is_laid_out_under_its_names_and_over_what_lay_there(store: ObjectStore, tmp_path: Path) -> None:
    made = add(store, tmp_path, "x", a="one", b="two")
    folder = tmp_path / "new/folder"
    for _ in range(2):
        laid = store.lay_out(made, folder)
        assert [(path.name, path.read_text()) for path in laid] == [
            ("a-1-1-any.pkg.tar.zst", "one"),
            ("b-1-1-any.pkg.tar.zst", "two"),
        ]
        assert sorted(folder.iterdir()) == list(laid)
    assert laid[0].samefile(path_of(store, "x", "a"))


@pytest.mark.parametrize("error", [errno.EXDEV, errno.EPERM, errno.EMLINK])
def test_without_links_everything_is_copied(
    store: ObjectStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: int
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(error, os.strerror(error))

    monkeypatch.setattr(os, "link", refuse)
    made = add(store, tmp_path, "x", a="one")
    (tmp_path / "out/x/a-1-1-any.pkg.tar.zst").write_text("changed afterwards")
    [laid] = store.lay_out(made, tmp_path / "folder")
    laid.write_text("changed, too")
    assert contents(store, "x") == {"a": "one"}
    assert store.check() == ()


# what is wrong


def cut(path: Path) -> None:
    damage(path, path.read_text()[:-1])


def other(path: Path) -> None:
    damage(path, "x" * path.stat().st_size)


def link_to_nothing(path: Path) -> None:
    path.unlink()
    path.symlink_to("/nowhere")


def folder_instead(path: Path) -> None:
    path.unlink()
    path.mkdir()
    (path / "file").touch()


@pytest.mark.parametrize(
    ("spoil", "kind"),
    [
        (cut, FaultKind.DAMAGED),
        (other, FaultKind.DAMAGED),
        (link_to_nothing, FaultKind.DAMAGED),
        (folder_instead, FaultKind.DAMAGED),
        (lambda path: path.unlink(), FaultKind.MISSING),
    ],
    ids=["cut", "other", "link", "folder", "missing"],
)
def test_a_build_that_lost_something_is_none_and_is_made_again(
    store: ObjectStore, tmp_path: Path, spoil: Callable[[Path], None], kind: FaultKind
) -> None:
    add(store, tmp_path, "x", a="one", b="two")
    add(store, tmp_path, "y", a="one")
    add(store, tmp_path, "z", b="two")
    path = path_of(store, "x", "a")
    sha256 = sha256_of(path)
    spoil(path)
    [fault] = store.check()
    assert (fault.sha256, fault.kind) == (sha256, kind)
    assert isinstance(fault, StoreFault)
    assert contents(store, "x") is None
    # What it has lost is forgotten, and with it all builds that made it.
    assert store.check() == ()
    assert (contents(store, "y"), contents(store, "z")) == (None, {"b": "two"})
    add(store, tmp_path, "x", a="one", b="two")
    assert contents(store, "x") == {"a": "one", "b": "two"}
    assert store.check() == ()


@pytest.mark.parametrize("spoil", [cut, link_to_nothing, folder_instead], ids=["cut", "link", "folder"])
def test_mending_removes_what_is_wrong(store: ObjectStore, tmp_path: Path, spoil: Callable[[Path], None]) -> None:
    add(store, tmp_path, "x", a="one", b="two")
    spoil(path_of(store, "x", "a"))
    assert mended(store) == [FaultKind.DAMAGED]
    assert store.build("x") is None


def test_a_damaged_object_is_replaced_by_a_whole_one(store: ObjectStore, tmp_path: Path) -> None:
    add(store, tmp_path, "x", a="one")
    cut(path_of(store, "x", "a"))
    add(store, tmp_path, "y", a="one")
    assert (contents(store, "x"), contents(store, "y")) == ({"a": "one"}, {"a": "one"})


def test_what_nobody_made_is_found_and_other_files_are_left_alone(store: ObjectStore, tmp_path: Path) -> None:
    add(store, tmp_path, "x", a="one")
    unknown = store.path("ab" + "c" * 62)
    strangers = [unknown.with_name(name) for name in ("c" * 61, "C" * 62, "notes.txt")]
    unknown.parent.mkdir(exist_ok=True)
    for path in (unknown, *strangers):
        path.write_text("?")
    [fault] = store.check()
    assert fault == StoreFault(sha256="ab" + "c" * 62, kind=FaultKind.UNKNOWN, size_bytes=1)
    assert mended(store) == [FaultKind.UNKNOWN]
    assert not unknown.exists()
    assert all(path.exists() for path in strangers)
    assert contents(store, "x") == {"a": "one"}


def test_a_damaged_index_is_named(tmp_path: Path) -> None:
    (tmp_path / "index.sqlite").write_bytes(b"?" * 5000)
    with pytest.raises(NotReadyError, match="is damaged") as caught, open_store(tmp_path):
        pytest.fail("it was opened")
    assert caught.value.key == str(tmp_path / "index.sqlite")


def test_a_full_disk_leaves_nothing_half(store: ObjectStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSPC, "full")

    add(store, tmp_path, "x", a="one")
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", refuse)
        with pytest.raises(OSError, match="full"):
            add(store, tmp_path, "y", a="one", b="two")
    assert store.build("y") is None
    assert len(list(files(store))) == 1
    assert store.check() == ()


# what is not needed any more


def test_collecting_removes_old_builds_of_which_nothing_is_referred_to(store: ObjectStore, tmp_path: Path) -> None:
    add(store, tmp_path, "old", 1.0, a="one")
    add(store, tmp_path, "new", 9.0, b="two")
    assert collected(store, before_s=5.0) == (1, 3)
    assert (contents(store, "old"), contents(store, "new")) == (None, {"b": "two"})
    assert store.check() == ()
    assert collected(store, before_s=5.0) == (0, 0)


def test_what_builds_share_survives_that_one_of_them_is_collected(store: ObjectStore, tmp_path: Path) -> None:
    add(store, tmp_path, "old", 1.0, a="shared", b="own")
    add(store, tmp_path, "new", 9.0, a="shared")
    assert collected(store, before_s=5.0) == (1, 3)
    assert (contents(store, "old"), contents(store, "new")) == (None, {"a": "shared"})


def test_a_build_of_which_something_is_published_is_kept_whole(store: ObjectStore, tmp_path: Path) -> None:
    made = add(store, tmp_path, "old", 1.0, "mine", a="published", b="not any more")
    [published] = [one.sha256 for one in made.packages if one.name == "a"]
    assert collected(store, before_s=5.0, referenced=[published]) == (0, 0)
    assert contents(store, "old") == {"a": "published", "b": "not any more"}
    assert store.origins(published) == {"mine"}


def test_what_is_made_again_is_new(store: ObjectStore, tmp_path: Path) -> None:
    add(store, tmp_path, "x", 1.0, a="one")
    add(store, tmp_path, "x", 9.0, a="one")
    assert collected(store, before_s=5.0) == (0, 0)
    assert collected(store, before_s=10.0) == (1, 3)


def test_leftovers_of_killed_processes_are_swept(tmp_path: Path) -> None:
    with open_store(tmp_path / "store") as store:
        add(store, tmp_path, "x", a="one")
        # Where they are now, and where earlier versions had them.
        leftovers = [tmp_path / "store/incoming", path_of(store, "x", "a").parent / ".new-abc"]
    for leftover in leftovers:
        leftover.mkdir(exist_ok=True)
        (leftover / "object").write_text("half")
    with open_store(tmp_path / "store") as store:
        assert not any((leftover / "object").exists() for leftover in leftovers)
        assert contents(store, "x") == {"a": "one"}


# killed, and many at once


def test_killed_at_any_write_it_never_gives_what_is_wrong_and_can_be_mended(tmp_path: Path) -> None:
    (tmp_path / "before").mkdir()
    prepare(tmp_path / "before")
    killed, whole = killed_everywhere("tests.support.killed_store", tmp_path)
    assert len(killed) > 30
    with open_store(whole / "store") as store:
        assert store.check() == ()
        assert [contents(store, name) for name in CONTENTS] == [CONTENTS["old"], None, None, CONTENTS["new"]]
    seen = set()
    for place in killed:
        with open_store(place / "store") as store:
            # An object is there if and only if it has a row, whatever was going on.
            assert {path.name for path in files(store)} == {sha256[2:] for sha256 in store.sizes()}, place.name
            before = {name: contents(store, name) for name in CONTENTS}
            assert all(found in (None, CONTENTS[name]) for name, found in before.items()), place.name
            assert before["old"] == CONTENTS["old"]
            assert before["broken"] is None
            seen |= {name for name, found in before.items() if found}
            mended(store)
            assert {name: contents(store, name) for name in CONTENTS} == before
            add(store, place, "new", **CONTENTS["new"])
            store.collect(before_s=50.0, referenced=())
            assert store.check() == ()
            assert {name: contents(store, name) for name in CONTENTS} == {
                "old": CONTENTS["old"],
                "gone": None,
                "broken": None,
                "new": CONTENTS["new"],
            }
    assert seen == {"old", "gone", "new"}


def test_threads_add_read_and_lay_out_at_once(store: ObjectStore, tmp_path: Path) -> None:
    def work(number: int) -> None:
        for turn in range(5):
            identity = f"{number}-{turn}"
            made = add(store, tmp_path, identity, a="shared", b=f"own {number}", c=f"{turn}")
            assert store.build(identity) == made
            store.lay_out(made, tmp_path / "laid" / str(number))

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(work, range(6)))
    assert store.check() == ()
    assert store.size()[0] == 1 + 6 + 5
    assert contents(store, "3-4") == {"a": "shared", "b": "own 3", "c": "4"}


@pytest.mark.parametrize("what", ["collect", "build"])
def test_nothing_is_removed_that_another_thread_is_about_to_refer_to(
    store: ObjectStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    """One thread has found the object of an old build whole, and has not noted its own build yet."""
    add(store, tmp_path, "old", 1.0, a="shared", b="lost")
    is_found, go_on, index_add = threading.Event(), threading.Event(), store._index.add
    if what == "build":
        path_of(store, "old", "b").unlink()
        cut(path_of(store, "old", "a"))

    def slow(*arguments: object) -> None:
        is_found.set()
        go_on.wait(0.3)  # which the other one cannot end while it is kept waiting
        index_add(*arguments)  # type: ignore[arg-type]  # as they came

    def remove() -> None:
        is_found.wait()
        if what == "build":
            store.build("old")
        else:
            store.collect(before_s=5.0, referenced=())
        go_on.set()

    monkeypatch.setattr(store._index, "add", slow)
    with ThreadPoolExecutor(1) as pool:
        removed = pool.submit(remove)
        add(store, tmp_path, "new", 9.0, a="shared")
        removed.result()
    assert contents(store, "new") == {"a": "shared"}
    assert contents(store, "old") is None
    assert store.check() == ()
