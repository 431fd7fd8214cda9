"""A plain directory as its clients see it: with sha256sum and gpg, while it changes, and after every mishap."""

from __future__ import annotations

import hashlib
import json
import subprocess
import threading
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ci_toolkit.effects.files import sha256_of
from ci_toolkit.errors import MachineError, ProcessError, RefusedError
from ci_toolkit.publishers.directory.publisher import DirectoryPublisher
from tests.support.deliveries import delivery_of, publisher_tools
from tests.support.killed_directory import QuickKey, prepare, quick_tools, written
from tests.support.killings import killed_everywhere
from tests.support.pacman_stand import DAY_S, SteppingClock

if TYPE_CHECKING:
    from ci_toolkit.publishers.spec import Delivery, PublisherTools

SUMS = "SHA256SUMS"
OLD = {"hello/1.0-1/hello-1.0-1-any.tar", "hello/1.0-1/hello-doc-1.0-1-any.tar"}
NEW = OLD | {path.replace("1.0", "1.1") for path in OLD} | {path.replace("hello", "other") for path in OLD}


def publish(tools: PublisherTools, *deliveries: Delivery, gone: tuple[str, ...] = ()) -> dict[str, str]:
    with DirectoryPublisher().opened(tools) as place:
        return dict(place.publish(deliveries, gone))


def check_sums(folder: Path) -> list[str]:
    """What sha256sum says of every file."""
    argv = ["sha256sum", "--check", "--strict", SUMS]
    return subprocess.run(argv, cwd=folder, check=True, capture_output=True, text=True).stdout.splitlines()


def named(folder: Path) -> set[str]:
    """The paths in a folder's checksums, all of which are right."""
    lines = (folder / SUMS).read_text().splitlines()
    found = {line.partition("  ")[2]: line.partition("  ")[0] for line in lines}
    for path, sha256 in found.items():
        assert hashlib.sha256((folder / path).read_bytes()).hexdigest() == sha256
    return set(found)


def tree(folder: Path) -> dict[str, bytes | str]:
    """Everything in a folder: contents of files and targets of links."""
    return {
        str(path.relative_to(folder)): str(path.readlink()) if path.is_symlink() else path.read_bytes()
        for path in folder.rglob("*")
        if path.is_symlink() or path.is_file()
    }


