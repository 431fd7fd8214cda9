"""Typed configuration: what is read, and what is blamed."""

from __future__ import annotations

import pytest

from ci_toolkit.errors import ConfigError
from ci_toolkit.formats.key_value import KeyValueFile
from ci_toolkit.model.names import is_pkgbase, nearest, parse_pkgbase
from ci_toolkit.model.package_config import Bump, PackageConfig, parse_bump, parse_package_config
from ci_toolkit.model.settings import Settings, parse_settings


def config(text: str) -> PackageConfig:
    return parse_package_config(KeyValueFile.parse(text.encode(), file=".CI/config"))


def settings(text: str, **environ: str) -> Settings:
    return parse_settings(KeyValueFile.parse(text.encode(), file=".ci/config"), environ)


def test_every_key_has_its_documented_default() -> None:
    assert config("") == PackageConfig()
    assert settings("").redis_ssh_port == 22
    assert settings("").max_parallel == 8
    assert settings("").human_review is False


def test_all_keys_of_a_package_are_read() -> None:
    found = config(
        "CI_PKGBUILD_SOURCE=aur\nCI_PACKAGE_BUMP=1:2.0-3/4\nCI_REBUILD_TRIGGERS=a:b\nCI_ON_TRIGGER=daily\n"
        "CI_MANAGE_AUR=true\nCI_NVCHECKER=true\nCI_FORCE_VCS=true\nBUILDER_CACHE_SOURCES=true\nBUILDER_CLASS=big\n"
        "BUILDER_EXTRA_TIMEOUT=3\nBUILDER_ALLOW_PROHIBITED=true\nCI_SIGNAL_SCAN_IGNORE=x\n"
    )
    assert (found.source, found.rebuild_triggers, found.on_trigger) == ("aur", ("a", "b"), "daily")
    assert found.bump == Bump(version="1:2.0", release="3", count=4)
    assert (found.builder_class, found.extra_timeout) == ("big", 3)
    assert found.manage_aur
    assert found.force_vcs


@pytest.mark.parametrize(
    ("text", "bump"),
    [
        ("1.0-1/2", Bump(version="1.0", release="1", count=2)),
        ("1.0-1", Bump(version="1.0", release="1", count=1)),
        ("1.0/3", Bump(version="1.0", release=None, count=3)),
        ("2:1.0.r1-2.1/1", Bump(version="2:1.0.r1", release="2.1", count=1)),
        ("7", Bump(version=None, release=None, count=7)),
    ],
)
def test_bumps_are_read_in_all_their_forms(text: str, bump: Bump) -> None:
    assert parse_bump(text) == bump


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\nBUILDER_CLASS=0\n", ".CI/config line 2: BUILDER_CLASS is a class below 1: '0'"),
        ("BUILDER_CLASS=a b\n", ".CI/config line 1: BUILDER_CLASS is neither a class of at least 1 nor"),
        ("BUILDER_EXTRA_TIMEOUT=fast\n", ".CI/config line 1: BUILDER_EXTRA_TIMEOUT is not a whole number: 'fast'"),
        ("CI_MANAGE_AUR=yes\n", ".CI/config line 1: CI_MANAGE_AUR is neither true nor false: 'yes'"),
        ("CI_PACKAGE_BUMP=a b/c\n", ".CI/config line 1: CI_PACKAGE_BUMP is no bump: 'a b/c'"),
        ("CI_PKGBUILD_CHANGE_ALLOW_REGEX=ok;(\n", ".CI/config line 1: CI_PKGBUILD_CHANGE_ALLOW_REGEX is no regular"),
    ],
)
def test_a_bad_value_is_blamed_with_file_line_and_key(text: str, shown: str) -> None:
    with pytest.raises(ConfigError) as caught:
        config(text)
    assert str(caught.value).startswith(shown)


def test_the_environment_wins_and_is_blamed_for_its_own_mistakes() -> None:
    found = settings("CI_DEFAULT_CLASS=2\nREPO_NAME=a\n", CI_DEFAULT_CLASS="3", REPO_NAME="a")
    assert (found.default_class, found.overridden) == ("3", ("CI_DEFAULT_CLASS",))
    with pytest.raises(ConfigError, match="the environment: REDIS_PORT is not a whole number"):
        settings("", REDIS_PORT="x")
    assert settings("CI_DEFAULT_CLASS=2\n", CI_DEFAULT_CLASS="").default_class == "2"


@pytest.mark.parametrize("name", ["../x", "-x", ".", "..", "a b", "UPPER", "a/b", "$(id)"])
def test_repository_names_that_would_block_the_manager_are_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="REPO_NAME is no repository name"):
        settings(f"REPO_NAME={name}\n")


