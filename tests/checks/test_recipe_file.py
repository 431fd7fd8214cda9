"""What is wrong with a folder that `.CI/recipe.toml` describes is found before it is pushed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.support.checkout import CheckedRepository

GOOD = 'version = "1.0"\ncommand = "make"\noutputs = ["tool"]\n'


def test_a_good_file_is_silent_in_every_check(repository: CheckedRepository) -> None:
    repository.write(
        {".ci/config": "REPO_NAME=mine\nBUILD_REPO=mine\nCI_BACKEND=local\n", "tool/.CI/recipe.toml": GOOD}
    )
    for check in ("recipe-file", "package-name", "deptree", "pkgbuild-lint", "pkgbuild-srcinfo"):
        assert repository.found(check) == []


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('version = "1-0"', "version is no version: '1-0'"),
        (GOOD + "recpie = 1\n", "recpie is no key here"),
        (GOOD.replace("outputs", "output"), "output is no key here"),
        ('version = "1.0"\ncommand = "make"\n', "outputs is missing"),
        ('version = "1.0"\noutputs = ["a"]\n', "command is missing"),
        ('version = "1.0"\ncommand = "make"\noutputs = ["../a"]\n', "outputs names no file inside the folder: '../a'"),
        ('version = "1.0"\ncommand = "make"\noutputs = ["a/x", "b/x"]\n', "outputs has two files of the same name"),
        ('version = "1.0"\nrecipe = "comand"\n', "recipe names nothing that is installed: 'comand'"),
        ("version = ", "is no TOML"),
    ],
)
def test_what_is_wrong_is_named(repository: CheckedRepository, text: str, problem: str) -> None:
    repository.write({"tool/.CI/recipe.toml": text})
    [(file, _, said)] = repository.found("recipe-file")
    assert file == "tool/.CI/recipe.toml"
    assert said.startswith(problem)


def test_a_pkgbuild_besides_is_named(repository: CheckedRepository) -> None:
    repository.write({"tool/.CI/recipe.toml": GOOD, "tool/PKGBUILD": "pkgname=tool\n"})
    [(_, _, said)] = repository.found("recipe-file")
    assert said == "the folder has a PKGBUILD as well, which is not built"


def test_a_backend_that_builds_pkgbuilds_alone_is_named(repository: CheckedRepository) -> None:
    repository.write({"tool/.CI/recipe.toml": GOOD})
    [(file, _, said)] = repository.found("package-name")
    assert (file, said) == (
        "tool/.CI/recipe.toml",
        "chaotic_manager builds folders with a PKGBUILD alone, and .CI/recipe.toml describes another kind",
    )


def test_a_circle_through_described_folders_is_found(repository: CheckedRepository) -> None:
    one, two = GOOD + 'needs = ["two"]\n', GOOD + 'needs = ["one"]\n'
    repository.write({"one/.CI/recipe.toml": one, "two/.CI/recipe.toml": two})
    assert [file for file, _, _ in repository.found("deptree")] == ["one/.CI/recipe.toml"]
