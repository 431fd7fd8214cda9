"""The store beside nix-store: `python -m tests.benchmarks.store [--megabytes 1000] [--files 1000 100000] [--paths 10000]`.

Trees of random bytes are hashed and taken in by both, one after the other, several times, each in a process of its own
whose start counts, too; medians are shown. Then both get an export with many small paths, list them, verify their
contents and collect them all. nix-store writes files one by one and does not wait for the disk; our store writes one
archive a path, and waits until it is on the disk. Figures come from the operating system.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ci_toolkit.effects.hashed_writer import HashedWriter
from ci_toolkit.effects.tree_archive import tree_entries
from ci_toolkit.formats.nar import NarFile, format_nar
from ci_toolkit.formats.nix_export import ExportedPath, format_export
from ci_toolkit.formats.nix_hash import format_nix_sha256
from ci_toolkit.formats.store_path import source_path
from ci_toolkit.store.importing import add_tree
from ci_toolkit.store.object_store import open_store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

_FILES_A_FOLDER = 100
_RUNS = 3
_PATH_BYTES = 10_000


@dataclass(frozen=True, kw_only=True)
class Measured:
    """Seconds, and MiB at most."""

    wall_s: float
    cpu_s: float
    peak_mib: float

    def __str__(self) -> str:
        return f"{self.wall_s:.2f} s ({self.cpu_s:.2f} s, {self.peak_mib:.0f} MiB)"


def main() -> None:
    """Measure and print a table."""
    if sys.argv[1:2] == ["--step"]:
        _step(*sys.argv[2:])
        return
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=int, default=1000)
    parser.add_argument("--files", type=int, nargs="+", default=[1000, 100_000])
    parser.add_argument("--paths", type=int, default=10_000)
    options = parser.parse_args()
    print("wall-clock time (processor time, memory at its peak)\n")
    print("| | ci-toolkit | nix-store |\n| --- | ---: | ---: |")
    with tempfile.TemporaryDirectory(prefix="store-benchmark-", dir="/var/tmp") as name:
        bench = _Bench(Path(name))
        for count in options.files:
            bench.tree(count, options.megabytes * 1_000_000)
        if options.paths:
            bench.paths(options.paths)


def _step(what: str, place: str, tree: str = "") -> None:
    """What is measured of ours, in a process of its own."""
    if what == "hash":
        with HashedWriter() as writer:
            for piece in format_nar(tree_entries(Path(tree))):
                writer.write(piece)
            print(format_nix_sha256(writer.finish()))
    else:
        with open_store(Path(place)) as store:
            print(add_tree(store, Path(tree), directory=str(Path(place).parent / "nix/store")).path)


class _Bench:
    """Where it takes place."""

    def __init__(self, top: Path) -> None:
        self.top = top
        self.ours, self.nix = top / "ours", top / "nix"
        self.environ = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("CI_", "XDG_"))},
            "HOME": str(top),
            "PYTHONPATH": str(Path(__file__).parents[2]),
            "NIX_STORE_DIR": str(self.nix / "store"),
            "NIX_STATE_DIR": str(self.nix / "var/nix"),
            "NIX_LOCALSTATE_DIR": str(self.nix / "var"),
            "NIX_LOG_DIR": str(self.nix / "log"),
            "NIX_CONF_DIR": str(top / "etc"),
        }
        (top / "etc").mkdir()
        (top / "etc/nix.conf").write_text("build-users-group =\nsubstitute = false\n")

    def tree(self, count: int, size_bytes: int) -> None:
        """A tree is hashed and taken in."""
        tree = self.top / f"tree-{count}"
        _grow(tree, count, size_bytes)
        step = (sys.executable, "-m", "tests.benchmarks.store", "--step")
        what = f"{size_bytes / 1e9:g} GB in {count:,} files"
        self.row(
            f"NAR hash of {what}",
            (*step, "hash", "-", str(tree)),
            ("nix-hash", "--type", "sha256", "--base32", str(tree)),
            same=lambda ours, theirs: ours.strip() == b"sha256:" + theirs.strip(),
        )
        self.row(
            f"import of {what}",
            (*step, "add", str(self.ours), str(tree)),
            ("nix-store", "--add", str(tree)),
            same=lambda ours, theirs: ours == theirs,
            before=self.clear,
        )
        self.clear()
        shutil.rmtree(tree)

    def paths(self, count: int) -> None:
        """Many paths are imported, listed, verified and collected."""
        stream = self.top / "many.export"
        with stream.open("wb") as file:
            file.writelines(format_export(_many(count, str(self.nix / "store"))))
        program = (sys.executable, "-m", "ci_toolkit", "store")
        mine = ("--store", str(self.ours))
        self.clear()
        self.row(
            f"import {count:,} paths", (*program, "import", *mine), ("nix-store", "--import"), given=stream, runs=1
        )
        self.row(f"list {count:,} paths", (*program, "ls", *mine), ("nix-store", "--gc", "--print-dead"))
        verify = ("nix-store", "--verify", "--check-contents")
        self.row(f"verify {count:,} paths", (*program, "verify", *mine), verify)
        collect = (*program, "gc", "--older-than", "0m", *mine)
        self.row(f"collect {count:,} paths", collect, ("nix-store", "--gc"), runs=1)
        listed = subprocess.run((*program, "ls", *mine), env=self.environ, capture_output=True, check=True)
        assert listed.stdout == b"0 objects, 0 B\n"

    def row(
        self,
        title: str,
        ours: Sequence[str],
        theirs: Sequence[str],
        *,
        same: Callable[[bytes, bytes], bool] = lambda *_: True,
        before: Callable[[], None] = lambda: None,
        given: Path | None = None,
        runs: int = _RUNS,
    ) -> None:
        """Measure both in turns, and print it."""
        measured: tuple[list[Measured], list[Measured]] = ([], [])
        for _ in range(runs):
            before()
            said = [self.measure(command, into, given) for command, into in zip((ours, theirs), measured, strict=True)]
            assert same(said[0], said[1]), said
        middle = [sorted(many, key=lambda one: one.wall_s)[len(many) // 2] for many in measured]
        print(f"| {title} | {middle[0]} | {middle[1]} |", flush=True)

    def measure(self, command: Sequence[str], into: list[Measured], given: Path | None) -> bytes:
        """What a program prints."""
        os.sync()
        with tempfile.TemporaryFile() as said, (given or Path(os.devnull)).open("rb") as stdin:
            began = time.monotonic()
            process = subprocess.Popen(command, stdin=stdin, stdout=said, stderr=subprocess.PIPE, env=self.environ)
            assert process.stderr is not None
            with closing(process.stderr):
                complaint = process.stderr.read()
            _, status, usage = os.wait4(process.pid, 0)
            wall_s = time.monotonic() - began
            process.returncode = os.waitstatus_to_exitcode(status)
            assert process.returncode == 0, complaint.decode()
            into.append(Measured(wall_s=wall_s, cpu_s=usage.ru_utime + usage.ru_stime, peak_mib=usage.ru_maxrss / 1024))
            said.seek(0)
            return said.read()

    def clear(self) -> None:
        """Begin with empty stores."""
        for folder in (self.ours, self.nix):
            if folder.exists():
                subprocess.run(("chmod", "-R", "u+w", str(folder)), check=True)
                shutil.rmtree(folder)


def _grow(top: Path, count: int, size_bytes: int) -> None:
    """Files of equal size, a hundred a folder."""
    size = size_bytes // count
    for number in range(count):
        folder = top / f"{number // _FILES_A_FOLDER:05}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{number:06}").write_bytes(os.urandom(size))


def _many(count: int, directory: str) -> Iterator[tuple[ExportedPath, Iterator[bytes]]]:
    """Paths of a file each, which refer to one that came before."""
    chance = random.Random(1)
    paths: list[ExportedPath] = []
    for number in range(count):
        content = chance.randbytes(_PATH_BYTES)
        file = NarFile(path=b"", size_bytes=len(content), is_executable=False, content=[content])
        archive = b"".join(format_nar([file]))
        with HashedWriter() as writer:
            writer.write(archive)
            sha256 = writer.finish()
        references = (paths[chance.randrange(len(paths))].path,) if paths else ()
        path = source_path(f"path-{number}", nar_sha256=sha256, directory=directory, references=references)
        paths.append(ExportedPath(path=path, references=references, deriver=None))
        yield paths[-1], iter([archive])


if __name__ == "__main__":
    main()