def test_sha256sum_and_gpg_accept_what_is_published(tmp_path: Path, key: bytes) -> None:
    tools = publisher_tools(tmp_path / "own", key=key)
    assert not publish(tools, written(tmp_path / "out", "hello", "1.0"), written(tmp_path / "out", "other", "1:2+x~y"))
    served = tmp_path / "own" / "current"
    assert len(check_sums(served)) == 4
    one = served / "hello" / "latest"
    assert check_sums(one) == [
        "hello-1.0-1-any.tar: OK",
        "hello-any.tar: OK",
        "hello-doc-1.0-1-any.tar: OK",
        "hello-doc-any.tar: OK",
    ]
    assert (one / "hello-any.tar").read_text() == "hello-1.0-1-any.tar\n"
    home = tmp_path / "client"
    home.mkdir(mode=0o700)
    gpg = ["gpg", "--homedir", str(home), "--batch", "--quiet", "--no-autostart"]
    subprocess.run([*gpg, "--import", served / "signing-key.gpg"], check=True, capture_output=True)
    for folder in (served, one, served / "other" / "1:2+x~y-1"):
        done = subprocess.run([*gpg, "--verify", f"{SUMS}.sig", SUMS], cwd=folder, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr
    altered = tmp_path / "altered"
    altered.write_bytes((served / SUMS).read_bytes().replace(b"0", b"1", 1))
    done = subprocess.run([*gpg, "--verify", served / f"{SUMS}.sig", altered], capture_output=True, check=False)
    assert b"BAD signature" in done.stderr
    # The second publication signs only what has changed.
    kept = (one / f"{SUMS}.sig").stat().st_ino
    assert not publish(tools, written(tmp_path / "out", "third", "1.0"))
    assert (one / f"{SUMS}.sig").stat().st_ino == kept
    assert len(check_sums(served)) == 6


def test_a_new_key_signs_everything_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tools, served = quick_tools(tmp_path / "own"), tmp_path / "own" / "current"
    publish(tools, written(tmp_path / "out", "hello", "1.0"))
    before = (served / "hello" / "latest" / f"{SUMS}.sig").stat().st_ino
    monkeypatch.setattr(QuickKey, "public", lambda _: b"another public key")
    publish(tools, written(tmp_path / "out", "other", "1.0"))
    assert (served / "signing-key.gpg").read_bytes() == b"another public key"
    assert (served / "hello" / "latest" / f"{SUMS}.sig").stat().st_ino != before


def test_people_and_programs_find_what_there_is(tmp_path: Path) -> None:
    publish(quick_tools(tmp_path / "own"), written(tmp_path / "out", "hello", "1:1.0"))
    served = tmp_path / "own" / "current"
    page = (served / "index.html").read_text()
    assert '<a href="./hello/1%3A1.0-1/hello-1%3A1.0-1-any.tar">hello-1:1.0-1-any.tar</a>' in page
    assert QuickKey.fingerprint in page
    listed = json.loads((served / "index.json").read_text())["packages"]
    assert [one["facts"]["path"] for one in listed] == [
        "hello/1:1.0-1/hello-1:1.0-1-any.tar",
        "hello/1:1.0-1/hello-doc-1:1.0-1-any.tar",
    ]
    assert all(
        hashlib.sha256((served / one["facts"]["path"]).read_bytes()).hexdigest() == one["sha256"] for one in listed
    )
    # A web server of another user may read all of it.
    for path in served.resolve().rglob("*"):
        assert path.stat().st_mode & (0o005 if path.is_dir() else 0o004)


def test_files_of_older_checksums_are_there_until_their_time_is_over(tmp_path: Path) -> None:
    clock = SteppingClock()
    tools, served = quick_tools(tmp_path / "own", clock=clock, keep_s=14 * DAY_S), tmp_path / "own" / "current"
    publish(tools, written(tmp_path / "out", "hello", "1.0"))
    old = named(served)
    publish(tools, written(tmp_path / "out", "hello", "1.1"))
    assert (served / "hello" / "latest").readlink() == Path("1.1-1")
    assert named(served) > old == OLD
    clock.sleep(13 * DAY_S)
    publish(tools, gone=("hello",))
    assert named(served) == {path.replace("1.0", version) for path in OLD for version in ("1.0", "1.1")}
    assert not (served / "hello" / "latest").exists()
    clock.sleep(2 * DAY_S)
    publish(tools)
    assert named(served) == {path.replace("1.0", "1.1") for path in OLD}
    clock.sleep(13 * DAY_S)
    publish(tools)
    assert named(served) == set()
    assert list((tmp_path / "own" / "files").glob("*/*")) == []


def test_nothing_new_makes_no_generation(tmp_path: Path) -> None:
    tools, delivery = quick_tools(tmp_path / "own"), written(tmp_path / "out", "hello", "1.0")
    publish(tools, delivery)
    before = (tmp_path / "own" / "current").readlink()
    assert not publish(tools, delivery, gone=("never-there",))
    assert (tmp_path / "own" / "current").readlink() == before


def test_a_published_file_never_changes(tmp_path: Path) -> None:
    tools = quick_tools(tmp_path / "own")
    publish(tools, written(tmp_path / "out", "hello", "1.0"))
    before = tree(tmp_path / "own")
    delivery = written(tmp_path / "other", "hello", "1.0")
    delivery.files[0].write_text("something else")
    refused = publish(tools, delivery)
    assert refused["hello"].startswith("hello/1.0-1/hello-1.0-1-any.tar was published with another content (raise")
    assert tree(tmp_path / "own") == before


@pytest.mark.parametrize(
    ("base", "file"),
    [
        ("index.json", "a-1-1-any.tar"),
        ("SHA256SUMS", "a-1-1-any.tar"),
        ("signing-key.gpg", "a-1-1-any.tar"),
        ("hello", "SHA256SUMS"),
        ("hello", "SHA256SUMS.sig"),
    ],
)
def test_names_that_the_directory_needs_are_refused(tmp_path: Path, base: str, file: str) -> None:
    (tmp_path / file).write_text("x")
    (package,) = delivery_of(base, [Path("a-1-1-any.tar")]).packages
    delivery = replace(delivery_of(base, []), packages=(replace(package, path=tmp_path / file),))
    refused = publish(quick_tools(tmp_path / "own"), delivery)
    assert "is a name that a published directory has for something else" in refused[base]


def test_a_version_called_latest_and_several_versions_at_once_are_refused(tmp_path: Path) -> None:
    (package,) = written(tmp_path / "out", "hello", "1.0").packages[:1]
    latest = replace(delivery_of("hello", []), packages=(replace(package, version="latest"),))
    assert "latest is a name" in publish(quick_tools(tmp_path / "own"), latest)["hello"]
    two = replace(latest, packages=(package, replace(package, name="b", version="2-1")))
    assert "has several versions at once, 1.0-1 and 2-1" in publish(quick_tools(tmp_path / "own"), two)["hello"]
    assert not (tmp_path / "own" / "current").exists()


def test_a_publication_that_fails_leaves_what_was_published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tools = quick_tools(tmp_path / "own")
    publish(tools, written(tmp_path / "out", "hello", "1.0"))
    before = tree(tmp_path / "own")

    def fail(_: object, path: Path) -> bytes:
        raise ProcessError(f"gpg cannot sign {path.name}")

    monkeypatch.setattr(QuickKey, "sign", fail)
    with pytest.raises(ProcessError, match="gpg cannot sign"):
        publish(tools, written(tmp_path / "out", "hello", "1.1"))
    assert tree(tmp_path / "own") == before
    monkeypatch.undo()
    assert not publish(tools, written(tmp_path / "out", "hello", "1.1"))
    assert named(tmp_path / "own" / "current") > OLD


def test_a_file_that_is_lost_is_taken_from_what_is_published_or_said(tmp_path: Path) -> None:
    tools, files = quick_tools(tmp_path / "own"), tmp_path / "own" / "files"
    publish(tools, written(tmp_path / "out", "hello", "1.0"))
    for path in files.glob("??/*"):
        path.unlink()
    assert not publish(tools, written(tmp_path / "out", "other", "1.0"))
    assert len(named(tmp_path / "own" / "current")) == 4
    before = (tmp_path / "own" / "current").readlink()
    assert len(list(files.glob("??/*"))) == 4
    lost = tmp_path / "own" / "current" / "hello" / "1.0-1" / "hello-1.0-1-any.tar"
    sha256 = sha256_of(lost)
    for path in (files / sha256[:2] / sha256[2:], lost):
        path.unlink()
    with pytest.raises(MachineError, match=r"^hello/1.0-1/hello-1.0-1-any.tar is lost"):
        publish(tools, written(tmp_path / "out", "third", "1.0"))
    assert (tmp_path / "own" / "current").readlink() == before


def test_another_folder_can_be_named(tmp_path: Path) -> None:
    tools = quick_tools(tmp_path / "own", config=f"CI_FILES_DIR={tmp_path}/elsewhere\n")
    publish(tools, written(tmp_path / "out", "hello", "1.0"))
    assert named(tmp_path / "elsewhere" / "current") == OLD
    # This is how a run knows that there is something of this publisher.
    assert list((tmp_path / "own").iterdir()) == []


def test_what_others_have_put_in_its_place_is_left_alone(tmp_path: Path) -> None:
    tools, delivery = quick_tools(tmp_path / "own"), written(tmp_path / "out", "hello", "1.0")
    (tmp_path / "own" / "current").mkdir(parents=True)
    with pytest.raises(RefusedError, match=r"current is no link to a generation .* CI_FILES_DIR name a new folder"):
        publish(tools, delivery)


def test_who_reads_all_the_time_never_sees_checksums_that_are_wrong(tmp_path: Path) -> None:
    tools, served = quick_tools(tmp_path / "own"), tmp_path / "own" / "current"
    publish(tools, written(tmp_path / "out", "hello", "0"))
    stop, problems, counts = threading.Event(), [], []

    def read() -> None:
        while not stop.is_set():
            try:
                place = served.resolve()
                sums, signature = (place / SUMS).read_bytes(), (place / f"{SUMS}.sig").read_bytes()
                assert hashlib.sha512(sums).digest() == signature
                counts.append(len(named(place)))
                # What is served is always there, whichever of them it is.
                assert (served / "hello" / "latest" / "hello-any.tar").read_bytes()
            except (AssertionError, OSError) as problem:
                problems.append(problem)

    reader = threading.Thread(target=read)
    reader.start()
    try:
        with DirectoryPublisher().opened(tools) as place:
            for number in range(1, 20):
                place.publish([written(tmp_path / "out", "hello", str(number))], [])
    finally:
        stop.set()
        reader.join()
    assert problems == []
    assert len(set(counts)) > 3
    assert len(list((tmp_path / "own" / "generations").iterdir())) == 5


def test_killed_at_any_write_it_is_the_old_or_the_new_and_the_next_run_goes_on(tmp_path: Path) -> None:
    (tmp_path / "before").mkdir()
    prepare(tmp_path / "before")
    killed, last = killed_everywhere("tests.support.killed_directory", tmp_path)
    assert len(killed) > 40
    seen = []
    for folder in (*killed, last):
        served = folder / "place" / "current"
        seen.append(named(served))
        assert seen[-1] in (OLD, NEW)
        assert hashlib.sha512((served / SUMS).read_bytes()).digest() == (served / f"{SUMS}.sig").read_bytes()
        tools = quick_tools(folder / "place")
        with DirectoryPublisher().opened(tools) as place:
            assert len(place.available()) == (2 if seen[-1] == OLD else 4)
        # Of what did not happen nothing is left.
        assert {path.name for path in (folder / "place").iterdir()} == {"current", "files", "generations", "lock"}
        assert len(list((folder / "place" / "files").glob("??/*"))) == len(named(served))
        numbers = {int(path.name) for path in (folder / "place" / "generations").iterdir()}
        assert max(numbers) == int(served.readlink().name)
        assert not publish(tools, *(written(folder / "out", *one) for one in (("hello", "1.1"), ("other", "1.0"))))
        assert named(served) == NEW
    assert seen[0] == OLD
    assert seen[-1] == NEW
