"""Both config files and review.toml: what is wrong is named with file and line, and all of it at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.packages import SamplePackage

if TYPE_CHECKING:
    from tests.support.checkout import CheckedRepository

FOO = SamplePackage(name="foo")


def test_good_files_are_silent(repository: CheckedRepository) -> None:
    repository.write(FOO.folder("# why\nCI_PKGBUILD_SOURCE=aur\nCI_REBUILD_TRIGGERS=bar\nBUILDER_CLASS=3\n"))
    repository.write(SamplePackage(name="bar").folder("CI_PKGBUILD_SOURCE=https://example.org/bar.git\n"))
    repository.write({".ci/review.toml": '[severity]\ndepends-changed = "high"\n'})
    assert repository.found("ci-config") == []


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("CI_MANAGE_AURR=true", "CI_MANAGE_AURR is no key of ci-toolkit"),
        ("CI_MANAGE_AUR=yes", "CI_MANAGE_AUR is neither true nor false: 'yes'"),
        ("BUILDER_CLASS=0", "BUILDER_CLASS is a class below 1: '0'"),
        ("BUILDER_EXTRA_TIMEOUT=fast", "BUILDER_EXTRA_TIMEOUT is not a whole number: 'fast'"),
        ("CI_TAG_FILTER=v(", "CI_TAG_FILTER is no regular expression: missing ), unterminated subpattern at position 1: 'v('"),
        ("CI_PKGBUILD_CHANGE_ALLOW_REGEX=^a;[", "CI_PKGBUILD_CHANGE_ALLOW_REGEX is no regular expression: unterminated character set at position 0: '['"),
        ("CI_PACKAGE_BUMP=/", "CI_PACKAGE_BUMP is no bump: '/'"),
        ("CI_PKGBUILD_SOURCE=arch", "CI_PKGBUILD_SOURCE names no kind of upstream: 'arch'"),
        ("CI_REBUILD_TRIGGERS=foo:-x", "CI_REBUILD_TRIGGERS has what no package is called: '-x'"),
        ("CI_REBUILD_TRIGGERS=libfooo", "CI_REBUILD_TRIGGERS names what is not in this repository: 'libfooo'"),
        ("REPO_NAME=mine", "REPO_NAME means nothing in this file"),
    ],
)  # fmt: skip
def test_a_mistake_is_named_with_its_line(repository: CheckedRepository, line: str, told: str) -> None:
    repository.write({**FOO.folder(f"# a comment\n{line}\n"), **SamplePackage(name="libfoo").folder()})
    assert repository.found("ci-config") == [("foo/.CI/config", 2, told)]
    assert repository.check("--only", "ci-config").status == 5


def test_all_mistakes_of_a_file_are_told_at_once(repository: CheckedRepository) -> None:
    config = "CI_MANAGE_AUR=yes\nnot a line\nBUILDER_CLASS=0\nCI_NVCHEKER=true\n"
    repository.write(FOO.folder(config))
    assert [line for _, line, _ in repository.found("ci-config")] == [1, 2, 3, 4]


def test_the_nearest_key_is_offered(repository: CheckedRepository) -> None:
    repository.write(FOO.folder("CI_NVCHEKER=true\n"))
    assert [it["hint"] for it in repository.problems("--only", "ci-config")] == ["did you mean CI_NVCHECKER?"]


def test_keys_of_neighbouring_tools_are_left_alone(repository: CheckedRepository) -> None:
    repository.write(FOO.folder("CI_SIGNAL_SCAN_IGNORE=x\nCI_REBUILD_IGNORE_ABI=libfoo.so\n"))
    assert repository.found("ci-config") == []


def test_a_trigger_may_be_in_a_watched_database(repository: CheckedRepository) -> None:
    repository.write(FOO.folder("CI_REBUILD_TRIGGERS=gcc\n"))
    assert [it["severity"] for it in repository.problems("--only", "ci-config")] == ["warning"]
    repository.write({".ci/config": "CI_LIB_DB=https://example.org/core.db\n"})
    assert repository.found("ci-config") == []


def test_the_repository_s_own_files_are_checked(repository: CheckedRepository) -> None:
    repository.write(
        {
            ".ci/config": "CI_FORGE=gitlap\nCI_BACKEND=nothing\nREDIS_PORT=x\nBUILDER_CLASS=2\n",
            ".ci/review.toml": '[severity]\nno-such-rule = "high"\ndepends-changed = "hihg"\n[other]\n',
        }
    )
    assert repository.found("ci-config") == [
        (".ci/config", 1, "CI_FORGE names nothing that is installed: 'gitlap'"),
        (".ci/config", 2, "CI_BACKEND names nothing that is installed: 'nothing'"),
        (".ci/config", 3, "REDIS_PORT is not a whole number: 'x'"),
        (".ci/config", 4, "BUILDER_CLASS means nothing in this file"),
        (".ci/review.toml", 2, "no-such-rule is no rule"),
        (".ci/review.toml", 3, "depends-changed is no severity: 'hihg'"),
        (".ci/review.toml", 4, "other is no setting of reviews"),
    ]


def test_a_package_alone_leaves_the_repository_s_files_alone(repository: CheckedRepository) -> None:
    repository.write({**FOO.folder(), ".ci/config": "REDIS_PORT=x\n"})
    assert repository.found("ci-config", "foo/.CI/config") == []
    assert [file for file, _, _ in repository.found("ci-config", ".ci/config")] == [".ci/config"]
