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


def beside_ours(name: str, content: bytes | None) -> Callable[[Path], None]:
    """Another file; without content a package that is what its name says."""

    def make(folder: Path) -> None:
        hostile(folder / OURS)
        hostile(folder / name) if content is None else (folder / name).write_bytes(content)

    return make


CASES: dict[str, tuple[Callable[[Path], None], str]] = {
    "another base": (of_another_base, "nobody asked for"),
    "another name": (beside_ours("other-1.0-1-any.pkg.tar.zst", None), "nobody asked for"),
    "another architecture": (beside_ours("demo-1.0-1-aarch64.pkg.tar.zst", None), "aarch64"),
    "garbage": (beside_ours("extra-1-1-any.pkg.tar.zst", b"x"), "extra-1-1-any.pkg.tar.zst is no package"),
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
