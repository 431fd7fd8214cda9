"""What a PKGBUILD must not do when it is read, whether it parses, and shellcheck's advice."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.packages import SamplePackage

if TYPE_CHECKING:
    from tests.support.checkout import CheckedRepository

FOO = SamplePackage(name="foo")
HARMLESS = "_x=$(date +%s)\ndepends=(curl wget git pacman sudo)\nsource+=(git+https://example.org/a.git)\n"


def linted(repository: CheckedRepository, text: str) -> list[tuple[str, int | None, str]]:
    repository.write({"foo/PKGBUILD": text})
    return [
        (it["file"], it["line"], it["text"])
        for it in repository.problems("--only", "pkgbuild-lint")
        if it["severity"] == "error"
    ]


@pytest.mark.parametrize(
    "text",
    [
        FOO.pkgbuild() + HARMLESS,
        FOO.pkgbuild() + "pkgver() {\n  curl -s https://example.org\n}\n",
        FOO.pkgbuild() + "if true; then\n  build() { git clone x; sudo y; }\nfi\n",
    ],
    ids=["names in lists", "in pkgver", "in a function in a condition"],
)
def test_what_may_be_there_is_silent(repository: CheckedRepository, text: str) -> None:
    assert linted(repository, text) == []


@pytest.mark.parametrize(
    ("line", "shown", "what"),
    [
        ("pkgver=$(curl -s https://example.org/version)", "curl -s https://example.org/version", "uses the network"),
        ('[[ $x ]] || c""url -O x', "curl -O x", "uses the network"),
        (
            "_c=$(git ls-remote https://example.org/a.git)",
            "git ls-remote https://example.org/a.git",
            "uses the network",
        ),
        ("sudo true", "sudo true", "asks for the rights of another user"),
        ("_v=$(LC_ALL=C pacman -Q linux)", "LC_ALL=C pacman -Q linux", "calls a package manager"),
        ("if true; then npm install x; fi", "npm install x", "calls a package manager"),
        (": ${_v:=$(pacman -Si cuda | head -1)}", "pacman -Si cuda", "calls a package manager"),
    ],
)
def test_what_must_not_run_when_it_is_read(repository: CheckedRepository, line: str, shown: str, what: str) -> None:
    ((file, number, text),) = linted(repository, f"{FOO.pkgbuild()}{line}\n")
    assert (file, number) == ("foo/PKGBUILD", FOO.pkgbuild().count("\n") + 1)
    assert text.startswith(f"`{shown}` {what}")


def test_a_function_that_is_called_when_it_is_read_counts(repository: CheckedRepository) -> None:
    text = f"{FOO.pkgbuild()}_ask() {{\n  _really\n}}\n_really() {{\n  wget -q x\n}}\n_answer=$(_ask)\n"
    ((_, number, said),) = linted(repository, text)
    assert (number, said.split("`")[1]) == (FOO.pkgbuild().count("\n") + 5, "wget -q x")


def test_what_does_not_parse_is_named_with_its_line(repository: CheckedRepository) -> None:
    ((file, line, text),) = linted(repository, "pkgname=foo\npkgver=1\nbuild() {\n  true\n")
    assert (file, line) == ("foo/PKGBUILD", 3)
    assert text.startswith("is no bash: ")


def test_bash_that_only_the_parser_of_reviews_does_not_take_is_no_error(repository: CheckedRepository) -> None:
    repository.write({"foo/PKGBUILD": FOO.pkgbuild() + ": ${archs=a;b}\n"})
    assert [it["severity"] for it in repository.problems("--only", "pkgbuild-lint")] == ["warning"]


@pytest.mark.skipif(
    shutil.which("shellcheck", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}") is None
    and not os.environ.get("CI"),
    reason="shellcheck is not installed",
)
def test_shellcheck_advises_and_knows_what_makepkg_sets(repository: CheckedRepository) -> None:
    text = FOO.pkgbuild().replace("  install", "  cd $srcdir\n  rm -rf $pkgdir/$undefined $*\n  install")
    result = repository.write({"foo/PKGBUILD": text}).check("--only", "pkgbuild-lint", "--json")
    assert result.status == 0
    codes = [(it["severity"], it["line"], it["text"].split(":")[0]) for it in result.json["problems"]]
    assert codes == [("warning", 14, "SC2048"), ("warning", 14, "SC2115")]
