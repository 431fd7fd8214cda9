"""Which changes of dependencies need no review, once the owner says so."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ci_toolkit.formats.srcinfo import SrcInfo
from ci_toolkit.model.finding import Finding, Severity
from ci_toolkit.review.official import offered_names, official_dependency

OFFICIAL = frozenset({"zlib", "libz.so", "cmake", "bash", "sh"})
OWN = frozenset({"ours"})


def srcinfo(*lines: str, package: tuple[str, ...] = ()) -> SrcInfo:
    rows = ["pkgbase = app", "\tpkgver = 1", "\tpkgrel = 1", *lines, "pkgname = app", *package]
    return SrcInfo.parse("\n".join(rows).encode(), file=".SRCINFO")


def found(rule: str = "depends-changed", severity: Severity = Severity.MEDIUM) -> Finding:
    return Finding(rule=rule, severity=severity, file="PKGBUILD", line=7, text="it depends on something else")


def judged(
    old: SrcInfo | None, new: SrcInfo | None, *findings: Finding, official: frozenset[str] = OFFICIAL
) -> tuple[Finding, ...]:
    return official_dependency(findings or (found(),), old_srcinfo=old, new_srcinfo=new, official=official, own=OWN)


def is_minor(*arguments: object, **named: object) -> bool:
    return all(one.severity is Severity.MINOR for one in judged(*arguments, **named))  # type: ignore[arg-type]


BEFORE = srcinfo("depends = bash")


@pytest.mark.parametrize(
    "new",
    [
        srcinfo("depends = bash", "depends = zlib"),
        srcinfo("depends = bash", "depends = zlib>=1:1.3"),
        srcinfo("depends = bash", "depends = libz.so=1-64"),
        srcinfo("depends = bash", "depends_x86_64 = zlib"),
        srcinfo("depends = bash", "depends = ours"),
        srcinfo("depends = bash", package=("depends = zlib",)),
        srcinfo("depends = bash>=5"),
        srcinfo(),
    ],
    ids=["plain", "constraint", "library", "architecture", "own", "split", "only-a-constraint", "removed"],
)
def test_names_that_are_official_or_our_own_make_it_minor(new: SrcInfo) -> None:
    assert is_minor(BEFORE, new)


@pytest.mark.parametrize(
    "new",
    [
        srcinfo("depends = bash", "depends = evil"),
        srcinfo("depends = bash", "depends = zlib", "depends = evil"),
        srcinfo("depends = bash", "depends_aarch64 = evil>=1"),
        srcinfo("depends = bash", package=("depends = zlib", "depends = evil")),
        srcinfo("depends = bash", "depends = Zlib"),
        srcinfo("depends = bash", "depends = =1"),
        srcinfo("depends = bash", "depends = zlib>=1 evil"),
        srcinfo("depends = bash", "depends = zlib>=$(evil)"),
        srcinfo("depends = bash"),
        srcinfo("depends = bash", "makedepends = zlib"),
        None,
    ],
    ids=[
        "other",
        "both",
        "architecture",
        "split",
        "case",
        "nameless",
        "blank",
        "expansion",
        "not-in-srcinfo",
        "another-key",
        "no-srcinfo",
    ],
)
def test_anything_else_stays_a_review(new: SrcInfo | None) -> None:
    assert judged(BEFORE, new) == (found(),)
    assert judged(None, srcinfo("depends = zlib")) == (found(),)


def test_each_kind_of_dependency_is_compared_with_its_own() -> None:
    old = srcinfo("makedepends = evil")
    assert not is_minor(old, srcinfo("makedepends = evil", "depends = evil"))
    odd = srcinfo("depends = zlib>=$(a)")
    assert not is_minor(odd, srcinfo("depends = zlib>=$(b)"))
    new = srcinfo("makedepends = evil", "makedepends = cmake", "checkdepends = bash")
    assert is_minor(old, new, found("makedepends-changed"), found("checkdepends-changed"))
    assert not is_minor(old, srcinfo("optdepends = zlib: more"), found("optdepends-changed"))


def test_beside_another_finding_nothing_becomes_minor_and_beside_harmless_ones_it_does() -> None:
    new = srcinfo("depends = bash", "depends = zlib")
    other = found("source-added", Severity.LOW)
    assert judged(BEFORE, new, found(), other) == (found(), other)
    off = replace(other, severity=Severity.MINOR)
    changed, kept = judged(BEFORE, new, found(), off)
    assert kept == off
    assert changed.severity is Severity.MINOR
    assert changed.text == (
        "it depends on something else (official-dependency: the official repositories or this one have zlib)"
    )


def test_without_known_names_and_where_the_owner_refuses_it_does_not_apply() -> None:
    new = srcinfo("depends = bash", "depends = ours")
    assert judged(BEFORE, new, official=frozenset()) == (found(),)
    refused = found(severity=Severity.REFUSE)
    assert judged(BEFORE, new, refused) == (refused,)


def test_what_a_repository_offers_are_its_packages_and_what_they_provide() -> None:
    one = srcinfo("provides = app-api=2", package=("provides_x86_64 = libapp.so=1-64",))
    assert offered_names([one]) == {"app", "app-api", "libapp.so"}
