"""`ci-toolkit store` as people use it."""

from __future__ import annotations

import subprocess
import sys
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from ci_toolkit.backends.job_database import JobDatabase
from ci_toolkit.errors import (
    ConfigError,
    FormatError,
    MachineError,
    NotReadyError,
    PackagesFailedError,
    RefusedError,
)
from ci_toolkit.model.job import JobState
from ci_toolkit.store.object_store import open_store
from tests.support.jobs import bring as bring_job
from tests.support.jobs import submit
from tests.support.killed_paths import At
from tests.support.nix_store import NixStore, needs_nix
from tests.support.stores import add, damage
from tests.support.trees import bring, exported, named, stream

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.world import Result, World

A, B = exported("a", "one"), exported("b", "two", "a")


def configure(world: World) -> Path:
    """A checkout, and where its builds are."""
    (world.work / ".ci").mkdir(parents=True)
    (world.work / ".ci/config").write_text(world.settings(CI_BACKEND="local"))
    return world.folder / "home/.local/share/ci-toolkit/builds/samples"


@pytest.fixture
def top(world: World) -> Path:
    """A store with one build of two files, and two store paths."""
    folder = configure(world)
    with open_store(folder / "store", clock=At(1_763_700_000.0)) as store:
        add(store, world.folder, "hello", 1_763_700_100.0, hello="hello", docs="docs")
        bring(store, A, B)
    return folder


def refused(result: Result, kind: type[Exception], text: str) -> bool:
    return result.status == kind.exit_status and text in result.stderr and not result.stdout  # type: ignore[attr-defined]  # it is one of ours


# what is shown


def test_a_list_says_what_there_is_with_the_newest_first(world: World, top: Path) -> None:
    listed = world.run("store", "ls").stdout.splitlines()
    assert listed[0] == "2025-11-21 04:41:40       4 B  docs-1-1-any.pkg.tar.zst  job 7"
    assert listed[2] == f"2025-11-21 04:40:00     120 B  {named('a')}"
    assert listed[4:] == ["4 objects, 249 B"]
    assert len(world.run("store", "ls", "--limit", "1").stdout.splitlines()) == 2
    found = world.run("store", "ls", "--json").json
    assert (found["objects"], found["size"]) == (4, 249)
    assert [one["name"] for one in found["entries"]][2:] == [str(named("a")), str(named("b"))]
    assert refused(world.run("store", "ls", "-n", "0"), ConfigError, "--limit is not a number of lines")


def test_all_that_is_known_of_something_is_shown(world: World, top: Path) -> None:
    shown = world.run("store", "info", "hello", named("b").base_name).stdout
    assert "hello (job 7, 2025-11-21 04:41:40 UTC)" in shown
    assert "built with  lib 1-1" in shown
    assert "closure      2 store paths, 240 B" in shown
    assert f"refers to    1 other\n    {named('a')}" in shown
    facts = world.run("store", "info", str(named("a")), "hello-1-1-any.pkg.tar.zst", "--json").json
    [path], [build] = facts["paths"], facts["builds"]
    assert (path["referrers"], path["closure"]) == ([str(named("b"))], [str(named("a"))])
    assert [one["file"] for one in build["files"]] == ["docs-1-1-any.pkg.tar.zst", "hello-1-1-any.pkg.tar.zst"]
    sha256 = path["sha256"]
    for name in (sha256, f"sha256:{sha256[:9]}", sha256[:8]):
        assert world.run("store", "info", name, "--json").json["paths"] == [path]


def test_what_is_not_there_is_said_with_what_to_do(world: World, top: Path) -> None:
    for name in ("nothing", "0" * 64):
        assert refused(world.run("store", "info", name), NotReadyError, "in the store (")
    result = world.run("store", "ls", "--store", "elsewhere")
    assert refused(result, NotReadyError, "elsewhere: there is no store (ci-toolkit builds run makes one")
    assert not (world.work / "elsewhere").exists()


def test_the_same_name_in_two_stores_has_to_be_whole(world: World, top: Path) -> None:
    other = stream(A).replace(b"/nix/store/", b"/nix/other/")
    (world.work / "x.export").write_bytes(other)
    assert world.run("store", "import", "x.export").status == 0
    assert refused(world.run("store", "info", named("a").base_name), ConfigError, "is a name in several stores")
    assert world.run("store", "info", f"/nix/other/{named('a').base_name}").status == 0


# what is wrong


