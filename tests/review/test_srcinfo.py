"""`.SRCINFO` says what the PKGBUILD says, or a person is told where it does not."""

from __future__ import annotations

import re
import time

import pytest

from ci_toolkit.model.finding import Finding, Severity
from ci_toolkit.review.srcinfo import RULES, compare_srcinfo, needs_evaluation

PKGBUILD = b"""\
pkgname=demo
pkgver=1.0
pkgrel=1
pkgdesc='A demo'
arch=(x86_64)
url=https://example.org
depends=(glibc)
source=("$url/v$pkgver/demo-$pkgver.tar.gz")
sha256sums=('aaaa')
package() {
  optdepends=('git: to clone')
}
"""
SRCINFO = b"""\
pkgbase = demo
\tpkgdesc = A demo
\tpkgver = 1.0
\tpkgrel = 1
\turl = https://example.org
\tarch = x86_64
\tdepends = glibc
\tsource = https://example.org/v1.0/demo-1.0.tar.gz
\tsha256sums = aaaa

pkgname = demo
\toptdepends = git: to clone
"""
COMPUTED = PKGBUILD.replace(b"depends=(glibc)", b'depends=($(cat list) "demo-data=$pkgver")')
COMPUTED_INFO = SRCINFO.replace(b"depends = glibc", b"depends = glibc\n\tdepends = demo-data=1.0")
NEWER = [(b"pkgver=1.0", b"pkgver=1.1"), (b"pkgver = 1.0", b"pkgver = 1.1"), (b"v1.0/demo-1.0", b"v1.1/demo-1.1")]


def changed(text: bytes, *pairs: tuple[bytes, bytes]) -> bytes:
    for old, new in pairs:
        text = text.replace(old, new)
    return text


def only(findings: tuple[Finding, ...]) -> Finding:
    assert len(findings) == 1, findings
    return findings[0]


def test_what_agrees_is_no_finding() -> None:
    assert compare_srcinfo(PKGBUILD, SRCINFO) == ()
    assert compare_srcinfo(PKGBUILD, SRCINFO, before=(PKGBUILD, SRCINFO)) == ()
    assert not needs_evaluation(PKGBUILD, SRCINFO)


@pytest.mark.parametrize(
    ("old", "new", "rule", "severity", "line"),
    [
        (b"pkgver = 1.0", b"pkgver = 1.1", "srcinfo-mismatch", Severity.MEDIUM, 3),
        (b"pkgdesc = A demo", b"pkgdesc = Other", "srcinfo-mismatch", Severity.MEDIUM, 2),
        (b"https://example.org/v1.0", b"https://evil.example/v1.0", "srcinfo-sources-or-depends", Severity.HIGH, 8),
        (b"= aaaa", b"= bbbb", "srcinfo-sources-or-depends", Severity.HIGH, 9),
        (b"depends = glibc", b"depends = evil", "srcinfo-sources-or-depends", Severity.HIGH, 7),
        (b"depends = glibc", b"depends = glibc\n\tdepends = evil", "srcinfo-sources-or-depends", Severity.HIGH, 7),
        (b"\tdepends = glibc\n", b"", "srcinfo-sources-or-depends", Severity.HIGH, 1),
        (b"\tdepends = glibc", b"\tdepends = glibc\n\tinstall = x", "srcinfo-sources-or-depends", Severity.HIGH, 8),
        (b"\tdepends = glibc", b"\tdepends = glibc\n\tdepends_x86_64 = x", "srcinfo-sources-or-depends", Severity.HIGH, 8),
        (b"git: to clone", b"other", "srcinfo-sources-or-depends", Severity.HIGH, 12),
        (b"\toptdepends = git: to clone\n", b"", "srcinfo-sources-or-depends", Severity.HIGH, 11),
        (b"\toptdepends = git: to clone\n", b"\toptdepends = git: to clone\n\tlicense = x\n", "srcinfo-mismatch", Severity.MEDIUM, 13),
        (b"pkgname = demo", b"pkgname = other", "srcinfo-names", Severity.HIGH, None),
        (b"pkgbase = demo", b"pkgbase = other", "srcinfo-names", Severity.HIGH, None),
    ],
)  # fmt: skip
def test_another_value_is_a_finding(old: bytes, new: bytes, rule: str, severity: Severity, line: int | None) -> None:
    findings = compare_srcinfo(PKGBUILD, changed(SRCINFO, (old, new)), before=(PKGBUILD, SRCINFO))
    finding = next(one for one in findings if one.rule == rule)
    assert (finding.severity, finding.line, finding.file) == (severity, line, ".SRCINFO")


