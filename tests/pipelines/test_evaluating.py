"""PKGBUILDs that text alone leaves open are run once, in the sandbox; all else stays as it was."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from ci_toolkit.effects.process import Processes
from ci_toolkit.effects.redaction import Redactor
from ci_toolkit.effects.sandbox import Sandbox
from ci_toolkit.model.names import Pkgbase
from ci_toolkit.model.observation import Moved, NothingToPull, SourceOutcome, UpstreamFile
from ci_toolkit.pipelines.evaluating import with_evaluations
from ci_toolkit.recipes.makepkg.program import Makepkg
from ci_toolkit.review.srcinfo import compare_srcinfo
from tests.support.tools import needs_makepkg

if TYPE_CHECKING:
    from collections.abc import Mapping

PKGBUILD = "pkgname=demo\npkgver=1\npkgrel=1\narch=(any)\ndepends=($(cat list))\npackage() { true; }\n"
SRCINFO = "pkgbase = demo\n\tpkgver = 1\n\tpkgrel = 1\n\tarch = any\n\tdepends = {}\n\npkgname = demo\n"
DEMO = Pkgbase("demo")


def makepkg(environ: Mapping[str, str] = os.environ, wish: str = "auto") -> Makepkg:
    return Makepkg(sandbox=Sandbox(processes=Processes(redactor=Redactor({})), environ=dict(environ), wish=wish))


def moved(**files: str) -> Moved:
    names = {"PKGBUILD": PKGBUILD, ".SRCINFO": SRCINFO.format("glibc"), "list": "glibc\n", **files}
    return Moved(
        revision="1",
        files={name: UpstreamFile(mode="100644", content=text.encode()) for name, text in names.items()},
        formatted=None,
    )


def evaluated(
    outcome: SourceOutcome, before: tuple[bytes, bytes] | None = None, tool: Makepkg | None = None
) -> SourceOutcome:
    with ThreadPoolExecutor(1) as heavy:
        found = with_evaluations({DEMO: outcome}, {DEMO: before} if before else {}, tool or makepkg(), heavy)
    assert list(found) == [DEMO]
    return found[DEMO]


@needs_makepkg
def test_what_is_open_is_run_where_its_files_are() -> None:
    outcome = evaluated(moved(list="evil\n"))
    assert isinstance(outcome, Moved)
    assert outcome.evaluated is not None
    assert b"\tdepends = evil\n" in outcome.evaluated
    findings = compare_srcinfo(PKGBUILD.encode(), SRCINFO.format("glibc").encode(), evaluated=outcome.evaluated)
    assert [(finding.rule, finding.old, finding.new) for finding in findings] == [
        ("srcinfo-sources-or-depends", "evil", "glibc")
    ]


@needs_makepkg
def test_a_pkgbuild_that_cannot_be_run_stays_as_it_is_and_the_log_says_why(caplog: pytest.LogCaptureFixture) -> None:
    outcome = moved(PKGBUILD=PKGBUILD.replace("pkgver=1", "pkgver=a-b"))
    assert evaluated(outcome) == outcome
    assert "demo: .SRCINFO cannot be confirmed" in caplog.text
    assert "pkgver" in caplog.text


@needs_makepkg
@pytest.mark.parametrize(
    ("outcome", "before"),
    [
        (NothingToPull(), None),
        (moved(PKGBUILD=PKGBUILD.replace("$(cat list)", "glibc")), None),
        (moved(), (PKGBUILD.encode(), SRCINFO.format("glibc").encode())),
    ],
    ids=["not moved", "all is told by the text", "nothing changes"],
)
def test_what_is_not_open_is_not_run(outcome: SourceOutcome, before: tuple[bytes, bytes] | None) -> None:
    assert evaluated(outcome, before) == outcome


def test_without_makepkg_or_sandbox_nothing_is_run_and_it_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    outcome = moved()
    assert evaluated(outcome, tool=makepkg({"PATH": "/nonexistent"})) == outcome
    assert "makepkg is not installed here" in caplog.text
    assert ".SRCINFO of 1 package cannot be confirmed" in caplog.text
