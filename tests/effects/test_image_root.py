"""Roots from images, by a real podman with a storage of its own; left out where there is none."""

from __future__ import annotations

import fcntl
import os
import shutil
import socket
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from ci_toolkit.effects.cache_files import locked
from ci_toolkit.effects.image_root import ImageRoots
from ci_toolkit.effects.process import Processes
from ci_toolkit.effects.redaction import Redactor
from ci_toolkit.errors import MachineError
from tests.support.arch_root import MinimalRoot, make_minimal_root
from tests.support.builds import Bench, built, pkgbuild
from tests.support.pacman_stand import DAY_S, SteppingClock

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ci_toolkit.effects.base_root import ArchRoot

IMAGE = "localhost/arch:test"
needs_podman = pytest.mark.skipif(shutil.which("podman") is None, reason="podman is not installed")
UNPACK = """
import os, sys
from pathlib import Path
from ci_toolkit.effects.clock import SystemClock
from ci_toolkit.effects.image_root import ImageRoots
from ci_toolkit.effects.process import Processes
from ci_toolkit.effects.redaction import Redactor
roots = ImageRoots(
    processes=Processes(redactor=Redactor({})), environ=os.environ, folder=Path(sys.argv[1]), clock=SystemClock()
)
roots.root(sys.argv[2])
"""


@dataclass
class Podman:
    """podman with its storage in a folder of its own, and roots beside it."""

    folder: Path
    clock: SteppingClock = field(default_factory=SteppingClock)

    def __post_init__(self) -> None:
        conf = self.folder / "storage.conf"
        graph, run = self.folder / "graph", self.folder / "run"
        conf.write_text(f'[storage]\ndriver = "vfs"\ngraphroot = "{graph}"\nrunroot = "{run}"\n')
        registries = self.folder / "registries.conf"
        registries.write_text('[[registry]]\nlocation = "127.0.0.1:5998"\ninsecure = true\n')
        self.env = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "XDG_RUNTIME_DIR": str(self.folder),
            "CONTAINERS_STORAGE_CONF": str(conf),
            "CONTAINERS_REGISTRIES_CONF": str(registries),
        }

    def run(self, *words: str, check: bool = True) -> str:
        done = subprocess.run(["podman", *words], env=self.env, capture_output=True, text=True, check=False)
        assert done.returncode == 0 or not check, done.stderr
        return done.stdout

    def import_root(self, root: MinimalRoot, name: str = IMAGE, *, check: bool = True) -> None:
        archive = self.folder / "root.tar"
        subprocess.run(["tar", "-C", str(root.top), "-cf", str(archive), "."], check=True)
        self.run("import", "--quiet", str(archive), name, check=check)

    def root(self, image: str = IMAGE) -> ArchRoot:
        processes = Processes(redactor=Redactor({}))
        return ImageRoots(processes=processes, environ=self.env, folder=self.roots, clock=self.clock).root(image)

    @property
    def roots(self) -> Path:
        return self.folder / "roots"

    def kept(self) -> set[str]:
        return {path.name for path in self.roots.glob("[0-9a-f]" * 64)}


@contextmanager
def registry(folder: Path) -> Iterator[None]:
    """A registry on loopback, for as long as it is needed."""
    config = folder / "registry.yml"
    config.write_text(
        f"version: 0.1\nstorage:\n  filesystem:\n    rootdirectory: {folder}/registry\n"
        "http:\n  addr: 127.0.0.1:5998\nlog:\n  level: error\n"
    )
    with (folder / "registry.log").open("wb") as log:
        running = subprocess.Popen(["docker-registry", "serve", str(config)], stdout=log, stderr=log)
    try:
        for _ in range(500):
            with suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", 5998)):
                break
            time.sleep(0.01)
        yield
    finally:
        running.kill()
        running.wait()


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> MinimalRoot:
    return make_minimal_root(tmp_path_factory.mktemp("arch") / "root")


@pytest.fixture(scope="module")
def imported(made: MinimalRoot, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Podman]:
    """An image of the minimal root, with what an image may have that leads out of it."""
    folder = tmp_path_factory.mktemp("podman")
    root = made.copy(folder / "root")
    (root.top / "etc/out").symlink_to(folder / "outside")
    (root.top / "dev/harm").touch()
    podman = Podman(folder)
    podman.import_root(root, check=False)
    if not podman.run("images", "--quiet", check=False):
        pytest.skip("podman cannot import an image here")
    yield podman
    subprocess.run(["rm", "-rf", str(folder)], check=True)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


@pytest.fixture
def podman(imported: Podman) -> Iterator[Podman]:
    """The same storage with no roots yet."""
    yield Podman(imported.folder)
    subprocess.run(["rm", "-rf", str(imported.roots)], check=True)


