"""Whatever a stranger's program leaves, it can be removed."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from ci_toolkit.effects.disk_use import TOO_DEEP, used_bytes
from ci_toolkit.effects.private_folder import remove_folder


def deepen(folder: Path, name: str, times: int) -> None:
    """Make folders in one another, however long their path becomes."""
    before = os.open(".", os.O_RDONLY)
    try:
        os.chdir(folder)
        for _ in range(times):
            Path(name).mkdir()
            os.chdir(name)
        Path("file").write_bytes(bytes(8192))
    finally:
        os.chdir(before)
        os.close(before)


@pytest.mark.parametrize(("name", "times"), [("d", 1500), ("d" * 200, 40)], ids=["many", "long"])
def test_folders_are_removed_however_deep_they_are(tmp_path: Path, name: str, times: int) -> None:
    outer = tmp_path / "outer"
    outer.mkdir()
    try:
        deepen(outer, name, times)
        assert used_bytes(str(outer)) == (TOO_DEEP if len(name) > 1 else 8192)
        remove_folder(outer)
        assert not outer.exists()
    finally:
        # Else nobody who tidies up behind a test that fails could remove it.
        subprocess.run(["rm", "-rf", "--", outer], check=True)


def test_closed_folders_and_links_are_removed_and_links_are_not_followed(tmp_path: Path) -> None:
    outer, other = tmp_path / "outer", tmp_path / "other"
    (outer / "closed/inner").mkdir(parents=True)
    (outer / "closed/inner/file").touch()
    other.mkdir()
    (other / "file").touch()
    (outer / "link").symlink_to(other)
    (outer / "closed/link").symlink_to(other)
    (outer / "closed/inner").chmod(0)
    (outer / "closed").chmod(0)
    remove_folder(outer)
    assert not outer.exists()
    (tmp_path / "outer").symlink_to(other)
    remove_folder(outer)
    remove_folder(tmp_path / "missing")
    assert (other / "file").exists()
