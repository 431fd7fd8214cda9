"""Which packages are checked, and what is read of a checkout."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from ci_toolkit.errors import ConfigError
from tests.support.packages import SamplePackage

if TYPE_CHECKING:
    from tests.support.checkout import CheckedRepository

WRONG = "CI_MANAGE_AUR=yes\n"


@pytest.fixture
def three(repository: CheckedRepository) -> CheckedRepository:
    """Three packages, each with a mistake."""
    for name in ("a", "b", "c"):
        repository.write(SamplePackage(name=name).folder(WRONG))
    return repository.write({"README.md": "x", ".ci/config": "REDIS_PORT=x\n"})


@pytest.mark.parametrize(
    ("paths", "where", "checked"),
    [
        ((), ".", [".ci", "a", "b", "c"]),
        (("b",), ".", ["b"]),
        (("b/PKGBUILD", "c/.SRCINFO", "b/.SRCINFO"), ".", ["b", "c"]),
        ((".",), ".", [".ci", "a", "b", "c"]),
        ((".",), "b", ["b"]),
        (("PKGBUILD",), "b", ["b"]),
        (("../a",), "b", ["a"]),
        ((".ci/config",), ".", [".ci"]),
        (("README.md", ".gitignore-that-is-not"), ".", None),
        (("README.md",), ".", []),
    ],
)
def test_only_what_is_named_is_checked(
    three: CheckedRepository, paths: tuple[str, ...], where: str, checked: list[str] | None
) -> None:
    result = three.check("--json", *paths, cwd=three.top / where)
    if checked is None:
        assert result.status == ConfigError.exit_status
        return
    assert sorted({it["file"].split("/")[0] for it in result.json["problems"]}) == checked


def test_a_misspelt_package_is_answered_with_the_nearest(repository: CheckedRepository) -> None:
    result = repository.write(SamplePackage(name="firefox").folder()).check("firefx")
    assert result.status == ConfigError.exit_status
    assert "there is no such file or package: 'firefx' (did you mean firefox?)" in result.stderr


def test_what_is_outside_is_refused(repository: CheckedRepository) -> None:
    assert "is outside of" in repository.check("..").stderr


def test_the_check_of_messages_runs_alone(repository: CheckedRepository) -> None:
    result = repository.check("--only", "commit-message", "--only", "deptree", ".ci/config")
    assert result.status == ConfigError.exit_status
    assert "commit-message runs alone" in result.stderr


def test_an_unknown_check_is_answered_with_the_nearest(repository: CheckedRepository) -> None:
    result = repository.check("--only", "pkgbuild-lnt")
    assert (result.status, "did you mean pkgbuild-lint" in result.stderr) == (ConfigError.exit_status, True)


@pytest.mark.parametrize("fix", [False, True])
def test_links_are_not_followed(repository: CheckedRepository, fix: bool) -> None:
    secret = repository.top.parent / "secret"
    secret.mkdir()
    (secret / "config").write_text("CI_MANAGE_AUR=top-secret\n")
    (secret / "PKGBUILD").write_text("a(){ :;}\n")
    repository.write({"foo/.SRCINFO": "x", "bar/PKGBUILD": "pkgname=bar\n"})
    (repository.top / "foo/PKGBUILD").symlink_to(secret / "PKGBUILD")
    (repository.top / "bar/.CI").symlink_to(secret)
    (repository.top / "linked").symlink_to(secret)
    extra = ("--only", "pkgbuild-format", "--only", "ci-config", "--fix") if fix else ()
    result = repository.check(*extra)
    assert result.status == 5
    assert "top-secret" not in result.stdout
    assert "bar/.CI/config" in result.stdout
    assert (secret / "PKGBUILD").read_text() == "a(){ :;}\n"


def test_what_is_no_regular_file_is_named_and_never_waited_for(repository: CheckedRepository) -> None:
    repository.write({"foo/.SRCINFO": "x"})
    os.mkfifo(repository.top / "foo/PKGBUILD")
    assert ("foo/PKGBUILD", None, "is no regular file") in repository.found("pkgbuild-lint")
    (repository.top / "foo/PKGBUILD").unlink()
    (repository.top / "foo/PKGBUILD").write_bytes(b"#" * (5 << 20))
    assert ("foo/PKGBUILD", None, "is larger than 4 MiB") in repository.found("pkgbuild-lint")


def test_names_that_are_no_text_are_shown_harmlessly(repository: CheckedRepository) -> None:
    repository.write({os.fsdecode(b"a\xff\x1b[31m/PKGBUILD"): "pkgname=a\n"})
    result = repository.check()
    assert result.status == 5
    assert "\x1b" not in result.stdout
    result.stdout.encode()