@needs_podman
def test_an_image_is_unpacked_once_and_packages_are_built_in_it(podman: Podman, bench: Bench) -> None:
    root = podman.root()
    marker = root.top / "usr/bin/only-in-the-root"
    unpacked = marker.stat().st_ino
    assert podman.run("ps", "--all", "--quiet") == ""
    assert not (root.top / "dev/harm").exists()
    held = []

    def look() -> None:
        assert root.in_use
        with root.in_use.open("rb") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                held.append(root.in_use)

    text = pkgbuild("package() {\n  only-in-the-root; sleep 0.5; mkdir -p $pkgdir/usr\n}\n")
    result = bench.build(text, root=podman.root(), cancelled=look)
    built(result)
    assert held
    assert "told by the root" in bench.log
    digest = podman.run("image", "inspect", "--format", "{{.Digest}}", IMAGE).strip()
    assert result.root == f"image:{digest}"
    assert marker.stat().st_ino == unpacked


@needs_podman
def test_a_name_that_means_another_image_gives_another_root_and_old_ones_go(
    podman: Podman, made: MinimalRoot, tmp_path: Path
) -> None:
    name = "localhost/moving:test"
    podman.run("tag", IMAGE, name)
    first = podman.root(name)
    other = made.copy(tmp_path / "root")
    other.put("usr/bin/only-in-the-root", "#!/bin/bash\necho another\n")
    podman.import_root(other, name)
    second = podman.root(name)
    assert second.identity() != first.identity()
    assert "another" in (second.top / "usr/bin/only-in-the-root").read_text()
    assert podman.kept() == {first.top.name, second.top.name}

    podman.clock.time = time.time() + 8 * DAY_S
    assert first.in_use
    with locked(first.in_use, shared=True):
        os.utime(first.in_use, (1, 1))
        podman.root(name)
        assert podman.kept() == {first.top.name, second.top.name}
    podman.root(name)
    assert podman.kept() == {second.top.name}


@needs_podman
def test_a_root_whose_unpacking_was_killed_is_never_used(podman: Podman) -> None:
    argv = [sys.executable, "-c", UNPACK, str(podman.roots), IMAGE]
    running = subprocess.Popen(argv, env={**podman.env, "PYTHONPATH": "."})
    while running.poll() is None and not list(podman.roots.glob(".partial-*/root/usr")):
        time.sleep(0.002)
    running.kill()
    running.wait()
    assert podman.kept() == set()
    assert list(podman.roots.glob(".partial-*"))
    root = podman.root()
    assert (root.top / "usr/bin/pacman").exists()
    assert not list(podman.roots.glob(".partial-*"))
    assert podman.run("ps", "--all", "--quiet") == ""


@needs_podman
def test_an_image_that_is_no_arch_root_is_refused(podman: Podman, made: MinimalRoot, tmp_path: Path) -> None:
    other = made.copy(tmp_path / "root")
    (other.top / "usr/bin/pacman").unlink()
    podman.import_root(other, "localhost/other")
    with pytest.raises(MachineError, match=r"image localhost/other is no Arch root: it has no usr/bin/pacman"):
        podman.root("localhost/other")
    assert podman.kept() == set()


@needs_podman
@pytest.mark.parametrize("image", ["localhost/nothing", "127.0.0.1:1/nothing"])
def test_an_image_that_is_nowhere_is_named(podman: Podman, image: str) -> None:
    with pytest.raises(MachineError, match=rf"the image {image} cannot be had: .*podman pull {image}"):
        podman.root(image)


def test_without_podman_it_is_said_what_to_install(tmp_path: Path) -> None:
    roots = ImageRoots(
        processes=Processes(redactor=Redactor({})),
        environ={"PATH": str(tmp_path)},
        folder=tmp_path / "roots",
        clock=SteppingClock(),
    )
    with pytest.raises(MachineError, match=r"podman is not installed.*apt install podman.*CI_BUILD_ROOT"):
        roots.root("docker.io/library/archlinux:base-devel")


@needs_podman
@pytest.mark.skipif(shutil.which("docker-registry") is None, reason="docker-registry is not installed")
def test_a_registry_is_asked_again_after_an_hour_and_need_not_answer(
    podman: Podman, made: MinimalRoot, tmp_path: Path
) -> None:
    name = "127.0.0.1:5998/arch:latest"
    with registry(tmp_path):
        podman.run("tag", IMAGE, name)
        podman.run("push", "--quiet", name)
        first = podman.root(name)
        other = made.copy(tmp_path / "root")
        other.put("usr/bin/only-in-the-root", "#!/bin/bash\necho another\n")
        podman.import_root(other, "localhost/pushed")
        podman.run("push", "--quiet", "localhost/pushed", name)
        assert podman.root(name).identity() == first.identity()
        podman.clock.time += 3_700
        second = podman.root(name)
        assert second.identity() != first.identity()
    podman.clock.time += 3_700
    assert podman.root(name) == second
