"""Store paths in a store: brought, found, deleted and collected, and whole after whatever happens."""

from __future__ import annotations

import fcntl
import hashlib
import os
import sqlite3
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ci_toolkit.errors import FormatError, MachineError, NotReadyError, RefusedError
from ci_toolkit.formats.nar import NarLimits
from ci_toolkit.formats.narinfo import NarInfo
from ci_toolkit.formats.nix_signatures import generate_secret_key
from ci_toolkit.formats.store_path import fingerprint, parse_store_path
from ci_toolkit.store.importing import add_tree, import_archive, import_export
from ci_toolkit.store.object_store import ObjectStore, Output, open_store
from ci_toolkit.store.store_reader import FaultKind, read_store
from ci_toolkit.store.unpacking import unpack
from tests.support.killed_paths import ALONE, LAST, NEW, OLD, At, prepare
from tests.support.killings import killed_everywhere
from tests.support.nix_store import NixStore, needs_nix
from tests.support.stores import add, damage, files
from tests.support.trees import archive, bring, contents, expected, exported, named, stream

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from ci_toolkit.store.path_index import StoredPath

A, B, C = exported("a", "one"), exported("b", "two", "a"), exported("c", "three", "b")


def text_of(letter: str) -> str:
    return str(named(letter))


def object_of(store: ObjectStore, letter: str) -> Path:
    entry = store.entry(named(letter))
    assert entry is not None
    return store.path(entry.sha256)


def agrees(store: ObjectStore) -> bool:
    """Whether an object is there if and only if it has a row."""
    return {f"{path.parent.name}{path.name}" for path in files(store)} == store.sizes().keys()


# what is brought


def test_paths_are_given_back_as_they_were_brought(store: ObjectStore) -> None:
    assert [(str(one.path), one.is_new) for one in bring(store, A, B, C)] == [(text_of(one), True) for one in "abc"]
    assert contents(store) == expected([A, B, C])
    assert b"".join(store.export([named("c")])) == stream(A, B, C)
    assert b"".join(store.export([named("c"), named("a")], closure=False)) == stream(A, C)
    assert store.check() == ()
    assert agrees(store)


def test_the_same_path_again_is_nothing_new_and_another_content_under_its_name_is_refused(store: ObjectStore) -> None:
    bring(store, A, B)
    before = store.entries()
    assert [one.is_new for one in bring(store, A, B)] == [False, False]
    with pytest.raises(RefusedError, match="is in the store already with another content") as caught:
        bring(store, exported("a", "other"))
    assert caught.value.key == text_of("a")
    with pytest.raises(RefusedError, match="is in the store already with other references"):
        bring(store, exported("b", "two"))
    assert store.entries() == before
    assert agrees(store)


def test_what_refers_to_something_that_is_not_here_is_refused_and_what_came_before_stays(store: ObjectStore) -> None:
    with pytest.raises(RefusedError, match=f"refers to {text_of('b')}, which is not in the store") as caught:
        bring(store, A, C)
    assert (caught.value.key, contents(store)) == (text_of("c"), expected([A]))
    assert agrees(store)


def test_a_path_may_refer_to_itself_and_share_its_content(store: ObjectStore, tmp_path: Path) -> None:
    add(store, tmp_path, "build", a=archive(b"same").decode())
    bring(store, exported("a", "same", "a"), exported("b", "same"))
    assert store.size()[0] == 1
    store.delete(paths=[named("a")])
    assert contents(store) == {"b": archive(b"same")}
    store.delete(paths=[named("b")])
    assert store.size()[0] == 1
    assert store.build("build") is not None


@pytest.mark.parametrize("where", [0, 8, 100, -1])
def test_a_stream_that_is_cut_off_leaves_nothing_of_what_was_cut(store: ObjectStore, where: int) -> None:
    data = stream(A, B)
    with pytest.raises(FormatError):
        list(import_export(store, [data[: len(stream(A)) - 8 + where if where >= 0 else where]]))
    assert contents(store) in ({}, expected([A]), expected([A, B]))
    assert agrees(store)


