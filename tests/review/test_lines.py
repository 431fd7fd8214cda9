"""What the strict comparison lets through, and what it must not."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ci_toolkit.formats.srcinfo import SrcInfo
from ci_toolkit.model.config_keys import parse_patterns
from ci_toolkit.model.names import Oid
from ci_toolkit.review.lines import PackageSide, findings
from tests.support.packages import SamplePackage

if TYPE_CHECKING:
    from collections.abc import Callable

OLD = SamplePackage(name="foo")
NEW = replace(OLD, version="1.1")
SUM = "a" * 64
OTHER_SUM = "b" * 64


def side(pkgbuild: str | bytes, srcinfo: str, **others: tuple[str, Oid]) -> PackageSide:
    text = pkgbuild.encode() if isinstance(pkgbuild, str) else pkgbuild
    return PackageSide(pkgbuild=text, srcinfo=SrcInfo.parse(srcinfo.encode(), file=".SRCINFO"), others=others)


def of(package: SamplePackage) -> PackageSide:
    return side(package.pkgbuild(), package.srcinfo())


HARMLESS = {
    "nothing": (OLD, OLD),
    "version": (OLD, NEW),
    "release": (OLD, replace(OLD, release="2")),
    "release starts again": (replace(OLD, release="5"), replace(NEW, release="1")),
    "a large step": (OLD, replace(OLD, version="20260101.rc2+git")),
    "a git version": (
        replace(OLD, version="1.0.r1.gabc", git_source="https://example.org/x.git"),
        replace(OLD, version="1.0.r2.gdef", git_source="https://example.org/x.git"),
    ),
}


@pytest.mark.parametrize("case", HARMLESS)
def test_harmless_changes_have_no_finding(case: str) -> None:
    old, new = HARMLESS[case]
    assert findings(of(old), of(new)) == ()


def test_quotes_around_a_version_are_no_change_of_kind() -> None:
    new = side(NEW.pkgbuild().replace("pkgver=1.1", "pkgver='1.1'"), NEW.srcinfo())
    assert findings(of(OLD), new) == ()


def edit(*pairs: tuple[str, str]) -> Callable[[str], str]:
    def apply(text: str) -> str:
        for before, after in pairs:
            assert before in text
            text = text.replace(before, after)
        return text

    return apply


DANGEROUS = {
    "a new line": edit(("package() {", "evil\npackage() {")),
    "a line gone": edit(("license=('MIT')\n", "")),
    "a changed command": edit(("install -Dm755", "install -Dm4755")),
    "a version that runs": edit(("pkgver=1.1", "pkgver=$(curl x)")),
    "backticks": edit(("pkgver=1.1", "pkgver=`curl x`")),
    "a command behind the version": edit(("pkgver=1.1\n", "pkgver=1.1;curl x\n")),
    "a command after the assignment": edit(("pkgver=1.1\n", "pkgver=1.1 curl x\n")),
    "a background command": edit(("pkgver=1.1\n", "pkgver=1.1&curl\n")),
    "a comment behind the version": edit(("pkgver=1.1\n", "pkgver=1.1 #\n")),
    "an appended version": edit(("pkgver=1.1", "pkgver+=1.1")),
    "an expanded version": edit(("pkgver=1.1", "pkgver=${x}")),
    "a path in the version": edit(("pkgver=1.1", "pkgver=../1.1")),
    "a slash in the version": edit(("pkgver=1.1", "pkgver=1.1/x")),
    "arithmetic": edit(("pkgrel=1", "pkgrel=$((1))")),
    "mixed quotes": edit(("pkgver=1.1", "pkgver='1.1\"")),
    "a continuation": edit(("pkgver=1.1\n", "pkgver=1.1\\\n")),
    "a carriage return": edit(("pkgver=1.1\n", "pkgver=1.1\r\n")),
    "no last newline": lambda text: text.rstrip("\n"),
    "a look-alike key": edit(("pkgver=", "pkgvеr=")),
    "a look-alike digit": edit(("pkgver=1.1", "pkgver=1.１")),
    "a checksum skipped": lambda text: re.sub("'[0-9a-f]{64}'", "'SKIP'", text),
    "a weaker checksum": lambda text: re.sub("'[0-9a-f]{64}'", f"'{'a' * 32}'", text),
    "another array": edit(("sha256sums=", "sha256sums_x86_64=")),
    "a weaker array": lambda text: re.sub("sha256sums=.*", f"md5sums=('{'a' * 32}')", text),
    "no checksum": lambda text: re.sub("sha256sums=.*", "sha256sums=()", text),
    "two checksums": lambda text: re.sub("sha256sums=.*", f"sha256sums=('{SUM}' '{SUM}')", text),
    "a command in the array": lambda text: re.sub("sha256sums=.*", f"sha256sums=('{SUM}' $(curl x))", text),
    "an array closed early": lambda text: re.sub("sha256sums=.*", f"sha256sums=('{SUM}'); curl x; y=()", text),
    "an array left open": lambda text: re.sub("sha256sums=.*", f"sha256sums=('{SUM}'", text),
    "a comment in the array": lambda text: re.sub("sha256sums=.*", f"sha256sums=('{SUM}' #)", text),
    "another source": edit(("example.org", "example.com")),
    "another description": edit(("A sample", "A sample $(id)")),
    "a variable before the version": edit(("pkgver=1.1\n", "x=y pkgver=1.1\n")),
    "an export": edit(("pkgver=1.1\n", "export pkgver=1.1\n")),
    "another key with the same value": edit(("pkgver=1.1\n", "_pkgver=1.1\n")),
    "NUL": edit(("pkgver=1.1\n", "pkgver=1.1\0\n")),
}


@pytest.mark.parametrize("case", DANGEROUS)
def test_a_change_beyond_the_allow_list_is_found(case: str) -> None:
    new = side(DANGEROUS[case](NEW.pkgbuild()), NEW.srcinfo())
    assert findings(of(OLD), new)


def test_a_version_that_goes_down_is_found() -> None:
    assert "goes down from 1.1 to 1.0" in findings(of(NEW), of(OLD))[0]
    assert "pkgrel goes down" in findings(of(replace(OLD, release="2")), of(OLD))[0]


def test_a_new_checksum_under_the_same_version_is_found() -> None:
    old, new = replace(OLD, sums=SUM), replace(OLD, sums=OTHER_SUM, release="2")
    assert "checksums change although the version does not" in findings(of(old), of(new))


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (("pkgver = 1.1", "pkgver = 1.2"), "says version 1.2"),
        (("pkgrel = 1", "pkgrel = 2"), "says release 2"),
        (("\tarch = any", "\tarch = any\n\tdepends = evil"), "depends of foo changes"),
        (("\tlicense = MIT", "\tinstall = foo.install"), "install of foo changes"),
        (("https://example.org/foo-1.1", "https://evil.example/foo-1.1"), "source of foo changes"),
        (("pkgname = foo\n", "pkgname = bar\n"), "names other packages"),
        (("sha256sums = ", "sha256sums = 00"), "checksums"),
    ],
    ids=["version", "release", "dependency", "install", "source", "name", "checksum"],
)
def test_a_srcinfo_that_says_more_than_the_pkgbuild_is_found(change: tuple[str, str], why: str) -> None:
    text = NEW.srcinfo()
    assert change[0] in text
    found = findings(of(OLD), side(NEW.pkgbuild(), text.replace(*change)))
    assert any(why in finding or ".SRCINFO has other sha256sums" in finding for finding in found), found


def test_other_files_are_compared_by_content_and_mode() -> None:
    one, two = ("100644", Oid("1" * 40)), ("100755", Oid("1" * 40))
    old = side(OLD.pkgbuild(), OLD.srcinfo(), a=one, b=one)
    new = side(OLD.pkgbuild(), OLD.srcinfo(), b=two, c=one)
    assert findings(old, new) == ("c is new", "b is changed", "a is gone")


def test_a_pkgbuild_that_does_not_parse_is_a_finding() -> None:
    assert findings(of(OLD), replace(of(NEW), pkgbuild=None)) == ("PKGBUILD does not parse, so it cannot be compared",)


def test_lines_that_the_owner_allows_need_both_forms_to_match() -> None:
    old = side(OLD.pkgbuild(), OLD.srcinfo())
    new = side(OLD.pkgbuild().replace("'A sample'", "'Another'"), OLD.srcinfo())
    assert findings(old, new, parse_patterns("^pkgdesc='[[:alpha:] ]+'$")) == ()
    assert findings(old, new, parse_patterns("^pkgdesc='Another"))
    assert findings(old, new, parse_patterns("^pkgdesc='A sample"))
    assert findings(old, new, parse_patterns(";")), "an empty pattern allows nothing"


@given(st.integers(0, 400), st.text(st.characters(codec="ascii", exclude_characters="\0"), min_size=1, max_size=6))
def test_text_put_anywhere_else_is_always_found(position: int, text: str) -> None:
    """Only literal versions, releases and checksums may differ: no other insertion is harmless."""
    before = OLD.pkgbuild()
    after = before[:position] + text + before[position:]
    literals = [re.sub(r"(?m)^(_?pkgver|pkgrel)=.*$|^sha256sums=.*$", "", value) for value in (before, after)]
    assume(literals[0] != literals[1])
    assert findings(of(OLD), side(after, OLD.srcinfo()))
