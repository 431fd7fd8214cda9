"""Formatting, nvchecker's file and commit messages: good and bad ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.packages import SamplePackage

if TYPE_CHECKING:
    from tests.support.checkout import CheckedRepository

FOO = SamplePackage(name="foo")
UGLY = FOO.pkgbuild().replace("package() {", "package()\n{")
STYLE = "root = true\n[*]\nindent_style = space\nindent_size = 2\n"
ASKED = "CI_PKGBUILD_SOURCE=custom\nCI_NVCHECKER=true\n"


def test_formatting_is_asked_for_by_name_only(repository: CheckedRepository) -> None:
    repository.write({**FOO.folder(), "foo/PKGBUILD": UGLY, ".editorconfig": STYLE})
    assert repository.check().status == 0
    found = repository.found("pkgbuild-format")
    assert found == [("foo/PKGBUILD", 12, "is not formatted as shfmt does from this line on")]


def test_fix_formats_in_the_repository_s_style_and_keeps_the_mode(repository: CheckedRepository) -> None:
    repository.write({**FOO.folder(), "foo/PKGBUILD": UGLY, ".editorconfig": STYLE})
    (repository.top / "foo/PKGBUILD").chmod(0o600)
    assert repository.check("--only", "pkgbuild-format", "--fix").stdout.startswith("mended foo/PKGBUILD\n")
    assert (repository.top / "foo/PKGBUILD").read_text() == FOO.pkgbuild()
    assert (repository.top / "foo/PKGBUILD").stat().st_mode & 0o777 == 0o600
    assert repository.found("pkgbuild-format") == []


def test_what_cannot_be_formatted_stays_as_it_is(repository: CheckedRepository) -> None:
    repository.write({"foo/PKGBUILD": "a=(\n"})
    result = repository.check("--only", "pkgbuild-format", "--fix")
    assert result.status == 5
    assert "cannot be formatted" in result.stdout
    assert (repository.top / "foo/PKGBUILD").read_text() == "a=(\n"


@pytest.mark.parametrize(
    ("files", "found"),
    [
        ({"foo/nvchecker.toml": '[foo]\nsource = "pypi"\n'}, []),
        ({}, [("foo/.CI/config", 2, "CI_NVCHECKER is on, and there is neither nvchecker.toml nor .nvchecker.toml")]),
        ({"foo/.nvchecker.toml": '[foo]\nsorce = "pypi"\n'}, [("foo/.nvchecker.toml", None, "has no table [foo] with a source")]),
        ({"foo/nvchecker.toml": '[foo]\nsource = "pypi\n'}, [("foo/nvchecker.toml", 2, "is no TOML: Illegal character '\\n' (at line 2, column 15)")]),
        ({"foo/nvchecker.toml": '[foo]\nsource = "cmd"\n', "foo/.CI/config": "CI_PKGBUILD_SOURCE=aur\nCI_NVCHECKER=true\n"},
         [("foo/nvchecker.toml", None, "has a command, which is run for packages with CI_PKGBUILD_SOURCE=custom only")]),
        ({"foo/nvchecker.toml": "not toml", "foo/.CI/config": "CI_PKGBUILD_SOURCE=aur\n"}, []),
    ],
    ids=["good", "missing", "no source", "no TOML", "command", "nobody reads it"],
)  # fmt: skip
def test_nvchecker_s_file(
    repository: CheckedRepository, files: dict[str, str], found: list[tuple[str, int | None, str]]
) -> None:
    repository.write({**FOO.folder(ASKED), **files})
    assert repository.found("nvchecker-config") == found


@pytest.mark.parametrize(
    ("message", "found"),
    [
        ("fix(foo): mend it\n", []),
        ("feat!: new\n\nbody [deploy foo] [deploy all]\n", []),
        ("Merge branch 'a'\n", []),
        ('Revert "fix: x"\n', []),
        ("\n# a comment of git\nchore: x\n# [deploy nothing]\n# ---- >8 ----\n[deploy nothing]\n", []),
        ("mend it\n", [(1, "the first line is no conventional commit")]),
        ("fixx: mend it\n", [(1, "'fixx' is no type of change")]),
        ("fix(): mend it\n", [(1, "the scope is empty")]),
        ("fix:mend it\n", [(1, "there is no blank behind the colon")]),
        ("fix:\n", [(1, "the description is missing")]),
        ("# only comments\n", [(1, "the message is empty")]),
        ("fix: a\nb\n", [(2, "the second line is not empty")]),
        ("fix: a\n\n[deploy fo]\n", [(3, "[deploy fo] names no package")]),
        ("bad\nworse [deploy x]\n", [(1, "the first line is no conventional commit"), (2, "[deploy x] names no package"), (2, "the second line is not empty")]),
    ],
)  # fmt: skip
def test_commit_messages(repository: CheckedRepository, message: str, found: list[tuple[int, str]]) -> None:
    repository.write({**FOO.folder(), ".git/COMMIT_EDITMSG": message})
    told = repository.found("commit-message", ".git/COMMIT_EDITMSG")
    assert told == [(".git/COMMIT_EDITMSG", line, text) for line, text in found]


def test_the_nearest_package_is_offered(repository: CheckedRepository) -> None:
    repository.write({**FOO.folder(), "message": "fix: a [deploy fo]\n"})
    assert "did you mean foo?" in repository.check("--only", "commit-message", "message").stdout