def test_more_than_is_allowed_is_refused_before_it_fills_the_disk(store: ObjectStore) -> None:
    with pytest.raises(FormatError, match="more than 100 bytes"):
        list(import_export(store, [stream(exported("a", "x" * 101))], limits=NarLimits(most_bytes=100)))
    assert list(files(store)) == []


def test_a_full_disk_leaves_nothing_half(store: ObjectStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(28, "full")

    bring(store, A)
    for name in ("fsync", "replace"):
        with monkeypatch.context() as patch:
            patch.setattr(os, name, refuse)
            with pytest.raises(OSError, match="full"):
                bring(store, B)
        assert contents(store) == expected([A])
        assert agrees(store)
        assert store.check() == ()


# signatures

KEY, OTHER = generate_secret_key("key-1"), generate_secret_key("other-1")


def told(content: bytes = b"one", *, signed_by: tuple[object, ...] = (), nar_sha256: str | None = None) -> NarInfo:
    data = archive(content)
    sha256 = nar_sha256 or hashlib.sha256(data).hexdigest()
    signed = fingerprint(named("a"), nar_sha256=sha256, nar_size_bytes=len(data), references=())
    return NarInfo(
        path=named("a"),
        url="nar/x.nar",
        compression="none",
        nar_sha256=sha256,
        nar_size_bytes=len(data),
        signatures=tuple(key.sign(signed) for key in signed_by),  # type: ignore[attr-defined]  # they are keys
    )


def test_where_keys_are_demanded_one_of_them_must_have_signed(store: ObjectStore) -> None:
    assert import_archive(store, told(signed_by=(OTHER, KEY)), [archive(b"one")], keys=[KEY.public]).is_new
    [entry] = store.entries()
    assert sorted(one.key_name for one in entry.signatures) == ["key-1", "other-1"]


@pytest.mark.parametrize(
    ("info", "problem"),
    [
        (told(), "is not signed"),
        (told(signed_by=(OTHER,)), r"has no good signature of a trusted key \(key-1\), but of other-1"),
        (told(signed_by=(generate_secret_key("key-1"),)), "has no good signature"),
    ],
    ids=["none", "other", "same name"],
)
def test_others_are_refused_before_anything_is_read(store: ObjectStore, info: NarInfo, problem: str) -> None:
    def never() -> Iterator[bytes]:
        pytest.fail("it was read")
        yield b""

    with pytest.raises(RefusedError, match=problem):
        import_archive(store, info, never(), keys=[KEY.public])
    assert store.entries() == ()


def test_an_archive_that_is_not_the_one_that_was_signed_is_refused(store: ObjectStore) -> None:
    with pytest.raises(FormatError, match="has another archive than its"):
        import_archive(store, told(signed_by=(KEY,)), [archive(b"two")], keys=[KEY.public])
    assert list(files(store)) == []


def test_signatures_that_come_later_are_added(store: ObjectStore) -> None:
    bring(store, A)
    assert not import_archive(store, told(signed_by=(KEY,)), [archive(b"one")]).is_new
    [entry] = store.entries()
    assert [one.key_name for one in entry.signatures] == ["key-1"]
    assert KEY.public.verifies(entry.fingerprint, entry.signatures[0])


# trees


@needs_nix
def test_a_tree_has_the_path_that_nix_gives_it(store: ObjectStore, tmp_path: Path) -> None:
    nix = NixStore(tmp_path / "nix")
    (tmp_path / "tree/in").mkdir(parents=True)
    (tmp_path / "tree/in/file").write_text("content")
    added = add_tree(store, tmp_path / "tree", directory=str(nix.directory))
    assert str(added.path) == nix.add(tmp_path / "tree")
    assert not add_tree(store, tmp_path / "tree", directory=str(nix.directory)).is_new


def test_what_a_tree_refers_to_is_found_in_its_files(store: ObjectStore, tmp_path: Path) -> None:
    bring(store, A, B)
    (tmp_path / "tree").write_bytes(b"\0" * 200_000 + text_of("b").encode() + b"\xff" * 70_000)
    added = add_tree(store, tmp_path / "tree", name="tool-1.0")
    entry = store.entry(added.path)
    assert entry is not None
    assert [str(one) for one in entry.references] == [text_of("b")]
    assert store.closure([added.path])[:2] == (text_of("a"), text_of("b"))
    with pytest.raises(RefusedError, match="is referred to by"):
        store.delete(paths=[named("a")])


@needs_nix
def test_streams_come_from_nix_and_go_back(store: ObjectStore, tmp_path: Path) -> None:
    theirs, ours = NixStore(tmp_path / "nix"), tmp_path / "tree"
    ours.write_text("a library")
    lib = theirs.add(ours)
    user = theirs.build(
        'derivation { name = "user"; system = builtins.currentSystem; builder = "/bin/sh"; '
        f'args = ["-c" "echo ${{builtins.storePath {lib}}} $out > $out"]; }}'
    )
    data = theirs.run("nix-store", "--export", lib, user)
    list(import_export(store, [data]))
    again = b"".join(store.export([parse_store_path(user)]))
    assert again == data
    theirs.run("nix-store", "--gc")
    assert not Path(user).exists()
    theirs.run("nix-store", "--import", given=again)
    theirs.run("nix-store", "--verify", "--check-contents")
    assert sorted(theirs.run("nix-store", "--query", "--references", user).decode().split()) == sorted([lib, user])


# what is deleted and collected


def test_what_others_refer_to_is_not_deleted_unless_they_are_too(store: ObjectStore) -> None:
    bring(store, A, B, C, exported("d", "alone"))
    with pytest.raises(RefusedError, match=f"is referred to by {text_of('c')}, {text_of('b')}") as caught:
        store.delete(paths=[named("a")])
    assert caught.value.key == text_of("a")
    assert len(store.entries()) == 4
    removal = store.delete(paths=[named("a")], with_referrers=True)
    assert removal.paths == (text_of("c"), text_of("b"), text_of("a"))
    assert (len(removal.objects), contents(store)) == (3, {"d": archive(b"alone")})
    assert agrees(store)


def test_what_is_named_together_with_all_its_referrers_is_deleted(store: ObjectStore) -> None:
    bring(store, A, B)
    assert store.delete(paths=[named("a"), named("b")]).paths == (text_of("b"), text_of("a"))
    assert store.entries() == ()


def test_collecting_keeps_what_is_young_referenced_or_needed_by_it(tmp_path: Path) -> None:
    with open_store(tmp_path / "store", clock=At(10.0)) as store:
        bring(store, A, B, exported("d", "old"), exported("f", "old, too"), exported("x", "needed"))
    with open_store(tmp_path / "store", clock=At(100.0)) as store:
        bring(store, exported("y", "young", "x"))
        entry = store.entry(named("b"))
        assert entry is not None
        plan = store.unneeded(before_s=50.0, referenced=[entry.sha256])
        assert plan.paths == (text_of("f"), text_of("d"))
        assert store.collect(before_s=50.0, referenced=[entry.sha256]) == plan
        assert sorted(contents(store)) == ["a", "b", "x", "y"]
        assert agrees(store)


# what is wrong


@pytest.mark.parametrize("spoil", [damage, lambda path: path.unlink()], ids=["damaged", "missing"])
def test_what_is_damaged_is_never_given_and_goes_with_its_referrers(
    store: ObjectStore, spoil: Callable[[Path], object]
) -> None:
    bring(store, A, B, C, exported("d", "alone"))
    spoil(object_of(store, "b"))
    with pytest.raises(MachineError, match="is damaged in the store"):
        list(store.export([named("b")]))
    [fault] = store.check()
    assert fault.kind in (FaultKind.DAMAGED, FaultKind.MISSING)
    store.mend([fault])
    assert sorted(contents(store)) == ["a", "d"]
    assert store.check() == ()
    bring(store, A, B, C)
    assert sorted(contents(store)) == ["a", "b", "c", "d"]


def test_a_damaged_archive_is_healed_by_bringing_it_again(store: ObjectStore) -> None:
    bring(store, A)
    damage(object_of(store, "a"))
    assert [one.is_new for one in bring(store, A)] == [False]
    assert store.check() == ()
    assert contents(store) == expected([A])


def test_what_is_not_there_is_named(store: ObjectStore) -> None:
    with pytest.raises(NotReadyError, match="is not in the store") as caught:
        store.export([named("a")])
    assert caught.value.key == text_of("a")


# killed, and many at once


def test_killed_at_any_write_an_object_is_there_if_and_only_if_it_has_a_row(tmp_path: Path) -> None:
    (tmp_path / "before").mkdir()
    prepare(tmp_path / "before")
    killed, whole = killed_everywhere("tests.support.killed_paths", tmp_path)
    assert len(killed) > 30
    everything = expected([*OLD, ALONE, *NEW, LAST])
    with open_store(whole / "store") as store:
        assert contents(store) == expected([*NEW, LAST])
    counts = set()
    for place in killed:
        with open_store(place / "store", clock=At(100.0)) as store:
            assert agrees(store), place.name
            assert store.check() == (), place.name
            there = contents(store)
            counts.add(len(there))
            assert there.items() <= everything.items()
            # Whatever is there is there with all that it refers to, and it can be gone on with.
            list(store.export([entry.path for entry in store.entries()]))
            bring(store, *NEW, LAST)
            store.collect(before_s=50.0, referenced=())
            assert contents(store) == expected([*NEW, LAST]), place.name
    assert {4, 7} <= counts


def test_an_object_that_is_read_stays_until_it_is_not(store: ObjectStore) -> None:
    bring(store, exported("a", "x" * 1_000_000))
    entry = store.entry(named("a"))
    assert entry is not None
    reading = store.archive(entry)
    first = next(reading)
    removal = store.delete(paths=[named("a")])
    assert removal.objects == ()
    assert store.path(entry.sha256).exists()
    assert first + b"".join(reading) == archive(b"x" * 1_000_000)
    assert store.collect(before_s=float("inf"), referenced=()).objects == (entry.sha256,)
    assert agrees(store)


def test_what_is_read_can_be_brought_again_by_another_name(store: ObjectStore, tmp_path: Path) -> None:
    made = add(store, tmp_path, "x", a="one")
    [laid] = store.lay_out(made, tmp_path / "laid")
    output = Output(path=laid, name="a", version="1-1", arch="any")
    with store._files.reading(made.packages[0].sha256):
        again = store.add([output], replace(made, identity="y"))
    assert again.packages[0].sha256 == made.packages[0].sha256
    assert store.check() == ()


def test_who_brings_an_object_keeps_readers_waiting_until_it_has_a_row(
    store: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file is in its place already, and its row is not."""
    plain, seen = store._paths.add, list[bool]()
    readers: list[threading.Thread] = []

    def slow(entries: Sequence[StoredPath]) -> None:
        [entry] = entries
        reader = threading.Thread(target=lambda: seen.append(store._files.is_whole(entry.sha256)))
        readers.append(reader)
        reader.start()
        reader.join(0.2)
        assert seen == []
        plain(entries)

    monkeypatch.setattr(store._paths, "add", slow)
    bring(store, A)
    readers[0].join(10)
    assert seen == [True]
    assert contents(store) == expected([A])


_SECOND = """
import sys
from pathlib import Path
from ci_toolkit.errors import NotReadyError
from ci_toolkit.store.object_store import open_store
from ci_toolkit.store.store_reader import read_store
with read_store(Path(sys.argv[1])) as store:
    print(len(store.entries()), len(store.check()), len(b"".join(store.export([store.entries()[0].path]))))
try:
    with open_store(Path(sys.argv[1]), who="second"):
        print("opened")
except NotReadyError as error:
    print(error)
"""


def test_a_second_process_may_read_a_store_and_not_change_it(tmp_path: Path) -> None:
    with open_store(tmp_path / "store", who="a test") as store:
        bring(store, A, B)
        done = subprocess.run(
            [sys.executable, "-c", _SECOND, str(tmp_path / "store")], capture_output=True, text=True, check=True
        )
    first, second = done.stdout.splitlines()
    assert first == f"2 0 {len(stream(A))}"
    assert second == (
        f"{tmp_path}/store is used by process {os.getpid()} (a test)"
        " (only one process at a time can change a store; try again when it is done)"
    )
    with open_store(tmp_path / "store"):
        pass


_READS = """
import sys
from pathlib import Path
from ci_toolkit.errors import MachineError, NotReadyError
from ci_toolkit.store.store_reader import read_store
with read_store(Path(sys.argv[1])) as store:
    print("ready", flush=True)
    count = 0
    while not Path(sys.argv[2]).exists():
        assert store.check() == (), store.check()
        count += 1
    print(count)
"""


def test_a_reader_never_sees_a_fault_in_what_another_process_is_changing(tmp_path: Path) -> None:
    with open_store(tmp_path / "store", clock=At(1.0)) as store:
        reader = subprocess.Popen(
            [sys.executable, "-c", _READS, str(tmp_path / "store"), str(tmp_path / "stop")],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert reader.stdout is not None
        assert reader.stdout.readline() == "ready\n"
        for turn in range(60):
            bring(store, *(exported(letter, f"{letter} {turn}") for letter in "abcd"))
            store.collect(before_s=2.0, referenced=())
        (tmp_path / "stop").touch()
        said, _ = reader.communicate(timeout=60)
    assert reader.returncode == 0
    assert int(said) > 2


def test_a_store_of_the_first_form_goes_on(tmp_path: Path) -> None:
    folder = tmp_path / "store"
    with open_store(folder) as store:
        made = add(store, tmp_path, "x", a="one")
    with sqlite3.connect(folder / "index.sqlite") as connection:
        for name in ("path_signatures", "path_references", "paths", "changing"):
            connection.execute(f"DROP TABLE {name}")
        connection.execute("DROP INDEX builds_by_time")
        connection.execute("PRAGMA user_version = 1")
    connection.close()
    with read_store(folder) as reader:
        assert reader.known("x") == made
    with open_store(folder) as store:
        bring(store, A)
        assert store.build("x") == made
        assert contents(store) == expected([A])
        assert agrees(store)


def test_locks_are_of_the_file_and_not_of_a_process(store: ObjectStore) -> None:
    bring(store, A)
    with object_of(store, "a").open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        assert store.delete(paths=[named("a")]).objects == ()


def test_a_path_is_unpacked_whole_or_not_at_all(store: ObjectStore, tmp_path: Path) -> None:
    (tmp_path / "tree/in").mkdir(parents=True)
    (tmp_path / "tree/in/file").write_text("content" * 100)
    path = add_tree(store, tmp_path / "tree").path
    unpack(store, path, tmp_path / "again")
    assert (tmp_path / "again/in/file").read_text() == "content" * 100
    entry = store.entry(path)
    assert entry is not None
    data = store.path(entry.sha256).read_bytes()
    for damaged in (data.replace(b"contentcontent", b"CONTENTCONTENT", 1), data.replace(b"contents", b"CONTENTS"), b""):
        store.path(entry.sha256).unlink()
        store.path(entry.sha256).write_bytes(damaged)
        with pytest.raises(MachineError, match="is damaged in the store"):
            unpack(store, path, tmp_path / "damaged")
        assert not (tmp_path / "damaged").exists()
    with pytest.raises(NotReadyError, match="is not in the store"):
        unpack(store, named("a"), tmp_path / "nothing")
