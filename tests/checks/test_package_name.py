"""A folder is called as its package."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.packages import SamplePackage

if TYPE_CHECKING:
    from tests.support.checkout import CheckedRepository

FOO = SamplePackage(name="foo").folder()
RENAMED = {path.replace("foo/", "bar/"): text for path, text in FOO.items()}


def test_a_good_name_is_silent(repository: CheckedRepository) -> None:
    assert repository.write(FOO).found("package-name") == []


def test_another_pkgbase_is_named_with_its_line(repository: CheckedRepository) -> None:
    repository.write(RENAMED)
    assert repository.found("package-name") == [("bar/PKGBUILD", 1, "pkgbase is foo, and the folder is called bar")]


def test_where_pkgbuild_does_not_tell_srcinfo_does(repository: CheckedRepository) -> None:
    repository.write({**RENAMED, "bar/PKGBUILD": RENAMED["bar/PKGBUILD"].replace("=foo", "=$(echo foo)")})
    assert repository.found("package-name") == [("bar/.SRCINFO", 1, "pkgbase is foo, and the folder is called bar")]


@pytest.mark.parametrize("extra", [{"bar/.CI/prepare": "true\n"}, {"bar/.CI/config": "CI_PKGBUILD_SOURCE=https://example.org/foo.git\n"}])  # fmt: skip
def test_one_that_is_renamed_on_purpose_is_left_alone(repository: CheckedRepository, extra: dict[str, str]) -> None:
    assert repository.write({**RENAMED, **extra}).found("package-name") == []


def test_a_name_that_the_backend_refuses_is_named(repository: CheckedRepository) -> None:
    repository.write(SamplePackage(name="Foo").folder())
    ((file, _, text),) = repository.found("package-name")
    assert file == "Foo/PKGBUILD"
    assert text.startswith("the chaotic-manager takes only names of a-z")


def test_what_no_package_can_be_called(repository: CheckedRepository) -> None:
    repository.write({path.replace("foo/", "foo..bar/"): text for path, text in FOO.items()})
    assert repository.found("package-name") == [("foo..bar/PKGBUILD", None, "'foo..bar' is no possible package name")]


def test_a_folder_without_pkgbuild_is_named_and_one_of_something_else_is_not(repository: CheckedRepository) -> None:
    repository.write({"foo/.SRCINFO": "x", "docs/index.md": "x"})
    assert repository.found("package-name") == [("foo", None, "the folder has no PKGBUILD, and no .CI/recipe.toml")]