def test_what_is_damaged_is_named_with_all_that_is_lost_and_mended(world: World, top: Path) -> None:
    assert world.run("store", "verify").stdout == "4 objects, 249 B\n"
    with open_store(top / "store") as store:
        entry = store.entry(named("a"))
        assert entry is not None
        damage(store.path(entry.sha256))
    result = world.run("store", "verify")
    assert result.status == PackagesFailedError.exit_status
    assert result.stdout.splitlines() == [
        f"{entry.sha256}  its file has another content: {named('a')}, {named('b')}",
        "1 object is wrong: --mend removes them",
        "4 objects, 249 B",
    ]
    [fault] = world.run("store", "verify", "--json").json["faults"]
    assert fault["names"] == [str(named("a")), str(named("b"))]
    assert refused(
        world.run("store", "export", "-o", "x", named("a").base_name), MachineError, "is damaged in the store"
    )
    assert not (world.work / "x").exists()
    assert world.run("store", "verify", "--mend").status == 0
    assert world.run("store", "verify").stdout == "2 objects, 9 B\n"


# what is removed


def test_what_is_referred_to_is_not_deleted_alone(world: World, top: Path) -> None:
    result = world.run("store", "delete", named("a").base_name)
    assert refused(result, RefusedError, f"{named('a')} is referred to by {named('b')} (--with-referrers deletes them")
    planned = world.run("store", "delete", named("a").base_name, "--with-referrers", "--dry-run").stdout
    assert planned == f"- {named('b')}\n- {named('a')}\nwould be removed: 2 store paths, 2 objects, 240 B\n"
    done = world.run("store", "delete", named("a").base_name, "--with-referrers").stdout
    assert done.splitlines()[2:] == ["removed: 2 store paths, 2 objects, 240 B", "what is left: 2 objects, 9 B"]


def test_a_build_is_deleted_by_its_package(world: World, top: Path) -> None:
    done = world.run("store", "delete", "hello", "--json").json
    assert [one["name"] for one in done["builds"]] == ["hello (job 7)"]
    assert (len(done["removed"]["objects"]), done["objects"]) == (2, 2)


def test_collecting_takes_what_is_old(world: World, top: Path) -> None:
    assert (
        world.run("store", "gc", "--older-than", "2025-11-01").stdout == "nothing is to be removed\n4 objects, 249 B\n"
    )
    planned = world.run("store", "gc", "--dry-run", "--older-than", "1d").stdout.splitlines()
    assert planned == [
        "- hello (job 7)",
        f"- {named('b')}",
        f"- {named('a')}",
        "would be removed: 1 build, 2 store paths, 4 objects, 249 B",
    ]
    assert world.run("store", "gc", "--older-than", "1d").stdout.endswith("what is left: 0 objects, 0 B\n")
    assert world.run("store", "verify").stdout == "0 objects, 0 B\n"


def test_what_is_about_to_be_published_is_neither_collected_nor_deleted(world: World, top: Path) -> None:
    with closing(JobDatabase(top / "jobs.sqlite")) as database:
        (job,) = submit(database, "r1", "hello", now_s=1_763_700_000.0)
        bring_job(database, job, JobState.PUBLISHING, now_s=1_763_700_200.0, build="hello")
    done = world.run("store", "gc", "--older-than", "1d").stdout
    assert done.endswith("removed: 2 store paths, 2 objects, 240 B\nwhat is left: 2 objects, 9 B\n")
    assert refused(world.run("store", "delete", "hello"), RefusedError, "-1-1-any.pkg.tar.zst is published, or kept")


def test_nothing_is_removed_while_it_is_not_known_what_is_published(world: World, top: Path) -> None:
    (top / "places/oci").mkdir(parents=True)
    (top / "places/oci/ledger.json").write_text("{")
    assert refused(world.run("store", "gc", "--older-than", "1d"), FormatError, "places/oci/ledger.json")
    assert world.run("store", "verify").stdout == "4 objects, 249 B\n"


def test_while_another_process_changes_the_store_it_can_only_be_read(world: World, top: Path) -> None:
    with open_store(top / "store", who="builds run"):
        for words in (("gc",), ("delete", "hello"), ("verify", "--mend"), ("import", "/dev/null")):
            result = world.run("store", *words)
            assert refused(result, NotReadyError, "(builds run) (only one process at a time can change a store")
        for reading in (("ls",), ("info", "hello"), ("verify",), ("export", named("a").base_name, "-o", "x")):
            assert world.run("store", *reading).status == 0