@pytest.mark.parametrize("name", ["a", "libfoo++", "a@b", "0ad", "font-2.0", "_x", "A"])
def test_names_that_packages_have(name: str) -> None:
    assert parse_pkgbase(name) == name


@pytest.mark.parametrize(
    "name", ["", "-a", ".a", "a b", "a/b", "a:b", "a;b", "a,b", "a..b", "a.lock", "a.", "ä", "a\n"]
)
def test_names_that_no_package_and_no_branch_can_have(name: str) -> None:
    assert not is_pkgbase(name)
    with pytest.raises(ConfigError):
        parse_pkgbase(name)


def test_the_nearest_names_are_offered() -> None:
    assert nearest("on-comit", ["on-commit", "explain"]) == "did you mean on-commit?"
    assert nearest("zzz", ["on-commit"]) == ""


@pytest.mark.parametrize(
    ("text", "limits"),
    [
        ("", {}),
        ("5:1", {"5": 1}),
        ("5:0  2:3", {"5": 0, "2": 3}),
        ("big-one.example:2", {"big-one.example": 2}),
        ("5:1 5:2", {"5": 2}),
    ],
)
def test_limits_of_classes_are_read(text: str, limits: dict[str, int]) -> None:
    assert settings(f"CI_CLASS_LIMITS={text}\n").class_limits == limits


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("5", "is not CLASS:N: '5'"),
        ("5:", "is not CLASS:N: '5:'"),
        (":5", "is not CLASS:N: ':5'"),
        ("5:1,6:2", "is neither a class"),
        ("5:-1", "is not CLASS:N: '5:-1'"),
        ("5:x", "is not CLASS:N: '5:x'"),
        ("5:²", "is not CLASS:N"),
        ("5:٣", "is not a whole number"),
        ("5:1000000000", "is not a whole number"),
        ("0:1", "is a class below 1: '0'"),
        ("²:1", "is neither a class of at least 1 nor"),
        ("a:b:1", "is neither a class of at least 1 nor"),
        ("-x:1", "is neither a class of at least 1 nor"),
        ("2:1 5", "is not CLASS:N: '5'"),
    ],
)
def test_limits_that_nobody_can_mean_are_refused_with_their_place(text: str, shown: str) -> None:
    with pytest.raises(ConfigError) as caught:
        settings(f"\nCI_CLASS_LIMITS={text}\n")
    assert str(caught.value).startswith(f".ci/config line 2: CI_CLASS_LIMITS {shown}")


@pytest.mark.parametrize("text", ["/srv/repository", "/", "/srv/a b"])
def test_the_published_folder_is_a_path_from_the_root(text: str) -> None:
    assert settings(f"CI_PUBLISH_DIR={text}\n").publish_dir == text
    assert settings("", CI_PUBLISH_DIR=text).publish_dir == text
    assert settings("").publish_dir is None


@pytest.mark.parametrize("text", ["srv", "./srv", "~/srv", "$HOME/srv", "/srv\x07", "file:///srv"])
def test_another_path_is_refused_with_its_place(text: str) -> None:
    with pytest.raises(ConfigError, match=r"^.ci/config line 1: CI_PUBLISH_DIR is no path that begins with /"):
        settings(f"CI_PUBLISH_DIR={text}\n")


@pytest.mark.parametrize("text", ["²", "0²", "9" * 5000, "00"])
def test_digits_that_are_no_class_are_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="BUILDER_CLASS is"):
        config(f"BUILDER_CLASS={text}\n")


@pytest.mark.parametrize("text", ["²/²", "9" * 5000, "1.0-1/" + "9" * 5000])
def test_digits_that_are_no_count_of_a_bump_are_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="CI_PACKAGE_BUMP is"):
        config(f"CI_PACKAGE_BUMP={text}\n")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "/srv/arch root",
        "oci:docker.io/library/archlinux:base-devel",
        "oci:localhost:5000/a/b",
        f"oci:archlinux@sha256:{'0' * 64}",
    ],
)
def test_build_roots(text: str) -> None:
    assert settings(f"CI_BUILD_ROOT={text}\n").build_root == text


@pytest.mark.parametrize(
    "text", ["/", "//.", "arch", "../arch", "oci:", "oci:-v", "oci:--root=/", "oci:a b", "oci:../a", "docker:a"]
)
def test_what_is_no_build_root_is_blamed(text: str) -> None:
    with pytest.raises(ConfigError, match=r"\.ci/config line 1: CI_BUILD_ROOT is no build root"):
        settings(f"CI_BUILD_ROOT={text}\n")
