"""What a build left is looked at as if an enemy had made it; these are the enemy's packages, made without building."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ci_toolkit.errors import UpstreamError
from ci_toolkit.formats.srcinfo import SrcInfo
from ci_toolkit.recipes.built_packages import take_packages
from tests.support.builds import srcinfo
from tests.support.built import PKGINFO, hostile

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

OURS = "demo-1.0-1-any.pkg.tar.zst"


def of_another_base(folder: Path) -> None:
    hostile(folder / OURS, info=PKGINFO.format(name="demo", base="other", version="1.0-1", arch="any"))


def of_another_name(folder: Path) -> None:
    hostile(folder / OURS)
    other = PKGINFO.format(name="other", base="demo", version="1.0-1", arch="any")
    hostile(folder / "other-1.0-1-any.pkg.tar.zst", info=other)


def for_another_machine(folder: Path) -> None:
    hostile(folder / OURS)
    hostile(folder / "demo-1.0-1-aarch64.pkg.tar.zst")


def garbage(folder: Path) -> None:
    hostile(folder / OURS)
    (folder / "extra-1-1-any.pkg.tar.zst").write_bytes(b"x")


CASES: dict[str, tuple[Callable[[Path], None], str]] = {
    "another base": (of_another_base, "'demo' of 'other', which nobody asked for"),
    "another name": (of_another_name, "'other' of 'demo', which nobody asked for"),
    "another architecture": (for_another_machine, "for the architecture aarch64"),
    "garbage": (garbage, "extra-1-1-any.pkg.tar.zst is no package"),
    "nothing": (lambda _: None, "no package came out of it"),
}


@pytest.mark.parametrize("case", CASES)
def test_what_is_not_the_package_asked_for_is_not_taken(tmp_path: Path, case: str) -> None:
    left, out = tmp_path / "left", tmp_path / "out"
    left.mkdir()
    make, why = CASES[case]
    make(left)
    asked = SrcInfo.parse(srcinfo().encode(), file=".SRCINFO")
    with pytest.raises(UpstreamError, match=why):
        take_packages(left, out, asked, before=(), architecture="x86_64", allow_prohibited=False)
    assert not out.exists()


def test_the_package_asked_for_is_taken(tmp_path: Path) -> None:
    hostile(tmp_path / OURS)
    asked = SrcInfo.parse(srcinfo().encode(), file=".SRCINFO")
    (taken,) = take_packages(
        tmp_path, tmp_path / "out", asked, before=(), architecture="x86_64", allow_prohibited=False
    )
    assert (taken.name, taken.version, taken.path) == ("demo", "1.0-1", tmp_path / "out" / OURS)
