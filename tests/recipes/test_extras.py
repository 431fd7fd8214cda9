"""What is added to what a PKGBUILD asks for, and what a machine lacks for it."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from ci_toolkit.formats.srcinfo import SrcInfo
from ci_toolkit.recipes.build import Failed
from ci_toolkit.recipes.makepkg.compiling import wants_ccache
from ci_toolkit.recipes.makepkg.extras import extras, missing_programs
from tests.support.builds import PACKAGE, built, needs_makepkg, pkgbuild, srcinfo

if TYPE_CHECKING:
    from tests.support.builds import Bench


def said(*rows: str, name: str = "demo") -> SrcInfo:
    return SrcInfo.parse(srcinfo(*rows).replace("demo", name).encode(), file=".SRCINFO")


@pytest.mark.parametrize(
    ("name", "row", "expected"),
    [
        ("demo", "source = https://example.org/a.tar.gz", {}),
        ("demo", "source = git+https://example.org/a.git#tag=1", {"git": "it has a source of git"}),
        ("demo", "source = a::svn+https://example.org/a", {"subversion": "it has a source of svn"}),
        ("demo", "source = hg+https://example.org/a", {"mercurial": "it has a source of hg"}),
        ("demo", "source = bzr+https://example.org/a", {"breezy": "it has a source of bzr"}),
        ("demo", "source = fossil+https://example.org/a", {"fossil": "it has a source of fossil"}),
        ("demo", "source_x86_64 = git+https://example.org/a", {"git": "it has a source of git"}),
        ("demo", "source_riscv64 = git+https://example.org/a", {}),
        ("demo-git", "url = https://example.org", {"git": "its name ends in -git"}),
        ("demo-git", "source = git+https://example.org/a", {"git": "it has a source of git"}),
        ("lib32-demo", "url = https://example.org", {"multilib-devel": "its name begins with lib32-"}),
        ("demo", "makedepends = lib32-glibc", {"multilib-devel": "it depends on 32-bit libraries"}),
        ("demo", "options = ccache", {"ccache": "its options ask for it"}),
        ("demo", "options = !ccache", {}),
    ],
)
def test_extras(name: str, row: str, expected: dict[str, str]) -> None:
    assert dict(extras(said(row, name=name), "x86_64", ccache=False)) == expected


@pytest.mark.parametrize(
    ("rows", "default", "expected"),
    [
        ([], False, False),
        ([], True, True),
        (["options = ccache"], False, True),
        (["options = !ccache"], True, False),
        (["options = ccache", "options = !ccache"], True, False),
        (["options = strip"], True, True),
    ],
)
def test_the_package_has_the_last_word_on_ccache(rows: list[str], *, default: bool, expected: bool) -> None:
    assert wants_ccache(said(*rows), default=default) == expected


def test_programs_that_are_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda program, path: None if program == "hg" else f"/usr/bin/{program}")
    source = said("source = hg+https://example.org/a", "source = git+https://example.org/b")
    assert missing_programs(source, "x86_64") == (("hg", "mercurial", "mercurial"),)


@needs_makepkg
def test_a_machine_without_the_program_says_so_before_it_builds(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    real = shutil.which
    monkeypatch.setattr(shutil, "which", lambda name, path=None: None if name == "hg" else real(name, path=path))
    text = pkgbuild(head="source=(hg+https://example.org/a)\nsha256sums=(SKIP)")
    rows = ["source = hg+https://example.org/a", "sha256sums = SKIP"]
    outcome = bench.build(text, {".SRCINFO": srcinfo(*rows)}, config="BUILDER_NETWORK=true\n").outcome
    hint = "(on Debian: apt install mercurial)"
    assert outcome == Failed(
        phase="fetch", status=None, reason=f"it is built with hg, which this machine has not {hint}"
    )
    assert "Making package" not in bench.log


@needs_makepkg
def test_a_kept_compiler_cache_is_for_its_own_package_alone_and_only_where_it_is_wanted(bench: Bench) -> None:
    look = (
        f'build() {{\n  ls "$CCACHE_DIR" /ccache || true; touch "$CCACHE_DIR/mark-of-$pkgname" || true\n}}\n{PACKAGE}'
    )
    caches = bench.folder / "ccache"
    built(bench.build(pkgbuild(look), compiler_caches=caches))
    assert (caches / "demo.cache/mark-of-demo").exists()
    built(bench.build(pkgbuild(look), compiler_caches=caches))
    assert "mark-of-demo" in bench.log
    built(bench.build(pkgbuild(look, name="other"), compiler_caches=caches, pkgbase="other"))
    assert "mark-of-demo" not in bench.log
    built(bench.build(pkgbuild(look)))
    assert "mark-of-demo\n" not in bench.log
    assert "cannot access '/ccache'" in bench.log
    assert caches.stat().st_mode & 0o077 == 0
