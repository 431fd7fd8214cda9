"""What a root's identity changes with, and what is no root."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ci_toolkit.effects.base_root import ArchRoot, HostRoot
from ci_toolkit.errors import MachineError

if TYPE_CHECKING:
    from pathlib import Path

STATUS = """Package: gcc
Status: install ok installed
Architecture: amd64
Version: 12.2
Description: the compiler
 Version: of a text

Package: old
Status: deinstall ok config-files
Architecture: amd64
Version: 1
"""


@pytest.fixture
def top(tmp_path: Path) -> Path:
    for name, text in {
        "var/lib/dpkg/status": STATUS,
        "etc/os-release": "NAME=Debian\n",
        "etc/makepkg.conf": "CFLAGS=-O2\n",
        "etc/pacman.conf": "",
        "usr/bin/pacman": "",
        "usr/bin/makepkg": "",
        "var/lib/pacman/local/bash-5.2-1/desc": "",
        "var/lib/pacman/local/ALPM_DB_VERSION": "9\n",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def change(top: Path, path: str, old: str, new: str) -> None:
    (top / path).write_text((top / path).read_text().replace(old, new))


@pytest.mark.parametrize(
    ("path", "old", "new", "changes"),
    [
        ("var/lib/dpkg/status", "12.2", "12.3", True),
        ("var/lib/dpkg/status", "amd64\nVersion: 12.2", "i386\nVersion: 12.2", True),
        ("var/lib/dpkg/status", "deinstall ok config-files", "install ok installed", True),
        ("var/lib/dpkg/status", "the compiler", "a compiler", False),
        ("var/lib/dpkg/status", "Version: 1\n", "Version: 2\n", False),
        ("etc/os-release", "Debian", "Other", True),
        ("etc/makepkg.conf", "-O2", "-O3", True),
        ("etc/pacman.conf", "", "# a comment", False),
    ],
    ids=["updated", "architecture", "installed", "described", "not installed", "system", "flags", "other settings"],
)
def test_the_machine_is_another_when_what_is_installed_changes(
    top: Path, path: str, old: str, new: str, *, changes: bool
) -> None:
    before = HostRoot(top=top).identity()
    assert before.startswith("host:")
    change(top, path, old, new)
    assert (HostRoot(top=top).identity() != before) == changes


def test_this_machine_is_the_same_as_a_moment_ago() -> None:
    assert HostRoot().identity() == HostRoot().identity()


@pytest.mark.parametrize("root", [HostRoot, ArchRoot])
def test_pacman_is_believed_by_names_and_versions(top: Path, root: type[HostRoot | ArchRoot]) -> None:
    before = root(top=top).identity()
    (top / "var/lib/pacman/local/bash-5.2-1/desc").write_text("%INSTALLDATE%\n1\n")
    (top / "var/lib/pacman/local/ALPM_DB_VERSION").write_text("10\n")
    assert root(top=top).identity() == before
    (top / "var/lib/pacman/local/bash-5.2-1").rename(top / "var/lib/pacman/local/bash-5.3-1")
    assert root(top=top).identity() != before


def test_an_image_is_its_digest(top: Path) -> None:
    assert ArchRoot(top=top, image="sha256:12").identity() == "image:sha256:12"


@pytest.mark.parametrize("missing", ["usr/bin/pacman", "usr/bin/makepkg", "etc/pacman.conf"])
def test_what_is_no_arch_root_is_refused(top: Path, missing: str) -> None:
    ArchRoot(top=top).check()
    (top / missing).unlink()
    with pytest.raises(MachineError, match=f"is no Arch root: it has no {missing}.*CI_BUILD_ROOT"):
        ArchRoot(top=top).check()
