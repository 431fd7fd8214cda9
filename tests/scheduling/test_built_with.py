"""Which packages of our own are installed for a build."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ci_toolkit.formats.srcinfo import SrcInfo
from ci_toolkit.scheduling.built_with import AvailablePackage, built_with, needed_names

if TYPE_CHECKING:
    from collections.abc import Mapping

SPLIT = """
pkgbase = tools
\tpkgver = 1
\tpkgrel = 1
\tmakedepends = cmake>=3
\tcheckdepends = python-pytest
\tdepends = glibc
\tdepends_x86_64 = lib32-x
\tdepends_aarch64 = other-machine
\tcheckdepends_x86_64 = valgrind
\toptdepends = nice: to have

pkgname = tools-a
\tdepends = tools-lib
\tdepends = other=2:1.0
\tprovides = virtual

pkgname = tools-lib
\tdepends = libz.so=1-64
\tdepends = virtual
"""


def available(**packages: str) -> Mapping[str, AvailablePackage]:
    """Packages by name; words are what they need, with a + what they provide."""
    return {
        name: AvailablePackage(
            name=name,
            base=name,
            version="1-1",
            file=f"{name}-1-1-any.pkg.tar.zst",
            sha256="0" * 64,
            place=f"/store/{name}",
            provides=tuple(word[1:] for word in text.split() if word.startswith("+")),
            depends=tuple(word for word in text.split() if not word.startswith("+")),
        )
        for name, text in packages.items()
    }


def test_what_is_needed_to_build_and_check_without_what_it_makes_itself() -> None:
    parsed = SrcInfo.parse(SPLIT.encode(), file=".SRCINFO")
    needed = ("cmake", "glibc", "lib32-x", "libz.so", "other", "python-pytest", "valgrind", "virtual")
    assert needed_names(parsed, "x86_64") == needed
    assert "other-machine" in needed_names(parsed, "aarch64")
    assert "lib32-x" not in needed_names(parsed, "aarch64")


@pytest.mark.parametrize(
    ("packages", "names", "expected"),
    [
        ({"a": ""}, "a", "a"),
        ({"a": ""}, "a>=1:2.0", "a"),
        ({"a": ""}, "glibc", ""),
        ({"a": "b", "b": "c>1", "c": ""}, "a", "a b c"),
        ({"a": "glibc b", "b": ""}, "a", "a b"),
        ({"a": "b", "b": "a"}, "a", "a b"),
        ({"a": "a"}, "a", "a"),
        ({"a": "", "b": ""}, "b a b", "a b"),
        ({"impl": "+virtual=3"}, "virtual>=2", "impl"),
        ({"impl": "+liba.so=1-64", "a": "liba.so=1-64"}, "a", "a impl"),
        ({"second": "+virtual", "first": "+virtual"}, "virtual", "first"),
        ({"first": "+virtual", "virtual": ""}, "virtual", "virtual"),
        ({"first": "+virtual", "second": "+virtual", "a": "second"}, "virtual a", "a first second"),
        ({}, "", ""),
    ],
    ids=str,
)
def test_what_is_installed_is_all_that_is_needed_and_nothing_else(
    packages: dict[str, str], names: str, expected: str
) -> None:
    found = built_with(names.split(), available(**packages))
    assert " ".join(package.name for package in found) == expected


def test_it_does_not_depend_on_the_order() -> None:
    packages = available(second="+virtual b", first="+virtual a", a="", b="")
    backwards = {name: packages[name] for name in sorted(packages, reverse=True)}
    assert built_with(["virtual", "b"], packages) == built_with(["b", "virtual"], backwards)