# to and from Nix


def test_exports_go_to_a_file_or_a_pipe_and_come_back(world: World, top: Path) -> None:
    assert world.run("store", "export", named("b").base_name, "-o", "x.export").status == 0
    assert (world.work / "x.export").read_bytes() == stream(A, B)
    with world.spawn("store", "export", "--only", named("b").base_name) as process:
        assert process.stdout is not None
        assert process.stdout.buffer.read() == stream(B)  # type: ignore[attr-defined]  # it is a file
    taken = world.run("store", "import", "x.export", "--store", "other").stdout
    assert taken.splitlines() == [str(named("a")), str(named("b")), "2 store paths imported"]
    again = world.run("store", "import", "x.export", "--store", "other")
    assert again.stdout.endswith("0 store paths imported, 2 there already\n")
    assert world.run("store", "import", "x.export", "--json").json["paths"][0] == {
        "path": str(named("a")),
        "new": False,
    }


def test_what_cannot_be_imported_is_told_with_what_was(world: World, top: Path) -> None:
    configured = world.work
    (configured / "cut").write_bytes(stream(exported("c", "three"), B)[:-40])
    result = world.run("store", "import", "cut")
    assert (result.status, result.stdout) == (FormatError.exit_status, f"{named('c')}\n1 store path imported\n")
    assert "cut: is cut off (what came before it is kept; export the rest again)" in result.stderr
    (configured / "other").write_bytes(stream(exported("a", "another")))
    assert refused(world.run("store", "import", "other"), RefusedError, "is in the store already with another content")
    (configured / "alone").write_bytes(stream(exported("d", "x", "f")))
    assert refused(world.run("store", "import", "alone"), RefusedError, "which is not in the store (bring it first")
    assert refused(world.run("store", "import", "nothing"), NotReadyError, "nothing: there is no such file")
    assert refused(world.run("store", "import", "."), NotReadyError, "is a folder, but no Nix binary cache")
    key = ("--trusted-key", f"k:{'A' * 43}=")
    assert refused(world.run("store", "import", "alone", *key), RefusedError, "an export has no signatures")
    assert refused(
        world.run("store", "import", "x", "--trusted-key", "k"), ConfigError, "--trusted-key is no public key"
    )
    assert world.run("store", "verify").status == 0


def test_a_build_is_no_store_path(world: World, top: Path) -> None:
    assert refused(world.run("store", "export", "hello", "-o", "x"), ConfigError, "hello is no store path")


@needs_nix
def test_a_pipe_from_nix_and_back(world: World) -> None:
    configure(world)
    nix = NixStore(world.folder / "nix")
    (world.work / "tree").mkdir()
    (world.work / "tree/file").write_text("content")
    path = nix.add(world.work / "tree")
    data = nix.run("nix-store", "--export", path)
    program = [sys.executable, "-m", "ci_toolkit", "store"]
    said = subprocess.run(
        [*program, "import"], cwd=world.work, env=world.env, input=data, stdout=subprocess.PIPE, check=True
    )
    assert said.stdout.decode() == f"{path}\n1 store path imported\n"
    back = subprocess.run([*program, "export", path], cwd=world.work, env=world.env, stdout=subprocess.PIPE, check=True)
    assert back.stdout == data
    nix.run("nix-store", "--delete", path)
    nix.run("nix-store", "--import", given=back.stdout)
    assert nix.run("nix-store", "--query", "--hash", path)


@needs_nix
def test_a_signed_cache_of_nix_is_imported(world: World) -> None:
    configure(world)
    nix = NixStore(world.folder / "nix")
    keys = [str(world.folder / name) for name in ("secret", "public")]
    nix.run("nix-store", "--generate-binary-cache-key", "test-1", *keys)
    (world.work / "tree").write_text("content")
    path = nix.add(world.work / "tree")
    cache = f"file://{world.work}/cache?secret-key={keys[0]}"
    nix.run("nix", "--extra-experimental-features", "nix-command", "copy", "--to", cache, path)
    trusted = (world.folder / "public").read_text()
    other = f"other-1:{trusted.partition(':')[2]}"
    assert refused(world.run("store", "import", "cache", "--trusted-key", other), RefusedError, "has no good signature")
    assert world.run("store", "import", "cache", "--trusted-key", trusted).stdout == f"{path}\n1 store path imported\n"
    assert world.run("store", "info", path, "--json").json["paths"][0]["signatures"][0].startswith("test-1:")