def test_the_finding_shows_both_sides() -> None:
    finding = only(compare_srcinfo(PKGBUILD, changed(SRCINFO, (b"glibc", b"evil"))))
    assert (finding.old, finding.new) == ("glibc", "evil")
    assert "depends" in finding.text


@pytest.mark.parametrize("srcinfo", [b"", b"garbage\n", b"pkgbase = demo\n", b"\xff"])
def test_missing_or_unreadable_is_a_finding(srcinfo: bytes) -> None:
    finding = only(compare_srcinfo(PKGBUILD, srcinfo, before=(PKGBUILD, SRCINFO)))
    assert (finding.rule, finding.severity) == ("srcinfo-unreadable", Severity.HIGH)


def test_a_fault_that_was_there_before_is_minor() -> None:
    # A -git package: its pkgver() changes PKGBUILD, and nobody renews .SRCINFO.
    old, new = changed(PKGBUILD, (b"pkgver=1.0", b"pkgver=r2")), changed(PKGBUILD, (b"pkgver=1.0", b"pkgver=r3"))
    findings = compare_srcinfo(new, SRCINFO, before=(old, SRCINFO))
    assert {finding.rule for finding in findings} == {"srcinfo-stale"}
    assert {finding.severity for finding in findings} == {Severity.MINOR}
    assert len(findings) == 2, "pkgver, and the source that it is part of"


@pytest.mark.parametrize(
    ("old", "new", "is_excused"),
    [
        (b"depends = other", b"depends = other", True),
        (b"depends = other", b"depends = evil", False),
        (b"depends = glibc\n\tdepends = more", b"depends = glibc\n\tdepends = evil", False),
        (b"pkgdesc = Old", b"pkgdesc = Older", True),
        (b"groups = x", b"depends = evil", False),
    ],
)
def test_a_dangerous_fault_is_only_excused_if_it_is_the_same(old: bytes, new: bytes, *, is_excused: bool) -> None:
    before = changed(SRCINFO, (b"depends = glibc", b"depends = glibc\n\t" + old) if b"groups" in old else _put(old))
    findings = compare_srcinfo(PKGBUILD, changed(SRCINFO, _put(new)), before=(PKGBUILD, before))
    assert all(finding.severity is Severity.MINOR for finding in findings) is is_excused


def test_a_wrong_source_that_only_follows_the_version_is_excused() -> None:
    wrong = changed(SRCINFO, (b"demo-1.0.tar.gz", b"demo_1.0.tar.gz"), (b"= aaaa", b"= TODO"))
    newer = changed(wrong, *NEWER, (b"v1.0/demo_1.0", b"v1.1/demo_1.1"))
    pkgbuild = changed(PKGBUILD, *NEWER, (b"aaaa", b"bbbb"))
    findings = compare_srcinfo(pkgbuild, newer, before=(PKGBUILD, wrong))
    assert [finding.rule for finding in findings] == ["srcinfo-stale", "srcinfo-stale"]
    elsewhere = changed(newer, (b"example.org/v1.1/demo_1.1", b"evil.example/demo_1.1"))
    findings = compare_srcinfo(pkgbuild, elsewhere, before=(PKGBUILD, wrong))
    assert "srcinfo-sources-or-depends" in [finding.rule for finding in findings]


def _put(line: bytes) -> tuple[bytes, bytes]:
    return (b"pkgdesc = A demo", line) if b"pkgdesc" in line else (b"depends = glibc", line)


