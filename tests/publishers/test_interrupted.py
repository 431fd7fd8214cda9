"""SIGKILL at every write, two runs at once, a full disk, and clients that read all the time."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ci_toolkit.effects.clock import SystemClock
from ci_toolkit.effects.exclusive_lock import exclusive
from ci_toolkit.errors import FormatError, MachineError, NotReadyError, ProcessError
from ci_toolkit.formats.pacman_database import read_database_files
from tests.support.built import hostile, member

if TYPE_CHECKING:
    from tests.support.killable import Killables
    from tests.support.pacman_stand import PacmanStand

SHARDS = 4
TOP = str(Path(__file__).parents[2])
BEFORE = {"alpha": "1.0-1", "alpha-doc": "1.0-1"}
AFTER = {"alpha": "1.1-1"}
PYTHON = (sys.executable, "-m", "ci_toolkit")
# Names that do not pack well: more than 100 KiB in the files database.
LARGE = [member(f"usr/{hashlib.sha256(str(number).encode()).hexdigest()}") for number in range(4000)]


def named_files_are_there(served: Path) -> int:
    """Read the database once and open what it names; how many packages that were."""
    files = read_database_files((served / "demo.db").read_bytes(), file="demo.db")
    for file in files.values():
        assert (served / file.file).stat().st_size == file.size_bytes
        assert (served / f"{file.file}.sig").read_bytes() == file.signature
    return len(files)


def leftovers(stand: PacmanStand) -> set[str]:
    """What the publisher keeps beside generations."""
    return {path.name for path in stand.own.iterdir()} - {"current", "generations", "lock"}


@pytest.mark.parametrize("shard", range(SHARDS))
def test_killed_at_any_write_it_is_the_old_or_the_new_and_the_next_run_completes_it(
    stand: PacmanStand, killables: Killables, shard: int
) -> None:
    stand.publish(("alpha", "1.0"))
    saved = stand.folder / "saved"
    shutil.copytree(stand.top, saved, symlinks=True)
    words = stand.words("add", stand.built.file("alpha", "1.1"), "--base", "alpha")
    undisturbed = killables.run(*words, cwd=stand.folder, env=stand.env)
    assert undisturbed.boundaries is not None, undisturbed.stderr
    assert undisturbed.boundaries > 20
    seen = set()
    for number in range(1 + shard, undisturbed.boundaries + 1, SHARDS):
        shutil.rmtree(stand.top)
        shutil.copytree(saved, stand.top, symlinks=True)
        ended = killables.run(*words, cwd=stand.folder, env=stand.env, kill_at=number)
        assert ended.was_killed, ended.stderr
        versions = stand.versions()
        assert versions in (BEFORE, AFTER)
        assert named_files_are_there(stand.served) == len(versions)
        seen.add(len(versions))
        # Something else is published next: what was killed before its switch has left nothing.
        assert stand.run("add", stand.built.file("beta", "1.0")).status == 0
        assert stand.versions() == {**versions, "beta": "1.0-1"}
        assert leftovers(stand) == set()
        checked = stand.run("check")
        assert checked.status == 0, f"{number}: {checked.stdout}"
        assert (stand.served / stand.built.file("alpha", "1.1").name).exists() == (versions == AFTER)
    assert seen == {len(BEFORE), len(AFTER)}


def test_a_first_run_that_is_killed_is_made_good_by_the_second(stand: PacmanStand, killables: Killables) -> None:
    words = stand.words("add", *stand.built.files("alpha", "1.0"))
    for number in range(1, 30, 6):
        ended = killables.run(*words, cwd=stand.folder, env=stand.env, kill_at=number)
        assert ended.was_killed, ended.stderr
        assert stand.run("add", *stand.built.files("alpha", "1.0")).status == 0
        assert stand.versions() == BEFORE
        assert stand.run("check").status == 0
        shutil.rmtree(stand.top)


def test_a_client_that_reads_all_the_time_never_misses_a_file(stand: PacmanStand) -> None:
    stand.publish(("alpha", "1.0"))
    stop, problems, counts = threading.Event(), [], []

    def read() -> None:
        while not stop.is_set():
            try:
                counts.append(named_files_are_there(stand.served))
            except (AssertionError, OSError) as problem:
                problems.append(problem)

    reader = threading.Thread(target=read)
    reader.start()
    try:
        for _ in range(3):
            stand.publish(("beta", "1.0"), ("alpha", "1.1"))
            assert stand.run("rollback").status == 0
            assert stand.run("remove", "beta").status == 0
    finally:
        stop.set()
        reader.join()
    assert problems == []
    assert len(counts) > 100
    assert {1, 2, 3} >= set(counts) >= {2, 3}


def test_a_client_that_has_an_older_database_still_finds_its_files(stand: PacmanStand) -> None:
    stand.publish(("alpha", "1.0"))
    client = stand.client()
    assert client.pacman("-Sy").returncode == 0
    stand.publish(("alpha", "1.1"))
    assert client.pacman("-S", "alpha").returncode == 0
    assert client.installed() == {"alpha": "1.0-1"}


def test_the_second_waits_and_then_names_the_first(stand: PacmanStand) -> None:
    stand.publish(("alpha", "1.0"))
    with exclusive(stand.own / "lock", who="publish add", wait_s=0, clock=SystemClock()):
        waited = stand.run("remove", "alpha", "--wait", "3")
    assert waited.status == NotReadyError.exit_status
    assert f"is used by process {os.getpid()} (publish add)" in waited.stderr
    assert f"waiting for process {os.getpid()}" in waited.stderr
    assert stand.versions() == BEFORE


def test_two_at_once_both_publish(stand: PacmanStand) -> None:
    stand.env["PYTHONPATH"] = TOP
    words = [stand.words("add", *stand.built.files(base, "1.0")) for base in ("alpha", "beta")]
    children = [stand.spawn(*arguments) for arguments in words]
    for child in children:
        _, said = child.communicate(timeout=60)
        assert child.returncode == 0, said
    assert stand.versions() == {**BEFORE, "beta": "1.0-1"}
    assert stand.run("check").status == 0


@pytest.mark.parametrize(("name", "room"), [("large", 4096), ("beta", 20_000)], ids=["package", "files database"])
def test_a_full_disk_leaves_what_was_published(stand: PacmanStand, tmp_path: Path, name: str, room: int) -> None:
    """No file gets larger than `room` bytes, so either the package or the database of all files does not fit."""
    stand.publish(("alpha", "1.0"))
    large = hostile(tmp_path / "large-1-1-any.pkg.tar.zst", *LARGE)
    if name == "beta":
        assert stand.run("add", large).status == 0
    versions = stand.versions()
    before = sorted(path.name for path in stand.served.iterdir())
    file = large if name == "large" else stand.built.file("beta", "1.0")
    argv = ("prlimit", f"--fsize={room}", "--", *PYTHON, *stand.words("add", file))
    # Python itself does not notice that what it compiled was cut off, and all that follows would read it.
    env = {**stand.env, "PYTHONPATH": TOP, "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(argv, env=env, capture_output=True, text=True, check=False)
    assert done.returncode in {MachineError.exit_status, ProcessError.exit_status, FormatError.exit_status}
    assert "Traceback" not in done.stderr
    assert stand.versions() == versions
    assert sorted(path.name for path in stand.served.iterdir()) == before
    assert leftovers(stand) == set()
    assert stand.run("check").status == 0
