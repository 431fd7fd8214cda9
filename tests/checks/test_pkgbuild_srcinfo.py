"""`.SRCINFO` in step with PKGBUILD: by text alone, by makepkg in the sandbox, and mended."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.support.packages import SamplePackage
from tests.support.tools import needs_makepkg

if TYPE_CHECKING:
    from tests.support.checkout import CheckedRepository

FOO = SamplePackage(name="foo", depends=("bash",))
COMPUTED = FOO.pkgbuild().replace("pkgdesc='A sample'", "pkgdesc=$(echo 'Another sample')")


def test_in_step_is_silent(repository: CheckedRepository) -> None:
    assert repository.write(FOO.folder()).found("pkgbuild-srcinfo") == []


def test_every_field_that_differs_is_named_with_its_line(repository: CheckedRepository) -> None:
    files = FOO.folder()
    files["foo/.SRCINFO"] = files["foo/.SRCINFO"].replace("pkgrel = 1", "pkgrel = 2").replace("bash", "zsh")
    assert repository.write(files).found("pkgbuild-srcinfo") == [
        ("foo/.SRCINFO", 4, ".SRCINFO has another pkgrel than PKGBUILD, which says 1"),
        ("foo/.SRCINFO", 7, ".SRCINFO has another depends than PKGBUILD, which says bash"),
    ]


def test_one_that_is_missing_or_broken_is_named(repository: CheckedRepository) -> None:
    repository.write({"foo/PKGBUILD": FOO.pkgbuild(), **SamplePackage(name="bar").folder(), "bar/.SRCINFO": "x\n"})
    assert repository.found("pkgbuild-srcinfo") == [
        ("bar/.SRCINFO", 1, ".SRCINFO cannot be read: .SRCINFO line 1: is not `key = value`: 'x' (run makepkg --printsrcinfo > .SRCINFO)"),
        ("foo/.SRCINFO", None, ".SRCINFO is missing"),
    ]  # fmt: skip


def test_what_only_running_it_could_tell_is_no_problem(repository: CheckedRepository) -> None:
    repository.write({**FOO.folder(), "foo/PKGBUILD": COMPUTED})
    assert repository.found("pkgbuild-srcinfo") == []


def test_nothing_is_run_unless_asked(repository: CheckedRepository) -> None:
    trap = repository.top / "trap"
    repository.write({**FOO.folder(), "foo/PKGBUILD": f"{FOO.pkgbuild()}touch {trap}\n"})
    repository.check()
    assert not trap.exists()


@needs_makepkg
def test_full_runs_it_in_the_sandbox(repository: CheckedRepository) -> None:
    trap = repository.top / "trap"
    repository.write({**FOO.folder(), "foo/PKGBUILD": f"{COMPUTED}touch {trap} || true\n"})
    found = repository.found("pkgbuild-srcinfo", "--full")
    assert found == [("foo/.SRCINFO", 2, ".SRCINFO has another pkgdesc than PKGBUILD, which says Another sample")]
    assert not trap.exists()


@needs_makepkg
def test_fix_rewrites_what_is_out_of_step_and_nothing_else(repository: CheckedRepository) -> None:
    bar = SamplePackage(name="bar")
    files = {**FOO.folder(), **bar.folder()}
    files["foo/.SRCINFO"] = files["foo/.SRCINFO"].replace("pkgrel = 1", "pkgrel = 2")
    repository.write(files)
    result = repository.check("--only", "pkgbuild-srcinfo", "--fix")
    assert (result.status, result.stdout) == (0, "mended foo/.SRCINFO\nno problems in 2 packages\n")
    assert "pkgrel = 1" in (repository.top / "foo/.SRCINFO").read_text()
    assert (repository.top / "bar/.SRCINFO").read_text() == bar.srcinfo()
    assert repository.found("pkgbuild-srcinfo", "--full") == []


@needs_makepkg
def test_a_pkgbuild_that_fails_is_a_problem_of_its_own(repository: CheckedRepository) -> None:
    repository.write({**FOO.folder(), "foo/PKGBUILD": f"{FOO.pkgbuild()}exit 3\n"})
    (problem,) = repository.found("pkgbuild-srcinfo", "--full")
    assert problem[0] == "foo/PKGBUILD"
    assert problem[2].startswith("cannot be evaluated: makepkg ended with status")