def test_what_cannot_be_told_may_stay_and_follow_the_version() -> None:
    before = (COMPUTED, COMPUTED_INFO)
    assert compare_srcinfo(COMPUTED, COMPUTED_INFO, before=before) == ()
    assert (
        compare_srcinfo(
            changed(COMPUTED, *NEWER), changed(COMPUTED_INFO, *NEWER, (b"data=1.0", b"data=1.1")), before=before
        )
        == ()
    )


@pytest.mark.parametrize(
    "depends", [b"depends = evil", b"depends = glibc\n\tdepends = demo-data=1.0\n\tdepends = evil", b""]
)
def test_what_cannot_be_told_and_changes_is_open(depends: bytes) -> None:
    srcinfo = changed(
        COMPUTED_INFO, (b"\tdepends = glibc\n\tdepends = demo-data=1.0\n", b"\t" + depends + b"\n" if depends else b"")
    )
    before = (COMPUTED, COMPUTED_INFO)
    finding = only(compare_srcinfo(COMPUTED, srcinfo, before=before))
    assert (finding.rule, finding.severity) == ("srcinfo-unverified", Severity.LOW)
    assert needs_evaluation(COMPUTED, srcinfo, before)


def test_what_becomes_computed_is_open_even_if_srcinfo_stays() -> None:
    assert needs_evaluation(COMPUTED, SRCINFO, (PKGBUILD, SRCINFO))


def test_without_anything_before_all_that_is_computed_is_open() -> None:
    assert needs_evaluation(COMPUTED, COMPUTED_INFO)
    assert not needs_evaluation(PKGBUILD, SRCINFO)


@pytest.mark.parametrize("pkgbuild", [b"eval x\n" + PKGBUILD, PKGBUILD.replace(b"pkgver=1.0", b"pkgver=$(cat v)")])
def test_a_version_that_cannot_be_told_is_open_when_it_changes(pkgbuild: bytes) -> None:
    srcinfo = changed(SRCINFO, *NEWER)
    assert needs_evaluation(pkgbuild, srcinfo, (pkgbuild, SRCINFO))
    assert compare_srcinfo(pkgbuild, SRCINFO, before=(pkgbuild, SRCINFO)) == ()


def test_evaluation_settles_what_is_open() -> None:
    evil = changed(COMPUTED_INFO, (b"depends = glibc", b"depends = evil"))
    assert compare_srcinfo(COMPUTED, COMPUTED_INFO, evaluated=COMPUTED_INFO) == ()
    finding = only(compare_srcinfo(COMPUTED, evil, evaluated=COMPUTED_INFO, before=(COMPUTED, COMPUTED_INFO)))
    assert (finding.rule, finding.severity) == ("srcinfo-sources-or-depends", Severity.HIGH)


def test_evaluation_that_gives_what_neither_says_is_a_finding() -> None:
    finding = only(compare_srcinfo(PKGBUILD, SRCINFO, evaluated=changed(SRCINFO, (b"= aaaa", b"= bbbb"))))
    assert (finding.rule, finding.new) == ("srcinfo-evaluates-otherwise", "bbbb")


def test_an_evaluation_that_cannot_be_read_counts_as_none() -> None:
    assert compare_srcinfo(COMPUTED, COMPUTED_INFO, evaluated=b"no") == compare_srcinfo(COMPUTED, COMPUTED_INFO)


def test_a_huge_srcinfo_costs_bounded_time() -> None:
    head, end = b"pkgbase = demo\n\tpkgver = 1\n\tpkgrel = 1\n", b"pkgname = demo\n"
    many = b"".join(b"\tdepends = x%d\n" % number for number in range(20_000))
    keys = b"".join(b"\tk%d = x\n" % number for number in range(20_000))
    packages = b"".join(b"pkgname = a%d\n\tdepends = x\n" % number for number in range(10_000))
    start = time.process_time()
    for srcinfo in (head + many + end, head + keys + end, head + packages):
        compare_srcinfo(PKGBUILD, srcinfo, before=(PKGBUILD, srcinfo.replace(b"= x", b"= y")))
    assert time.process_time() - start < 5


def test_rules_are_named_once_and_well() -> None:
    ids = [rule.id for rule in RULES]
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch(r"[a-z]+(-[a-z]+)+", name) for name in ids)
